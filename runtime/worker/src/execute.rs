//! Execute: find a task's code, run it, judge the outcome, and hand the settlement to the keeper.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::select_all;
use modules::Unknown;
use queue::{Claim, Ended, Kept, NewTask, Settlement};
use sandbox::{Call, Effects, Limits, Report, Run, Sandbox, TaskInfo};
use task::{Facts, FunctionSpec, Interruption, Outcome, Task, Timestamp, Verdict, decide};
use tokio::sync::{mpsc, watch};
use tracing::trace;

use crate::Settings;
use crate::fetch::Job;
use crate::keeper::{self, Keeper};
use crate::leash::Pull;
use crate::library::{Code, Library};
use crate::output::TaskOutput;

/// What every run of this worker shares.
pub(crate) struct Executor {
    pub(crate) settings: Settings,
    pub(crate) sandbox: Sandbox,
    pub(crate) library: watch::Receiver<Arc<Library>>,
    pub(crate) keeper: Keeper,
    pub(crate) host: String,
}

impl Executor {
    /// Starts the tasks that the fetcher hands on, inside the guests' runtime: what is started from outside
    /// would wait there while guests compute.
    pub(crate) async fn dispatch(self: Arc<Self>, mut jobs: mpsc::UnboundedReceiver<Vec<Job>>) {
        while let Some(jobs) = jobs.recv().await {
            let library = Arc::clone(&self.library.borrow());
            for jobs in self.grouped(jobs, &library) {
                tokio::spawn(Arc::clone(&self).execute(jobs, Arc::clone(&library)));
            }
        }
    }

    /// Splits one queue's jobs into runs: a batch function's together, up to the queue's batch size; all
    /// others alone.
    fn grouped(&self, jobs: Vec<Job>, library: &Library) -> Vec<Vec<Job>> {
        let mut runs: Vec<Vec<Job>> = Vec::with_capacity(jobs.len());
        let mut open: HashMap<String, usize> = HashMap::new();
        for job in jobs {
            let Some(func) = batch_function(&job.claim, library) else {
                runs.push(vec![job]);
                continue;
            };
            let size = self.settings.batch_size(&job.claim.lease.queue);
            match open.get(&func).and_then(|at| runs.get_mut(*at)).filter(|run| run.len() < size) {
                Some(run) => run.push(job),
                None => {
                    open.insert(func, runs.len());
                    runs.push(vec![job]);
                }
            }
        }
        runs
    }

    /// One run, of one task or of a batch of one function.
    async fn execute(self: Arc<Self>, jobs: Vec<Job>, library: Arc<Library>) {
        let started = queue::now();
        let task = match &jobs[0].claim.task {
            Ok(task) => task,
            Err(bad) => {
                let outcome = Outcome::Refused { kind: "margay:BadPayload", message: bad.to_string() };
                return self.finish(jobs, vec![outcome], Effects::default(), None, started);
            }
        };
        let (loaded, function) = match library.resolve(&task.func) {
            Ok(found) => found,
            Err(unknown) => return self.wait_or_fail(jobs, unknown, started),
        };
        let module = match &loaded.code {
            Code::Ready(module) => module,
            Code::Refused(reason) => {
                let outcome = Outcome::Refused { kind: "margay:RefusedModule", message: reason.clone() };
                let outcomes = vec![outcome; jobs.len()];
                return self.finish(jobs, outcomes, Effects::default(), Some(function), started);
            }
        };
        let limits = self.limits(&jobs, function);
        let run = Run {
            function: &function.name,
            calls: jobs.iter().filter_map(|job| call(&job.claim)).collect(),
            batch: function.batch,
            limits: &limits,
            grants: &loaded.grants,
            output: Arc::new(TaskOutput { task_id: task.id.clone(), func: task.func.to_string() }),
            cancelled: Arc::clone(&jobs[0].leash.cancelled),
        };
        let begun = Instant::now();
        let (outcomes, effects) = tokio::select! {
            Report { outcomes, effects, .. } = self.sandbox.run(module, run) => (outcomes, effects),
            pull = all_pulled(&jobs) => match pull {
                // Nothing may be settled; the keeper knows.
                Pull::Lost => return,
                Pull::Shutdown => {
                    (vec![Outcome::Interrupted(Interruption::Shutdown); jobs.len()], Effects::default())
                }
            },
        };
        trace!(task_id = task.id, func = %task.func, run_us = begun.elapsed().as_micros() as u64, "ran");
        self.finish(jobs, outcomes, effects, Some(function), started);
    }

    /// The function's own hard timeout, or the longest that a task of the batch asks for.
    fn limits(&self, jobs: &[Job], function: &FunctionSpec) -> Limits {
        let asked = jobs.iter().filter_map(|job| job.claim.task.as_ref().ok()?.hard_timeout);
        let seconds = asked.reduce(f64::max).or(function.options.hard_timeout);
        let asked = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let hard_timeout = asked.unwrap_or(self.settings.limits.hard_timeout);
        Limits { hard_timeout, ..self.settings.limits.clone() }
    }

    /// A function that nobody offers may come with the next deploy: its task waits for a while.
    fn wait_or_fail(&self, jobs: Vec<Job>, unknown: Unknown, started: Timestamp) {
        for job in jobs {
            let Ok(task) = &job.claim.task else { continue };
            let waited = started - task.scheduled_at.or(task.time_last_queued).unwrap_or(started);
            if unknown == Unknown::Module && waited < self.settings.module_grace.as_secs_f64() {
                let (least, most) = MODULE_WAIT;
                let verdict = Verdict::Defer { at: started + (waited / 2.0).clamp(least, most) };
                let settlement = Settlement::new(job.claim.lease.clone(), Some(task), verdict);
                let note = Some(format!("waits for module `{}` to be deployed", task.func.module()));
                self.keeper.ended(keeper::Ended { ticket: job.ticket, settlement, slot: job.slot, note });
                continue;
            }
            let what = if unknown == Unknown::Module { "module" } else { "function" };
            let message = format!("no deployed {what} offers `{}`; see `margay modules list`", task.func);
            let outcome = Outcome::Refused { kind: "margay:UnknownFunction", message };
            self.finish(vec![job], vec![outcome], Effects::default(), None, started);
        }
    }

    /// Judges each task of a run, and hands its settlement to the keeper.
    fn finish(
        &self,
        jobs: Vec<Job>,
        outcomes: Vec<Outcome>,
        mut effects: Effects,
        function: Option<&FunctionSpec>,
        started: Timestamp,
    ) {
        let now = queue::now();
        for (index, (job, outcome)) in jobs.into_iter().zip(outcomes).enumerate() {
            let facts = Facts {
                executions: job.claim.executions,
                started,
                now,
                host: &self.host,
                options: function.map(|function| &function.options),
            };
            let (settlement, note) = self.judge(&job.claim, index, outcome, &mut effects, facts);
            self.keeper.ended(keeper::Ended { ticket: job.ticket, settlement, slot: job.slot, note });
        }
    }

    fn judge(
        &self,
        claim: &Claim,
        index: usize,
        outcome: Outcome,
        effects: &mut Effects,
        facts: Facts<'_>,
    ) -> (Settlement, Option<String>) {
        let note = (!matches!(outcome, Outcome::Finished(_))).then(|| outcome.message());
        let Ok(task) = &claim.task else {
            let execution = task::Execution::of(&outcome, facts.started, facts.now, facts.host, true);
            return (Settlement::new(claim.lease.clone(), None, Verdict::Error { execution }), note);
        };
        let mut verdict = decide(task, &outcome, facts, &self.settings.policy);
        if let Verdict::Done { result } = &mut verdict
            && let Some(saved) =
                effects.results.iter().rposition(|(saved_for, _)| *saved_for as usize == index)
        {
            *result = effects.results.swap_remove(saved).1;
        }
        let record = record(task, &outcome, &verdict, facts);
        let mut settlement = Settlement::new(claim.lease.clone(), Some(task), verdict);
        settlement.record = record;
        if let Verdict::Done { .. } = settlement.verdict {
            // A run's follow-ups go with the first of its tasks that is done.
            let queue = &claim.lease.queue;
            settlement.follow_ups = std::mem::take(&mut effects.follow_ups)
                .into_iter()
                .map(|follow_up| self.new_task(follow_up, queue, facts.now))
                .collect();
        }
        (settlement, note)
    }

    fn new_task(&self, follow_up: sandbox::FollowUp, queue: &str, now: Timestamp) -> NewTask {
        let mut task = follow_up.task;
        if follow_up.default_retry && task.retry_method.is_none() {
            task.retry_method = Some(self.settings.policy.default_retry.clone());
        }
        NewTask {
            queue: follow_up.queue.unwrap_or_else(|| queue.to_owned()),
            task,
            due: follow_up.delay.map(|delay| now + delay.as_secs_f64()),
        }
    }
}

/// How many seconds a task waits before its worker looks again for its module: half as long as it has waited
/// already, between these two. A fresh deploy is ready in a moment; a module that nobody deploys costs little.
const MODULE_WAIT: (f64, f64) = (0.05, 5.0);

fn batch_function(claim: &Claim, library: &Library) -> Option<String> {
    let task = claim.task.as_ref().ok()?;
    let (_, function) = library.resolve(&task.func).ok()?;
    function.batch.then(|| task.func.to_string())
}

fn call(claim: &Claim) -> Option<Call> {
    let task = claim.task.as_ref().ok()?;
    let info = TaskInfo {
        id: task.id.clone(),
        function: task.func.to_string(),
        queue: claim.lease.queue.clone(),
        attempt: claim.executions + 1,
        enqueued_at: task.time_last_queued,
        scheduled_at: task.scheduled_at,
    };
    Some(Call { info, args: task.args_json().to_owned(), kwargs: task.kwargs_json().to_owned() })
}

/// Waits until no task of the run is this worker's any more. While one is, the run goes on for it.
async fn all_pulled(jobs: &[Job]) -> Pull {
    let mut waiting: Vec<_> = jobs.iter().map(|job| Box::pin(job.leash.pulled())).collect();
    loop {
        let (pull, _, rest) = select_all(waiting).await;
        if pull == Pull::Shutdown || rest.is_empty() {
            return pull;
        }
        waiting = rest;
    }
}

/// The record of a task's end, where it has ended and its producer wants one.
fn record(task: &Task, outcome: &Outcome, verdict: &Verdict, facts: Facts<'_>) -> Option<Kept> {
    let asked = task.margay.result_ttl.or(facts.options.and_then(|options| options.result_ttl));
    let ttl = Duration::try_from_secs_f64(asked?).ok()?;
    let (result, error) = match verdict {
        Verdict::Done { result } => (serde_json::value::RawValue::from_string(result.clone()).ok(), None),
        Verdict::Error { execution } | Verdict::Forget { execution } => {
            (None, Some(execution.exception_name.clone()))
        }
        Verdict::Retry { .. } | Verdict::Requeue { .. } | Verdict::Defer { .. } => return None,
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
        attempts: facts.executions + 1,
    };
    Some(Kept { record, ttl })
}
