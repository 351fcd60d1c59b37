//! Runs one component once, under limits and grants.
//!
//! Each run has a fresh instance: nothing that a guest does is seen by the next run, and nothing reaches
//! outside but what its [`Grants`] name. However a guest behaves, [`Sandbox::run`] answers with an outcome.
//! This crate never knows of queues or Redis.

mod engine;

mod compile;
mod describe;
mod run;
mod visit;

mod functions;
mod grants;
mod limits;
mod output;

mod convert;
mod description;
mod host;
mod ticker;
mod traceback;

pub use compile::{Module, Refusal};
pub use engine::{Error, Sandbox, Settings};
pub use functions::{Functions, NoFunctions};
pub use grants::{Access, GrantedDirectory, Grants};
pub use limits::Limits;
pub use output::{NoOutput, Output, Stream};
pub use run::{Call, Effects, FollowUp, Report, Run, TaskInfo};

/// The contract of `wit/` as Rust types and traits.
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "task-module",
        exports: { default: async },
        additional_derives: [Clone],
    });
}
