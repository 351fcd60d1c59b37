//! One run: a fresh instance, one call of it, and an outcome, whatever happens.
//! What comes back from the guest is checked here before anybody stores it.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::FutureExt;
use task::{Failure, Interruption, Outcome, RetryWish, Task, Timestamp};
use wasmtime::Engine;

use crate::bindings::margay::task::types as wit;
use crate::host::check_result;
use crate::visit::{NotStarted, until};
use crate::{Functions, Grants, Limits, Module, Output, Sandbox, convert};

/// What to run, and within which bounds.
pub struct Run<'a> {
    /// The function's name inside the module.
    pub function: &'a str,
    /// The calls: exactly one, where it is no batch.
    pub calls: Vec<Call>,
    /// Whether the function takes all calls at once.
    pub batch: bool,
    /// What the run may use.
    pub limits: &'a Limits,
    /// What the run may reach.
    pub grants: &'a Grants,
    /// What is known of the functions that it may enqueue.
    pub functions: Arc<dyn Functions>,
    /// Where its output goes.
    pub output: Arc<dyn Output>,
    /// What the guest is told when it asks whether it should stop.
    pub cancelled: Arc<AtomicBool>,
}

/// One task's part in a run.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which task it is.
    pub info: TaskInfo,
    /// The positional arguments, a JSON array.
    pub args: String,
    /// The named arguments, a JSON object.
    pub kwargs: String,
}

/// What a guest may know about its task.
#[derive(Clone, Debug, Default)]
pub struct TaskInfo {
    /// The task's id.
    pub id: String,
    /// The full name of its function, `module:function`.
    pub function: String,
    /// The queue it was claimed from.
    pub queue: String,
    /// Which run this is, counted from 1.
    pub attempt: u32,
    /// When it was last enqueued.
    pub enqueued_at: Option<Timestamp>,
    /// When it was due.
    pub scheduled_at: Option<Timestamp>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// One outcome for each call, in order.
    pub outcomes: Vec<Outcome>,
    /// What the guest asked for; nothing, unless a call finished.
    pub effects: Effects,
    /// How long it took, without waiting for a slot.
    pub elapsed: Duration,
    /// How much it computed, where the sandbox counts fuel.
    pub fuel_used: Option<u64>,
    /// The most linear memory that it had, in bytes.
    pub peak_memory_bytes: u64,
}

/// What a guest asked for during its run, to be committed together with its end.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// Tasks to enqueue.
    pub follow_ups: Vec<FollowUp>,
    /// Results that replace a call's return value: the call's index, and JSON. Of finished calls only.
    pub results: Vec<(u32, String)>,
}

/// A task that a guest enqueued.
#[derive(Clone, Debug)]
pub struct FollowUp {
    /// The task, with its id and what it has to know of its function's own options.
    pub task: Task,
    /// Where to: as asked, else the function's own queue; the queue of the run, where there is neither.
    pub queue: Option<String>,
    /// How long until it is due.
    pub delay: Option<Duration>,
    /// It wants retries by the configuration's default method.
    pub default_retry: bool,
}

impl Sandbox {
    /// Runs a function once, in a fresh instance, as soon as a slot is free.
    ///
    /// Everything that can happen is an outcome; where the host itself fails it is
    /// [`Interruption::HostError`]. Dropping the future ends the run at its next pause, which is never
    /// further away than a tick, and frees its slot.
    pub async fn run(&self, module: &Module, run: Run<'_>) -> Report {
        let calls = run.calls.len();
        match AssertUnwindSafe(self.run_once(module, run)).catch_unwind().await {
            Ok(report) => report,
            Err(panic) => Report::host_error(calls, format!("panicked: {}", words(&*panic))),
        }
    }

    async fn run_once(&self, module: &Module, run: Run<'_>) -> Report {
        let count = run.calls.len();
        if count == 0 || !run.batch && count != 1 {
            return Report::host_error(count, format!("a run cannot have {count} calls"));
        }
        if !Engine::same(module.pre.engine(), &self.inner.engine) {
            return Report::host_error(count, "the module was compiled by another sandbox".to_owned());
        }
        let calls: Arc<Vec<wit::Call>> = Arc::new(run.calls.into_iter().map(convert::call).collect());
        let Run { limits, grants, functions, output, cancelled, .. } = run;
        let mut visit = self.enter(Arc::clone(&calls), limits, grants, functions, output, cancelled).await;
        let (deadline, store) = (visit.deadline, &mut visit.store);
        let answer = until(deadline, async {
            let starting = module.pre.instantiate_async(&mut *store).await;
            let instance = starting.map_err(|error| error.context(NotStarted))?;
            let tasks = instance.margay_task_tasks();
            if run.batch {
                return tasks.call_run_batch(store, run.function, &calls).await;
            }
            Ok(tasks.call_run(store, run.function, &calls[0]).await?.map(|result| vec![Ok(result)]))
        });
        let answer = answer.await;
        visit.store.data().capture.flush();
        let outcomes = match answer {
            Ok(Ok(results)) => finished(results, &calls, run.limits),
            Ok(Err(failure)) => {
                let fail =
                    |call: &wit::Call| convert::failure(failure.clone(), &call.task.function, run.limits);
                calls.iter().map(|call| Outcome::Failed(fail(call))).collect()
            }
            Err(broken) => vec![visit.outcome(&broken); count],
        };
        visit.report(outcomes)
    }
}

/// The outcomes of a call that returned. What a guest returns is checked before anybody stores it.
fn finished(
    results: Vec<Result<String, wit::Failure>>,
    calls: &[wit::Call],
    limits: &Limits,
) -> Vec<Outcome> {
    if results.len() != calls.len() {
        let message = format!("returned {} results for {} calls", results.len(), calls.len());
        return vec![broken_rule("batch-length", message); calls.len()];
    }
    let outcome = |(result, call): (Result<String, wit::Failure>, &wit::Call)| match result {
        Ok(result) => match check_result(&result, limits.result_bytes) {
            Ok(()) => Outcome::Finished(result),
            Err((kind, message)) => broken_rule(kind, message),
        },
        Err(failure) => Outcome::Failed(convert::failure(failure, &call.task.function, limits)),
    };
    results.into_iter().zip(calls).map(outcome).collect()
}

/// The function returned, but not what it may return. It has done its work, so that another run would do
/// it twice: no retry.
fn broken_rule(kind: &str, message: String) -> Outcome {
    Outcome::Failed(Failure {
        kind: kind.to_owned(),
        message,
        detail: None,
        retry: RetryWish::Never,
        log_error: true,
    })
}

impl Report {
    fn host_error(calls: usize, message: String) -> Report {
        let outcome = Outcome::Interrupted(Interruption::HostError(message));
        Report {
            outcomes: vec![outcome; calls],
            effects: Effects::default(),
            elapsed: Duration::ZERO,
            fuel_used: None,
            peak_memory_bytes: 0,
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    if let Some(message) = panic.downcast_ref::<&str>() {
        return message;
    }
    panic.downcast_ref::<String>().map_or("no message", String::as_str)
}
