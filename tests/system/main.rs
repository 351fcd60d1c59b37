//! Whole-system tests: the `margay` command as a user starts it, on a real Redis, with real components.
//!
//! Nothing here looks inside a process. A test starts a [`harness::Site`], does what people do, kills what
//! fails in real life, waits for log lines, results and exits, and leaves a keyspace that is checked.

mod harness;

mod batches;
mod deploys;
mod eager;
mod grants;
mod hooks;
mod outcomes;
mod periodic;
mod reports;
mod retries;
mod unique;
mod work;

mod limits;
mod locks;

mod fleets;
mod once;
mod reap;
mod recovery;
mod shutdown;

mod tasktiger;
mod tasktiger_locks;

mod command_line;
mod keys;
mod migrations;
mod projects;
mod refusals;
mod settings;
mod tasks;
