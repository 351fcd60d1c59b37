//! What should happen to a task now: the one place that knows when to retry.

use serde_json::value::RawValue;

use crate::{
    BadPayload, Execution, Failure, Interruption, Options, Outcome, RetryMethod, RetryWish, Task, Timestamp,
    WorkerLost,
};

/// What should happen to a task now. Settling applies it in Redis.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is finished: nothing of it stays, but the result where somebody asked for it.
    Done {
        /// The result, a JSON document.
        result: String,
    },
    /// It failed and runs again.
    Retry {
        /// When it is due.
        at: Timestamp,
        /// The record of the failure.
        execution: Execution,
    },
    /// It failed for good.
    Error {
        /// The record of the failure.
        execution: Execution,
    },
    /// It failed for good, and wished to leave no trace.
    Forget {
        /// The record of the failure, for the log only.
        execution: Execution,
    },
    /// It goes back into its queue as it was; the count of its redeliveries may have grown.
    Requeue {
        /// When it is due again; at once where `None`.
        at: Option<Timestamp>,
        /// How often it has come back because of its worker.
        redeliveries: u32,
    },
    /// It waits a little: what it needs is not here yet. Nothing is counted.
    Defer {
        /// When it is due.
        at: Timestamp,
    },
    /// It is left to other workers: back into its queue, where it was.
    Leave {
        /// When it was queued.
        queued: Timestamp,
    },
}

/// What the decision knows beside the task and the outcome.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// How many failures are recorded already.
    pub executions: u32,
    /// When the run began.
    pub started: Timestamp,
    /// The time of the decision.
    pub now: Timestamp,
    /// The host that ran it.
    pub host: &'a str,
    /// The options in the function's description, where its module is known.
    pub options: Option<&'a Options>,
    /// A number from 0 to 1, drawn for this decision: the share of the jitter.
    pub chance: f64,
    /// What the [`custom_retry`] function answered: seconds until the next run, or `None` to stop.
    pub custom_delay: Option<f64>,
}

/// A question to a function of the user's, to be asked before the decision.
#[derive(Clone, Copy, Debug)]
pub struct CustomRetry<'a> {
    /// Whom to ask, `module:function`.
    pub function: &'a str,
    /// The number of the retry, counted from 1: the first argument.
    pub number: u32,
    /// The arguments after it: a JSON array.
    pub args: &'a RawValue,
}

/// The configuration's part in the decision.
#[derive(Clone, Debug)]
pub struct Policy {
    /// For tasks that want retries and name no method.
    pub default_retry: RetryMethod,
    /// How often a task may come back because of its workers before it counts as poison.
    pub max_redeliveries: u32,
    /// Whether executions keep tracebacks.
    pub store_tracebacks: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { default_retry: RetryMethod::DEFAULT, max_redeliveries: 5, store_tracebacks: true }
    }
}

/// Decides what happens to a task after a run.
///
/// A success is done. A failure retries if its method says so for the number of failures recorded, this one
/// included; TaskTiger counts them all, whatever method was used. What the runtime itself could not finish
/// is no failure: the task goes back into its queue until it has come back too often.
pub fn decide(task: &Task, outcome: &Outcome, facts: Facts<'_>, policy: &Policy) -> Verdict {
    let outcome = match outcome {
        Outcome::Finished(result) => return Verdict::Done { result: result.clone() },
        Outcome::Interrupted(interruption) => match redeliver(task, interruption, facts, policy) {
            Some(verdict) => return verdict,
            None => &poison(task, interruption),
        },
        outcome => outcome,
    };
    let execution = Execution::of(outcome, facts.started, facts.now, facts.host, policy.store_tracebacks);
    if let Some(delay) = retry_delay(task, outcome, facts, policy) {
        return Verdict::Retry { at: facts.now + delay, execution };
    }
    match outcome {
        Outcome::Failed(Failure { log_error: false, .. }) => Verdict::Forget { execution },
        _ => Verdict::Error { execution },
    }
}

/// Decides about a task whose payload cannot be read: it goes to `error` with the reason, for a person to see.
pub fn refuse(bad: &BadPayload, facts: Facts<'_>, policy: &Policy) -> Verdict {
    let outcome = Outcome::Refused { kind: "margay:BadPayload", message: bad.to_string() };
    let traceback = policy.store_tracebacks;
    Verdict::Error { execution: Execution::of(&outcome, facts.started, facts.now, facts.host, traceback) }
}

/// Back into the queue, unless the task has used up its redeliveries. A shutdown is nobody's fault and is
/// not counted.
fn redeliver(task: &Task, why: &Interruption, facts: Facts<'_>, policy: &Policy) -> Option<Verdict> {
    let so_far = task.margay.redeliveries;
    if *why == Interruption::Shutdown {
        return Some(Verdict::Requeue { at: None, redeliveries: so_far });
    }
    let wish = facts.options.and_then(|options| options.on_worker_lost);
    if wish == Some(WorkerLost::Fail) || so_far >= policy.max_redeliveries {
        return None;
    }
    // A worker that is in trouble would claim the task again at once, and again until it is poison. Others are
    // given the time to be first, and the trouble the time to pass.
    let pause =
        matches!(why, Interruption::HostError(_)).then(|| f64::from(2_u32.saturating_pow(so_far.min(6))));
    Some(Verdict::Requeue { at: pause.map(|pause| facts.now + pause), redeliveries: so_far + 1 })
}

fn poison(task: &Task, why: &Interruption) -> Outcome {
    let why = Outcome::Interrupted(why.clone()).message();
    let message = format!("{why}; the task had come back {} times before", task.margay.redeliveries);
    Outcome::Refused { kind: "margay:Poison", message }
}

/// The function that decides about the task's retry, where that is one of the user's. Its answer goes into
/// [`Facts::custom_delay`].
pub fn custom_retry<'a>(
    task: &'a Task,
    outcome: &'a Outcome,
    executions: u32,
    options: Option<&'a Options>,
    policy: &'a Policy,
) -> Option<CustomRetry<'a>> {
    match method_after(task, outcome, options, policy)? {
        RetryMethod::Custom { function, args } => {
            Some(CustomRetry { function, number: executions.saturating_add(1), args })
        }
        _ => None,
    }
}

/// Seconds until the next run, or `None` to stop.
fn retry_delay(task: &Task, outcome: &Outcome, facts: Facts<'_>, policy: &Policy) -> Option<f64> {
    let delay = match method_after(task, outcome, facts.options, policy)? {
        RetryMethod::Custom { .. } => facts.custom_delay,
        method => method.delay(facts.executions.saturating_add(1)),
    }?;
    let jitter = facts.options.and_then(|options| options.jitter).unwrap_or(0.0);
    Some(delay + jitter * facts.chance)
}

/// The method by which this outcome is retried; `None` where it is not.
fn method_after<'a>(
    task: &'a Task,
    outcome: &'a Outcome,
    options: Option<&'a Options>,
    policy: &'a Policy,
) -> Option<&'a RetryMethod> {
    let own = method(task, options, policy);
    match outcome {
        Outcome::Finished(_) | Outcome::Interrupted(_) => None,
        Outcome::Refused { .. } | Outcome::Cancelled => None,
        Outcome::Failed(Failure { retry: RetryWish::Never, .. }) => None,
        Outcome::Failed(Failure { retry: RetryWish::ByMethod(wished), .. }) => {
            Some(wished.as_ref().or(own).unwrap_or(&policy.default_retry))
        }
        outcome => {
            let names = retry_on(task, options);
            let wanted = names.is_empty() || names.iter().any(|name| outcome.matches(name));
            own.filter(|_| wanted)
        }
    }
}

/// The task's own method, else its function's; `retry` or `retry_on` alone mean the default one.
fn method<'a>(task: &'a Task, options: Option<&'a Options>, policy: &'a Policy) -> Option<&'a RetryMethod> {
    if let Some(method) = &task.retry_method {
        return Some(method);
    }
    if !task.retry_on.is_empty() {
        return Some(&policy.default_retry);
    }
    let options = options?;
    let wants_default = options.retry || !options.retry_on.is_empty();
    options.retry_method.as_ref().or(wants_default.then_some(&policy.default_retry))
}

fn retry_on<'a>(task: &'a Task, options: Option<&'a Options>) -> &'a [String] {
    // A task that brings its own method brings its own list too: an empty one means every failure.
    if task.retry_method.is_some() || !task.retry_on.is_empty() {
        return &task.retry_on;
    }
    options.map_or(&[], |options| &options.retry_on)
}

impl Verdict {
    /// The verdict in one word, for logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Done { .. } => "done",
            Verdict::Retry { .. } => "retry",
            Verdict::Error { .. } => "error",
            Verdict::Forget { .. } => "forget",
            Verdict::Requeue { .. } => "requeue",
            Verdict::Defer { .. } => "defer",
            Verdict::Leave { .. } => "leave",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FunctionName;

    const NOW: Timestamp = 1000.0;
    const FACTS: Facts<'_> = Facts {
        executions: 0,
        started: NOW - 1.0,
        now: NOW,
        host: "h",
        options: None,
        chance: 0.0,
        custom_delay: None,
    };

    fn task() -> Task {
        Task::new("a", FunctionName::parse("mail:send").expect("a name"))
    }

    fn retrying(retry_on: &[&str]) -> Task {
        let names = retry_on.iter().map(|name| (*name).to_owned()).collect();
        Task {
            retry_method: Some(RetryMethod::Linear { delay: 1.0, increment: 2.0, max: 3 }),
            retry_on: names,
            ..task()
        }
    }

    fn failure(kind: &str) -> Failure {
        Failure {
            kind: kind.to_owned(),
            message: "no".to_owned(),
            detail: None,
            retry: RetryWish::ByPolicy,
            log_error: true,
        }
    }

    fn failed(kind: &str) -> Outcome {
        Outcome::Failed(failure(kind))
    }

    fn timed_out() -> Outcome {
        Outcome::TimedOut { limit: 1.0, traceback: String::new() }
    }

    fn judge(task: &Task, outcome: &Outcome, executions: u32) -> Verdict {
        judge_with(task, outcome, executions, None)
    }

    fn judge_with(task: &Task, outcome: &Outcome, executions: u32, options: Option<&Options>) -> Verdict {
        let facts = Facts { executions, options, ..FACTS };
        decide(task, outcome, facts, &Policy::default())
    }

    fn retry_at(verdict: Verdict) -> Option<Timestamp> {
        match verdict {
            Verdict::Retry { at, .. } => Some(at),
            Verdict::Error { .. } => None,
            other => panic!("neither retry nor error: {other:?}"),
        }
    }

    #[test]
    fn a_success_is_done_with_its_result() {
        let verdict = judge(&retrying(&[]), &Outcome::Finished("7".to_owned()), 2);
        assert!(matches!(verdict, Verdict::Done { result } if result == "7"));
    }

    #[test]
    fn a_task_without_a_method_fails_at_once() {
        assert_eq!(retry_at(judge(&task(), &failed("smtp"), 0)), None);
    }

    #[test]
    fn the_delay_counts_every_recorded_failure_and_this_one() {
        let delays: Vec<_> = (0..4).map(|n| retry_at(judge(&retrying(&[]), &failed("smtp"), n))).collect();
        assert_eq!(delays, [Some(NOW + 1.0), Some(NOW + 3.0), Some(NOW + 5.0), None]);
    }

    #[test]
    fn retry_on_limits_retries_to_the_kinds_it_names() {
        assert!(retry_at(judge(&retrying(&["smtp"]), &failed("smtp"), 0)).is_some());
        assert_eq!(retry_at(judge(&retrying(&["smtp"]), &failed("dns"), 0)), None);
        assert_eq!(retry_at(judge(&retrying(&["smtp"]), &timed_out(), 0)), None);
    }

    #[test]
    fn a_timeout_is_known_by_every_name_tasktiger_has_for_it() {
        for name in ["tasktiger.exceptions:JobTimeoutException", "tasktiger:JobTimeoutException", "timed-out"]
        {
            assert!(retry_at(judge(&retrying(&[name]), &timed_out(), 0)).is_some(), "{name}");
        }
    }

    #[test]
    fn pythons_exception_does_not_cover_a_timeout_but_its_base_does() {
        assert!(retry_at(judge(&retrying(&["builtins:Exception"]), &failed("x"), 0)).is_some());
        assert_eq!(retry_at(judge(&retrying(&["builtins:Exception"]), &timed_out(), 0)), None);
        assert!(retry_at(judge(&retrying(&["builtins:BaseException"]), &timed_out(), 0)).is_some());
    }

    #[test]
    fn retry_on_alone_means_the_default_method() {
        let task = Task { retry_on: vec!["smtp".to_owned()], ..task() };
        assert_eq!(retry_at(judge(&task, &failed("smtp"), 0)), Some(NOW + 60.0));
    }

    #[test]
    fn the_functions_options_hold_where_the_task_has_none() {
        let options = Options { retry: true, retry_on: vec!["smtp".to_owned()], ..Options::default() };
        assert_eq!(retry_at(judge_with(&task(), &failed("smtp"), 0, Some(&options))), Some(NOW + 60.0));
        assert_eq!(retry_at(judge_with(&task(), &failed("dns"), 0, Some(&options))), None);
        assert_eq!(retry_at(judge_with(&retrying(&[]), &failed("dns"), 0, Some(&options))), Some(NOW + 1.0));
    }

    #[test]
    fn a_custom_method_is_asked_with_the_number_of_the_retry() {
        let args = RawValue::from_string("[2]".to_owned()).expect("json");
        let custom = RetryMethod::Custom { function: "mail:backoff".to_owned(), args };
        let task = Task { retry_method: Some(custom), retry_on: vec!["smtp".to_owned()], ..task() };
        let (outcome, policy) = (failed("smtp"), Policy::default());
        let asked = custom_retry(&task, &outcome, 2, None, &policy).expect("a question");
        assert_eq!((asked.function, asked.number, asked.args.get()), ("mail:backoff", 3, "[2]"));
        assert!(custom_retry(&task, &failed("dns"), 2, None, &policy).is_none());

        let answered = Facts { executions: 2, custom_delay: Some(7.5), ..FACTS };
        assert_eq!(retry_at(decide(&task, &outcome, answered, &policy)), Some(NOW + 7.5));
        assert_eq!(retry_at(decide(&task, &outcome, FACTS, &policy)), None);
    }

    #[test]
    fn jitter_is_a_share_of_the_functions_own_on_top_of_the_delay() {
        let options = Options { jitter: Some(4.0), ..Options::default() };
        let facts = Facts { options: Some(&options), chance: 0.25, ..FACTS };
        let verdict = decide(&retrying(&[]), &failed("smtp"), facts, &Policy::default());
        assert_eq!(retry_at(verdict), Some(NOW + 2.0));
    }

    #[test]
    fn a_failure_may_refuse_its_retry() {
        let outcome = Outcome::Failed(Failure { retry: RetryWish::Never, ..failure("smtp") });
        assert_eq!(retry_at(judge(&retrying(&[]), &outcome, 0)), None);
    }

    #[test]
    fn a_failure_may_name_its_own_method_and_is_then_tasktigers_retry_exception() {
        let method = RetryMethod::Fixed { delay: 9.0, max: 1 };
        let outcome =
            Outcome::Failed(Failure { retry: RetryWish::ByMethod(Some(method)), ..failure("smtp") });
        let Verdict::Retry { at, execution } = judge(&task(), &outcome, 0) else { panic!("no retry") };
        assert_eq!(at, NOW + 9.0);
        assert!(execution.retry && execution.log_error == Some(true));
        assert_eq!(execution.exception_name, "tasktiger.exceptions:RetryException");
        assert_eq!(retry_at(judge(&task(), &outcome, 1)), None);
    }

    #[test]
    fn a_wished_retry_without_a_method_takes_the_tasks_own_then_the_default() {
        let outcome = Outcome::Failed(Failure { retry: RetryWish::ByMethod(None), ..failure("smtp") });
        assert_eq!(retry_at(judge(&retrying(&["dns"]), &outcome, 0)), Some(NOW + 1.0));
        assert_eq!(retry_at(judge(&task(), &outcome, 0)), Some(NOW + 60.0));
    }

    #[test]
    fn a_quiet_failure_leaves_no_trace_at_its_end() {
        let outcome = Outcome::Failed(Failure { log_error: false, ..failure("smtp") });
        assert!(matches!(judge(&task(), &outcome, 0), Verdict::Forget { .. }));
        assert!(matches!(judge(&retrying(&[]), &outcome, 0), Verdict::Retry { .. }));
    }

    #[test]
    fn a_vanished_worker_is_not_the_tasks_failure() {
        let outcome = Outcome::Interrupted(Interruption::WorkerVanished);
        assert!(matches!(judge(&task(), &outcome, 0), Verdict::Requeue { at: None, redeliveries: 1 }));
    }

    #[test]
    fn a_task_waits_longer_each_time_its_worker_fails() {
        let outcome = Outcome::Interrupted(Interruption::HostError("no memory".to_owned()));
        let mut task = task();
        for (redeliveries, pause) in [(0, 1.0), (1, 2.0), (4, 16.0)] {
            task.margay.redeliveries = redeliveries;
            let Verdict::Requeue { at, .. } = judge(&task, &outcome, 0) else { panic!("not requeued") };
            assert_eq!(at, Some(NOW + pause));
        }
    }

    #[test]
    fn a_shutdown_is_not_even_counted() {
        let outcome = Outcome::Interrupted(Interruption::Shutdown);
        assert!(matches!(judge(&task(), &outcome, 0), Verdict::Requeue { at: None, redeliveries: 0 }));
    }

    #[test]
    fn a_task_that_loses_its_workers_too_often_is_poison() {
        let mut task = retrying(&[]);
        task.margay.redeliveries = 5;
        let Verdict::Error { execution } =
            judge(&task, &Outcome::Interrupted(Interruption::WorkerVanished), 0)
        else {
            panic!("not an error")
        };
        assert_eq!(execution.exception_name, "margay:Poison");
    }

    #[test]
    fn a_function_may_wish_to_fail_with_its_worker() {
        let options = Options { on_worker_lost: Some(WorkerLost::Fail), ..Options::default() };
        let outcome = Outcome::Interrupted(Interruption::WorkerVanished);
        assert!(matches!(judge_with(&task(), &outcome, 0, Some(&options)), Verdict::Error { .. }));
    }

    #[test]
    fn a_refused_task_is_never_retried() {
        let outcome = Outcome::Refused { kind: "margay:UnknownFunction", message: "no".to_owned() };
        assert_eq!(retry_at(judge(&retrying(&[]), &outcome, 0)), None);
    }

    #[test]
    fn tracebacks_can_be_left_out() {
        let policy = Policy { store_tracebacks: false, ..Policy::default() };
        let Verdict::Error { execution } = decide(&task(), &failed("smtp"), FACTS, &policy) else {
            panic!("not an error")
        };
        assert_eq!(execution.traceback, None);
    }

    #[test]
    fn an_unreadable_payload_goes_to_error_with_its_reason() {
        let bad = BadPayload::OtherId("z".to_owned());
        let Verdict::Error { execution } = refuse(&bad, FACTS, &Policy::default()) else {
            panic!("not an error")
        };
        assert_eq!(execution.exception_name, "margay:BadPayload");
        assert!(execution.traceback.is_some_and(|traceback| traceback.contains("`z`")));
    }
}
