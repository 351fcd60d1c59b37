//! The record of how a task ended, for a producer who asked for one.

use std::time::Duration;

use queue::{Ended, Kept};
use serde_json::value::RawValue;
use task::{Facts, Outcome, Task, Verdict};

/// The record of a task's end; `None` where it goes on, or nobody asked.
pub(crate) fn record(task: &Task, outcome: &Outcome, verdict: &Verdict, facts: Facts<'_>) -> Option<Kept> {
    let asked = task.margay.result_ttl.or(facts.options.and_then(|options| options.result_ttl));
    // Longer than anything can mean for ever.
    let ttl = Duration::try_from_secs_f64(asked?).unwrap_or(Duration::MAX);
    let (result, error) = match verdict {
        Verdict::Done { result } => (RawValue::from_string(result.clone()).ok(), None),
        Verdict::Error { execution } | Verdict::Forget { execution } => {
            (None, Some(execution.exception_name.clone()))
        }
        Verdict::Retry { .. } | Verdict::Requeue { .. } | Verdict::Defer { .. } | Verdict::Leave { .. } => {
            return None;
        }
    };
    let message = error.is_some().then(|| outcome.message());
    let record = Ended {
        id: task.id.clone(),
        func: task.func.to_string(),
        outcome: outcome.word().to_owned(),
        result,
        error,
        message,
        enqueued: task.time_last_queued,
        due: task.scheduled_at,
        started: facts.started,
        ended: facts.now,
        attempts: facts.executions.saturating_add(1),
    };
    Some(Kept { record, ttl })
}
