//! What a hook is told: the tasks of a run, and how they ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A run that a hook is called for: the one argument of a function with `hook = ..`.
///
/// A module that has hooks is a runner: they are called around the runs of its own functions, and of those that
/// name it as their `runner`.
///
/// | hook | called | if it fails |
/// |---|---|---|
/// | `before` | before a run | the run does not begin, and its tasks have failed in the same way |
/// | `after` | after a run, however it ended | it is logged |
/// | `on_permanent_error` | when a task has failed for good | it is logged |
///
/// A hook runs in a fresh instance of its own, so that it shares nothing with the run but what it is told.
///
/// ```
/// use margay_sdk::{HookedRun, Result, log, task};
///
/// /// Writes down how every task ended.
/// #[task(hook = after, hard_timeout = "5s")]
/// fn watch(run: HookedRun) -> Result<()> {
///     for task in &run.tasks {
///         let outcome = task.outcome.as_ref().map_or("unknown", |outcome| &outcome.word);
///         log::info!("{} of {}: {outcome}", task.function, task.queue);
///     }
///     Ok(())
/// }
///
/// /// A function of another module with `runner = "audit"` is watched too, where this one is deployed as `audit`.
/// #[task]
/// fn send(user: u64) -> u64 {
///     user
/// }
///
/// margay_sdk::export!(watch, send);
///
/// # fn main() {
/// // In a test, a run is made from what the runtime would send.
/// let json = r#"{"tasks": [{"id": "1", "function": "mail:send", "queue": "email", "attempt": 1,
///     "args": [7], "kwargs": {}, "outcome": {"outcome": "finished", "result": 7}}]}"#;
/// let run: HookedRun = margay_sdk::testing::hooked_run(json).expect("a run");
/// assert_eq!(run.tasks[0].args[0].get(), "7");
/// watch(run).expect("watched");
/// # }
/// ```
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct HookedRun {
    /// The tasks of the run: all of a batch, else one. `on_permanent_error` is told of one task at a time.
    pub tasks: Vec<HookedTask>,
}

/// One task of a run that a hook is called for.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct HookedTask {
    /// The task's id.
    pub id: String,
    /// The full name of its function, `module:function`.
    pub function: String,
    /// The queue it was claimed from.
    pub queue: String,
    /// Which run this is: 1 at first, one more after each recorded failure.
    pub attempt: u32,
    /// The positional arguments, each as JSON with every digit.
    pub args: Vec<Box<RawValue>>,
    /// The named arguments, each as JSON.
    pub kwargs: BTreeMap<String, Box<RawValue>>,
    /// How the run ended; told to `after` alone.
    #[serde(default)]
    pub outcome: Option<HookedOutcome>,
    /// The last failure as it is stored; told to `on_permanent_error` alone.
    #[serde(default)]
    pub execution: Option<HookedExecution>,
}

/// How the run of one task ended.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct HookedOutcome {
    /// In a word: `finished`, `failed`, `trapped`, `timed-out`, ..
    #[serde(rename = "outcome")]
    pub word: String,
    /// What it returned, as JSON, where it finished.
    #[serde(default, deserialize_with = "given")]
    pub result: Option<Box<RawValue>>,
    /// The kind of failure, where it did not finish.
    #[serde(default)]
    pub error: Option<String>,
    /// A line about that, for people.
    #[serde(default)]
    pub message: Option<String>,
}

impl HookedOutcome {
    /// Whether the task returned a result.
    pub fn is_finished(&self) -> bool {
        self.word == "finished"
    }
}

/// The stored record of a failure, in TaskTiger's format. Times are in seconds since 1970.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct HookedExecution {
    /// What went wrong, as a name.
    pub exception_name: String,
    /// What is known about where, for people.
    #[serde(default)]
    pub traceback: Option<String>,
    /// When the run began.
    pub time_started: f64,
    /// When it failed.
    pub time_failed: f64,
    /// The host that ran it.
    pub host: String,
}

/// A result of `null` is a result.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(value).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(more: &str) -> HookedTask {
        let json = format!(
            r#"{{"tasks": [{{"id": "1", "function": "mail:send", "queue": "email", "attempt": 2,
                "args": [12345678901234567890123], "kwargs": {{"lang": "de"}} {more}}}]}}"#
        );
        let mut run: HookedRun = serde_json::from_str(&json).expect("a run");
        run.tasks.remove(0)
    }

    #[test]
    fn arguments_keep_every_digit() {
        let task = task("");
        assert_eq!((task.args[0].get(), task.kwargs["lang"].get()), ("12345678901234567890123", "\"de\""));
        assert!(task.outcome.is_none() && task.execution.is_none());
    }

    #[test]
    fn a_result_of_null_is_told_from_none() {
        let finished = task(r#", "outcome": {"outcome": "finished", "result": null}"#);
        let outcome = finished.outcome.expect("an outcome");
        assert!(outcome.is_finished() && outcome.result.is_some_and(|result| result.get() == "null"));
        let failed = task(r#", "outcome": {"outcome": "failed", "error": "smtp", "message": "greylisted"}"#);
        let outcome = failed.outcome.expect("an outcome");
        assert!(!outcome.is_finished() && outcome.result.is_none());
        assert_eq!(
            (outcome.error.as_deref(), outcome.message.as_deref()),
            (Some("smtp"), Some("greylisted"))
        );
    }

    #[test]
    fn a_stored_execution_may_have_more_than_is_named_here() {
        let gone = task(
            r#", "execution": {"time_started": 1.5, "time_failed": 2.5, "exception_name": "smtp",
            "success": false, "host": "h", "retry": true, "log_error": true}"#,
        );
        let execution = gone.execution.expect("an execution");
        assert_eq!((execution.exception_name.as_str(), execution.time_failed), ("smtp", 2.5));
    }
}
