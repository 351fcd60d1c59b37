//! Which code a function name means: deploy, resolve, versions, store.
