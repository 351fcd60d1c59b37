//! What a task is, and what should happen to it after a run.
//!
//! Pure values and decisions: this crate never does IO, never reads a clock and never awaits. The wire
//! format is TaskTiger's, so that Python and Margay read each other's tasks.

mod filter;
mod identity;
mod name;
mod payload;

mod adopt;
mod function;
mod retry;
mod schedule;

mod execution;
mod outcome;
mod verdict;

pub use execution::Execution;
pub use filter::{Filter, subtrees};
pub use function::{FunctionSpec, Hook, Options, WorkerLost};
pub use name::{BadName, FunctionName, check_id, check_module_name, check_queue_name};
pub use outcome::{Failure, Interruption, Outcome, RetryWish};
pub use payload::{BadPayload, Extension, Task};
pub use retry::{BadRetry, RetryMethod};
pub use schedule::{BadSchedule, NextRun, Schedule};
pub use verdict::{CustomRetry, Facts, Policy, Verdict, custom_retry, decide, refuse};

/// Seconds since 1970-01-01T00:00:00Z: the unit of every time and score in Redis.
pub type Timestamp = f64;
