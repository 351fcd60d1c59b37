//! The record of a failed run, in TaskTiger's format.

use serde::{Deserialize, Serialize};

use crate::{Outcome, RetryMethod, RetryWish, Timestamp};

/// One entry of `task:<id>:executions`. Python workers and the admin pages need all of the plain fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Execution {
    /// When the run began.
    pub time_started: Timestamp,
    /// Set where the failure itself asked for a retry: TaskTiger's RetryException.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry: bool,
    /// The method that such a failure named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_method: Option<RetryMethod>,
    /// Whether the task is kept when it has failed for good; present with `retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_error: Option<bool>,
    /// What went wrong, as a name.
    pub exception_name: String,
    /// When it went wrong.
    pub time_failed: Timestamp,
    /// For people; absent where the configuration says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
    /// Always false: successful runs leave no record.
    pub success: bool,
    /// The host that ran it.
    pub host: String,
}

impl Execution {
    /// The record of a run that ended with this outcome.
    pub fn of(outcome: &Outcome, started: Timestamp, failed: Timestamp, host: &str, traceback: bool) -> Self {
        let mut execution = Execution {
            time_started: started,
            retry: false,
            retry_method: None,
            log_error: None,
            exception_name: outcome.exception_name().to_owned(),
            time_failed: failed,
            traceback: traceback.then(|| outcome.traceback()),
            success: false,
            host: host.to_owned(),
        };
        if let Outcome::Failed(failure) = outcome
            && let RetryWish::ByMethod(method) = &failure.retry
        {
            execution.retry = true;
            execution.retry_method = method.clone();
            execution.log_error = Some(failure.log_error);
        }
        execution
    }
}
