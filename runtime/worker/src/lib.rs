//! The worker: it fetches tasks, runs each in the sandbox, and settles what came of it.
//!
//! Two tokio runtimes share the work. Guests run on one of their own, so that none of them can hold up the
//! heartbeats, the settling and the services on the other. A worker never takes more than it can run at
//! once, and gives back what it cannot finish.

mod settings;
mod worker;

mod assemble;
mod fetch;
mod job;
mod once;

mod absent;
mod ask;
mod execute;
mod judge;
mod library;
mod output;
mod record;

mod keeper;
mod leash;
mod report;

mod eager;

mod agenda;
mod board;
mod rates;
mod services;
mod stats;

pub use eager::EagerRunner;
pub use report::{Reporter, TaskFailure};
pub use settings::{Ends, Settings};
pub use task::Filter;
pub use worker::{Error, MOST_AT_ONCE, Worker};
