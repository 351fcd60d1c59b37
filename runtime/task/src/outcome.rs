//! How a run ended.

use serde_json::value::RawValue;

use crate::RetryMethod;

/// How one run of one task ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It returned; the result is a JSON document.
    Finished(String),
    /// It returned a failure of its own.
    Failed(Failure),
    /// It did something that Wasm forbids, or panicked.
    Trapped {
        /// The trap in a word or two, or the panic's message.
        message: String,
        /// For people.
        traceback: String,
    },
    /// Its hard timeout was over.
    TimedOut {
        /// The hard timeout, in seconds.
        limit: f64,
        /// For people.
        traceback: String,
    },
    /// Its CPU budget was used up.
    OutOfFuel {
        /// The budget, in units of fuel.
        limit: u64,
        /// For people.
        traceback: String,
    },
    /// It wanted more memory than it may have, and gave up.
    OutOfMemory {
        /// The limit, in bytes over all its memories.
        limit_bytes: u64,
        /// For people.
        traceback: String,
    },
    /// Somebody asked for its end.
    Cancelled,
    /// It never ran, and would not next time either: no such function, an unreadable payload.
    Refused {
        /// The stable name of the reason, such as `margay:UnknownFunction`.
        kind: &'static str,
        /// For people.
        message: String,
    },
    /// The runtime could not go on with it. Not the task's fault, so it is not counted as a failure.
    Interrupted(Interruption),
}

/// Why the runtime could not go on with a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The worker that held it is gone.
    WorkerVanished,
    /// The worker was asked to stop.
    Shutdown,
    /// The worker itself failed.
    HostError(String),
}

/// A failure that the function returned, as data.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What kind of failure it is; `retry_on` matches it.
    pub kind: String,
    /// One line for people.
    pub message: String,
    /// Anything more, for programs.
    pub detail: Option<Box<RawValue>>,
    /// Whether and how to retry.
    pub retry: RetryWish,
    /// Whether the task is kept in the error state when it has failed for good.
    pub log_error: bool,
}

/// What a failure says about its own retry.
#[derive(Clone, Debug, PartialEq)]
pub enum RetryWish {
    /// As the task's options say.
    ByPolicy,
    /// Not again.
    Never,
    /// Again, by this method; by the task's own or the default one where none is named.
    ByMethod(Option<RetryMethod>),
}

const TIMEOUT: &str = "tasktiger.exceptions:JobTimeoutException";
const RETRY: &str = "tasktiger.exceptions:RetryException";

/// Every name under which a producer may know TaskTiger's timeout.
const TIMEOUT_NAMES: [&str; 6] = [
    TIMEOUT,
    "tasktiger:JobTimeoutException",
    "tasktiger.timeouts:JobTimeoutException",
    "tasktiger.exceptions.JobTimeoutException",
    "tasktiger.JobTimeoutException",
    "tasktiger.timeouts.JobTimeoutException",
];

impl Outcome {
    /// The outcome in one word, for logs, metrics and pages.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Finished(_) => "finished",
            Outcome::Failed(_) => "failed",
            Outcome::Trapped { .. } => "trapped",
            Outcome::TimedOut { .. } => "timed-out",
            Outcome::OutOfFuel { .. } => "out-of-fuel",
            Outcome::OutOfMemory { .. } => "out-of-memory",
            Outcome::Cancelled => "cancelled",
            Outcome::Refused { .. } => "refused",
            Outcome::Interrupted(_) => "interrupted",
        }
    }

    /// The name that stands in an execution's `exception_name`. Both clocks that bound a computation are a
    /// timeout to TaskTiger.
    pub fn exception_name(&self) -> &str {
        match self {
            Outcome::Failed(failure) => match failure.retry {
                RetryWish::ByMethod(_) => RETRY,
                RetryWish::ByPolicy | RetryWish::Never => &failure.kind,
            },
            Outcome::Trapped { .. } => "margay:Trapped",
            Outcome::TimedOut { .. } | Outcome::OutOfFuel { .. } => TIMEOUT,
            Outcome::OutOfMemory { .. } => "margay:OutOfMemory",
            Outcome::Cancelled => "margay:Cancelled",
            Outcome::Refused { kind, .. } => kind,
            Outcome::Interrupted(_) => "margay:Interrupted",
            Outcome::Finished(_) => "",
        }
    }

    /// Whether a name in `retry_on` means this outcome: its word, its kind, TaskTiger's names for a
    /// timeout, and Python's base classes, of which `Exception` does not cover a timeout.
    pub fn matches(&self, name: &str) -> bool {
        let timeout = matches!(self, Outcome::TimedOut { .. } | Outcome::OutOfFuel { .. });
        match name {
            "builtins:BaseException" | "BaseException" => true,
            "builtins:Exception" | "Exception" => !timeout,
            _ if timeout && TIMEOUT_NAMES.contains(&name) => true,
            _ if name == self.word() => true,
            _ => match self {
                Outcome::Failed(failure) => failure.kind == name,
                other => other.exception_name() == name,
            },
        }
    }

    /// One line that says what went wrong; empty where nothing did.
    pub fn message(&self) -> String {
        match self {
            Outcome::Finished(_) => String::new(),
            Outcome::Failed(failure) => failure.message.clone(),
            Outcome::Trapped { message, .. } => message.clone(),
            Outcome::TimedOut { limit, .. } => format!("ran longer than its hard timeout of {limit} s"),
            Outcome::OutOfFuel { limit, .. } => format!("used up its {limit} units of fuel"),
            Outcome::OutOfMemory { limit_bytes, .. } => {
                format!("wanted more than its {limit_bytes} bytes of memory")
            }
            Outcome::Cancelled => "was cancelled".to_owned(),
            Outcome::Refused { message, .. } => message.clone(),
            Outcome::Interrupted(Interruption::WorkerVanished) => "its worker vanished".to_owned(),
            Outcome::Interrupted(Interruption::Shutdown) => "its worker was stopped".to_owned(),
            Outcome::Interrupted(Interruption::HostError(error)) => format!("its worker failed: {error}"),
        }
    }

    /// What an execution stores as its traceback: where it happened, then what.
    pub fn traceback(&self) -> String {
        let place = match self {
            Outcome::Trapped { traceback, .. }
            | Outcome::TimedOut { traceback, .. }
            | Outcome::OutOfFuel { traceback, .. }
            | Outcome::OutOfMemory { traceback, .. } => traceback.trim_end(),
            Outcome::Failed(Failure { detail: Some(detail), .. }) => detail.get(),
            _ => "",
        };
        let last = match self {
            Outcome::Failed(failure) => format!("{}: {}", failure.kind, failure.message),
            other => format!("{}: {}", other.exception_name(), other.message()),
        };
        if place.is_empty() { last } else { format!("{place}\n{last}") }
    }
}
