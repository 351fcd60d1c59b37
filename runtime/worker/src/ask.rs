//! Ask: functions of the user's that serve the runs of others: a custom retry method, a custom schedule, the hooks
//! of a runner.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use queue::{NewTask, Running};
use sandbox::{Call, Effects, FollowUp, Functions, Report, TaskInfo};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use task::{CustomRetry, Execution, FunctionName, FunctionSpec, Hook, NextRun, Outcome, Task, Timestamp};
use tracing::warn;

use crate::execute::{Executor, Ready};
use crate::judge::Ran;
use crate::library::{Code, Library, Loaded};
use crate::output::TaskOutput;

/// The longest that such a function may take, where it says nothing itself: a task waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

impl Executor {
    /// What the task's custom retry method says: seconds to wait, or `None` to stop. TaskTiger stops too where a
    /// method cannot be found or fails.
    pub(crate) async fn ask_for_delay(
        &self,
        ready: &Ready,
        asked: CustomRetry<'_>,
        ran: Ran<'_>,
    ) -> Option<f64> {
        let task = &ready.task;
        let further: Vec<Box<RawValue>> = serde_json::from_str(asked.args.get()).unwrap_or_default();
        let mut args = vec![asked.number.to_string()];
        args.extend(further.iter().map(|arg| arg.get().to_owned()));
        let args = format!("[{}]", args.join(","));
        match self.ask(ran.library, asked.function, args, ready.info()).await {
            Ok(Value::Null) => None,
            Ok(answer) => {
                let delay = answer.as_f64().filter(|delay| delay.is_finite());
                if delay.is_none() {
                    warn!(task_id = task.id, function = asked.function, %answer, "a retry method must answer seconds or null; not retried");
                }
                delay.map(|delay| delay.max(0.0))
            }
            Err(reason) => {
                warn!(
                    task_id = task.id,
                    function = asked.function,
                    reason,
                    "the retry method could not be asked; not retried"
                );
                None
            }
        }
    }

    /// When a periodic function runs next, strictly after `now`.
    pub(crate) async fn next_run(
        &self,
        func: &FunctionName,
        function: &FunctionSpec,
        library: &Arc<Library>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let asked = match function.options.schedule.as_ref()?.next(now) {
            NextRun::At(time) => return Some(time),
            NextRun::Never => return None,
            NextRun::Ask(asked) => asked,
        };
        let args = format!("[{}]", (now * 1000.0).round());
        match self.ask(library, asked, args, TaskInfo::default()).await {
            Ok(Value::Null) => None,
            Ok(Value::Number(next)) => {
                let next = next.as_f64().unwrap_or(0.0) / 1000.0;
                if next <= now {
                    warn!(%func, function = asked, next, "a schedule must answer a time to come; waiting for a second");
                }
                Some(if next > now { next } else { now + 1.0 })
            }
            Ok(answer) => {
                warn!(%func, function = asked, %answer, "a schedule must answer milliseconds or null");
                None
            }
            Err(reason) => {
                warn!(%func, function = asked, reason, "the schedule could not be asked; asking again later");
                None
            }
        }
    }

    /// Before a periodic function runs its next run is planned, so that it goes on whatever happens to this one.
    pub(crate) async fn plan_next(&self, run: &[Ready], function: &FunctionSpec, library: &Arc<Library>) {
        for Ready { task, .. } in run {
            let periodic = Task::periodic(task.func.clone());
            if task.id != periodic.id {
                continue;
            }
            let now = queue::now();
            let Some(due) = self.next_run(&task.func, function, library, now).await else { continue };
            // Where the function belongs, wherever this run came from: a series has one queue.
            let queue = function.options.queue.as_ref().unwrap_or(&self.settings.default_queue).clone();
            let next = NewTask { queue, task: periodic, due: Some(due) };
            if let Err(error) = self.client.plan(&mut [next], Running::NeedsNext, now).await {
                warn!(func = %task.func, %error, "could not plan the next run; it will be found missing");
            }
        }
    }

    /// Calls the runner's `before`. An error is how the run has ended, which therefore does not begin.
    pub(crate) async fn call_before(
        &self,
        (loaded, hook): (&Loaded, &FunctionSpec),
        run: &[Ready],
        library: &Arc<Library>,
    ) -> Result<Vec<FollowUp>, Outcome> {
        let tasks = run.iter().map(About::of).collect();
        let (outcome, effects) = self.call_hook((loaded, hook), tasks, run[0].info(), library).await;
        match outcome {
            Outcome::Finished(_) => Ok(effects.follow_ups),
            failed => Err(failed),
        }
    }

    /// Calls the runner's `after`, where the run has ended at all. Answers what it enqueued.
    pub(crate) async fn call_after(
        &self,
        (loaded, hook): (&Loaded, &FunctionSpec),
        run: &[Ready],
        outcomes: &[Outcome],
        ran: Ran<'_>,
    ) -> Vec<FollowUp> {
        if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Interrupted(_))) {
            return Vec::new();
        }
        let tasks = run
            .iter()
            .zip(outcomes)
            .map(|(ready, outcome)| About { outcome: Some(EndedHow::of(outcome)), ..About::of(ready) });
        self.call_and_log((loaded, hook), tasks.collect(), run[0].info(), ran.library).await
    }

    /// Calls the runner's `on_permanent_error`. Answers what it enqueued.
    pub(crate) async fn call_on_permanent_error(
        &self,
        (loaded, hook): (&Loaded, &FunctionSpec),
        ready: &Ready,
        execution: &Execution,
        ran: Ran<'_>,
    ) -> Vec<FollowUp> {
        let about = About { execution: Some(execution), ..About::of(ready) };
        self.call_and_log((loaded, hook), vec![about], ready.info(), ran.library).await
    }

    /// The hook of the task's runner: of the module that its payload names, else its function, else its own.
    pub(crate) fn hook<'a>(
        &self,
        ready: &Ready,
        function: Option<&FunctionSpec>,
        library: &'a Arc<Library>,
        hook: Hook,
    ) -> Option<(&'a Loaded, &'a FunctionSpec)> {
        let task = &ready.task;
        let of_class =
            task.runner_class.as_deref().map(|class| class.rsplit_once(':').map_or(class, |(m, _)| m));
        let named = of_class.or(function.and_then(|function| function.options.runner.as_deref()));
        let loaded = library.shelf.get(named.unwrap_or(task.func.module()));
        if let (Some(runner), None) = (named, loaded) {
            warn!(task_id = task.id, runner, "the runner's module is not deployed; its hooks are not called");
        }
        let loaded = loaded?;
        let found = loaded.version.functions.iter().find(|function| function.hook == Some(hook))?;
        Some((loaded, found))
    }

    async fn call_and_log(
        &self,
        (loaded, hook): (&Loaded, &FunctionSpec),
        tasks: Vec<About<'_>>,
        info: TaskInfo,
        library: &Arc<Library>,
    ) -> Vec<FollowUp> {
        let id = info.id.clone();
        let (outcome, effects) = self.call_hook((loaded, hook), tasks, info, library).await;
        if let Outcome::Finished(_) = outcome {
            return effects.follow_ups;
        }
        warn!(
            task_id = id,
            hook = hook.name,
            outcome = outcome.word(),
            "a hook failed: {}",
            outcome.message()
        );
        Vec::new()
    }

    async fn call_hook(
        &self,
        hook: (&Loaded, &FunctionSpec),
        tasks: Vec<About<'_>>,
        info: TaskInfo,
        library: &Arc<Library>,
    ) -> (Outcome, Effects) {
        let args = serde_json::to_string(&[HashMap::from([("tasks", tasks)])]).unwrap_or_default();
        let (outcome, mut effects) = self.call(hook, args, info, library).await;
        // What a hook enqueues must not decide how the run of another ends: it needs no room.
        effects.follow_ups.iter_mut().for_each(|follow_up| follow_up.task.max_queue_size = None);
        (outcome, effects)
    }

    /// The answer of a function, by its full name.
    async fn ask(
        &self,
        library: &Arc<Library>,
        function: &str,
        args: String,
        info: TaskInfo,
    ) -> Result<Value, String> {
        let name = FunctionName::parse(function).map_err(|error| error.to_string())?;
        let (loaded, function) =
            library.resolve(&name).map_err(|_| format!("no deployed module offers `{name}`"))?;
        match self.call((loaded, function), args, info, library).await.0 {
            Outcome::Finished(answer) => serde_json::from_str(&answer).map_err(|error| error.to_string()),
            outcome => Err(outcome.message()),
        }
    }

    async fn call(
        &self,
        (loaded, function): (&Loaded, &FunctionSpec),
        args: String,
        info: TaskInfo,
        library: &Arc<Library>,
    ) -> (Outcome, Effects) {
        let module = match &loaded.code {
            Code::Ready(module) => module,
            Code::Refused(reason) => {
                let outcome = Outcome::Refused { kind: "margay:RefusedModule", message: reason.clone() };
                return (outcome, Effects::default());
            }
        };
        let seconds = function.options.hard_timeout.unwrap_or(PATIENCE.as_secs_f64());
        let limits = self.settings.run_limits(Some(seconds));
        let output =
            TaskOutput { task_id: info.id.clone(), func: format!("{}:{}", loaded.module, function.name) };
        let run = sandbox::Run {
            function: &function.name,
            calls: vec![Call { info, args, kwargs: "{}".to_owned() }],
            batch: false,
            limits: &limits,
            grants: &loaded.grants,
            functions: Arc::clone(library) as Arc<dyn Functions>,
            output: Arc::new(output),
            cancelled: Arc::new(AtomicBool::new(false)),
        };
        let Report { mut outcomes, effects, .. } = self.sandbox.run(module, run).await;
        (outcomes.pop().unwrap_or(Outcome::Cancelled), effects)
    }
}

/// What a hook may know of a task; arguments keep every digit.
#[derive(Serialize)]
struct About<'a> {
    id: &'a str,
    function: &'a str,
    queue: &'a str,
    attempt: u32,
    args: &'a RawValue,
    kwargs: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<EndedHow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<&'a Execution>,
}

#[derive(Serialize)]
struct EndedHow<'a> {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl About<'_> {
    fn of(ready: &Ready) -> About<'_> {
        let Ready { task, job } = ready;
        About {
            id: &task.id,
            function: task.func.as_str(),
            queue: &job.lease.queue,
            attempt: job.executions.saturating_add(1),
            args: raw(task.args_json()),
            kwargs: raw(task.kwargs_json()),
            outcome: None,
            execution: None,
        }
    }
}

impl EndedHow<'_> {
    fn of(outcome: &Outcome) -> EndedHow<'_> {
        let word = outcome.word();
        match outcome {
            Outcome::Finished(result) => {
                EndedHow { outcome: word, result: Some(raw(result)), error: None, message: None }
            }
            failed => {
                let (error, message) = (Some(failed.exception_name()), Some(failed.message()));
                EndedHow { outcome: word, result: None, error, message }
            }
        }
    }
}

/// Text that was checked to be JSON when it came.
fn raw(json: &str) -> &RawValue {
    serde_json::from_str(json).unwrap_or(RawValue::NULL)
}
