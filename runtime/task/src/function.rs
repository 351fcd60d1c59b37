//! What a module says about its functions.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{RetryMethod, Schedule};

/// One function of a module: its name, schema and options. Stored with each deployed version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FunctionSpec {
    /// Its name inside the module.
    pub name: String,
    /// What it does, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// The JSON Schema of its arguments, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Box<RawValue>>,
    /// The JSON Schema of its result, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Box<RawValue>>,
    /// Whether it takes many calls in one run.
    #[serde(default)]
    pub batch: bool,
    /// Set where it is called around the runs of others, and never by a producer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<Hook>,
    /// Its own wishes.
    #[serde(default)]
    pub options: Options,
}

/// A function's own wishes: an option given at enqueue beats them, they beat the configuration. Durations
/// are in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// The queue its tasks go to where the producer names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The longest a run may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard_timeout: Option<f64>,
    /// Tasks with the same arguments are one task.
    #[serde(skip_serializing_if = "is_false")]
    pub unique: bool,
    /// The named arguments that make a task unique.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unique_key: Vec<String>,
    /// Tasks with the same arguments run one after the other.
    #[serde(skip_serializing_if = "is_false")]
    pub lock: bool,
    /// The named arguments that make up the lock.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lock_key: Vec<String>,
    /// How many of its tasks may wait and run in one queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_queue_size: Option<u32>,
    /// Retry by the configuration's default method.
    #[serde(skip_serializing_if = "is_false")]
    pub retry: bool,
    /// Whether and how failures are retried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_method: Option<RetryMethod>,
    /// Which kinds of failure are retried; all, where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retry_on: Vec<String>,
    /// How many failed executions are kept; all, where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_stored_executions: Option<u32>,
    /// When it runs by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// The module whose hooks are called around its runs; its own module's, where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
    /// Higher runs first inside a queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// A task not finished this long after its enqueue is not run again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<f64>,
    /// A task not started this long after its enqueue is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<f64>,
    /// How long a result is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_ttl: Option<f64>,
    /// A random addition to each retry's delay, at most this long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<f64>,
    /// What happens when its worker vanishes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_worker_lost: Option<WorkerLost>,
}

/// When a hook is called. A module that has any is a runner: TaskTiger's `runner_class`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// Before a run. If it fails, the run does not begin and has failed in the same way.
    Before,
    /// After a run, however it ended.
    After,
    /// When a task has failed for good.
    OnPermanentError,
}

/// What happens to a task whose worker vanished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerLost {
    /// It is queued again.
    Requeue,
    /// It goes to the error state at once.
    Fail,
}

fn is_false(value: &bool) -> bool {
    !value
}
