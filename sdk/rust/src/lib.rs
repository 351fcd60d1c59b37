//! Write tasks for Margay: plain functions, compiled to a WebAssembly component, each run in a sandbox of
//! its own.
//!
//! # A first task
//!
//! A project is a library of type `cdylib` (and `rlib`, for its tests) that depends on `margay-sdk`. A task is
//! a function marked [`#[task]`](macro@task); [`export!`] lists those that the module offers:
//!
//! ```
//! use margay_sdk::{Context, Failure, Result, log, task};
//!
//! /// Sends the welcome mail.
//! #[task(
//!     queue = "email",
//!     hard_timeout = "30s",
//!     retry = exponential("1s", 2.0, 5),
//!     retry_on = ["smtp"],
//!     lock_key = ["user"]
//! )]
//! fn send_welcome(context: &Context, user: u64, #[default("en")] lang: String) -> Result<String> {
//!     if user == 0 {
//!         return Err(Failure::new("no-such-user", "there is no user 0").permanent());
//!     }
//!     log::info!("welcoming {user}, attempt {}", context.task().attempt);
//!     Ok(format!("{lang}: welcome, {user}"))
//! }
//!
//! margay_sdk::export!(send_welcome);
//!
//! # fn main() {
//! // The function is still the function that was written, so a test calls it.
//! let context = Context::current();
//! assert_eq!(send_welcome(&context, 7, "de".to_owned()).expect("user 7 is there"), "de: welcome, 7");
//! assert_eq!(send_welcome(&context, 0, "de".to_owned()).expect_err("nobody").kind(), "no-such-user");
//! # }
//! ```
//!
//! `margay build` compiles it, `margay deploy mail.wasm` makes it the module `mail`, and
//! `margay enqueue mail:send_welcome '[7]' --kwargs '{"lang": "de"}'` calls it.
//!
//! # Arguments
//!
//! Parameters take the arguments of a call by position and by name. Any type that implements serde's
//! `Deserialize` will do, as long as it is owned. An `Option` and a parameter with `#[default(..)]` may be
//! left out. A parameter of type [`Context`] or `&Context` is no argument. Wrong arguments are a failure of kind
//! `invalid-arguments` that names the argument and is never retried.
//!
//! # Results and failures
//!
//! A function returns nothing, a value that implements serde's `Serialize`, or a [`Result`] of one. A return
//! type counts as a `Result` if its last name is `Result`. A [`Failure`] is data: a kind, which `retry_on`
//! matches, a message, and a wish about its retry. Every standard error becomes one through `?`. A panic
//! ends the run as well, as a trap.
//!
//! # Many calls in one run
//!
//! ```
//! use margay_sdk::{Call, Failure, Result, task};
//!
//! /// Adds documents to the index.
//! #[task(batch, queue = "index")]
//! fn index_documents(ids: Vec<Call<u64>>) -> Vec<Result<()>> {
//!     ids.iter()
//!         .map(|call| match call.args {
//!             0 => Err(Failure::new("no-such-document", "there is no document 0").permanent()),
//!             _ => Ok(()),
//!         })
//!         .collect()
//! }
//!
//! let answers = index_documents(vec![Call::new(1), Call::new(0)]);
//! assert!(answers[0].is_ok() && answers[1].is_err());
//! ```
//!
//! It has one parameter of type `Vec<Call<A>>`, and answers each call in the order given. [`Call`] says how
//! arguments become an `A`. Calls with wrong arguments fail on their own and never reach the function.
//!
//! # Around the runs of others
//!
//! A function with `hook = before`, `hook = after` or `hook = on_permanent_error` is called around the runs of
//! the module's functions, and of those in other modules that name it as their `runner`: see [`HookedRun`].
//!
//! # Logging
//!
//! What is written with the [`log`] crate, by the module or by a library it uses, reaches the runtime with level
//! and fields, down to level debug. Lines on stdout and stderr are kept as well.

// The generated code names the crate as a project does, and so does our own use of it.
extern crate self as margay_sdk;

mod module;

mod arguments;
mod call;
mod payload;

mod context;
mod failure;
mod follow_up;
mod hook;
mod logging;
mod retry;
mod runtime;

#[cfg(not(target_family = "wasm"))]
pub mod testing;

#[doc(hidden)]
pub mod bindings;
mod export;

pub use call::Call;
pub use context::{Context, TaskInfo};
pub use failure::{Failure, Result};
pub use follow_up::FollowUp;
pub use hook::{HookedExecution, HookedOutcome, HookedRun, HookedTask};
pub use log;
pub use margay_sdk_macros::task;
pub use retry::Retry;

/// What the macros use. No part of the crate's promise.
#[doc(hidden)]
pub mod __private {
    pub use crate::arguments::Arguments;
    pub use crate::bindings::exports::margay::task::tasks::Guest;
    pub use crate::bindings::margay::task::types;
    pub use crate::export::{WireAnswers, wire_answer, wire_answers};
    pub use crate::module::{Body, Function, Json, Module, Task, answer, answer_result, answers, run_batch};
}
