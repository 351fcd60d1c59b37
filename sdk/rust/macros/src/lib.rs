//! The #[task] attribute of margay-sdk.
