//! The contract in Rust, generated from `wit/`. It is generated here once, so that a task project needs no
//! bindings generator and no copy of the contract; `export!` ties a project's functions to it.
#![allow(missing_docs, clippy::all, reason = "generated")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "task-module",
    additional_derives: [PartialEq],
    pub_export_macro: true,
    default_bindings_module: "::margay_sdk::bindings",
});
