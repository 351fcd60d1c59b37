//! Which code a function name means.
//!
//! A module is a component under a name, in numbered versions; each version is the digest of its bytes.
//! Deploying stores the bytes, records the version and switches the name in one step. This crate never runs
//! a component: what a version offers comes with it, as its description.

mod deploy;
mod resolve;
mod store;

pub use deploy::Deployed;
pub use resolve::{Catalog, Resolved, Unknown};
pub use store::{Error, Store, Version, digest};
