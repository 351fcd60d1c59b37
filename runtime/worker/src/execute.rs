//! Execute: find a task's code, run it, judge the outcome, and hand the settlement to the keeper.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use modules::Unknown;
use queue::{Claim, Lease, NewTask, Settlement};
use sandbox::{Call, Effects, Limits, Report, Run, Sandbox, TaskInfo};
use task::{Facts, FunctionSpec, Interruption, Options, Outcome, Task, Timestamp, Verdict, decide, refuse};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

use crate::Settings;
use crate::absent::Absent;
use crate::fetch::Job;
use crate::keeper::{Ended, Keeper};
use crate::leash::{Leash, Pull};
use crate::library::{Code, Library};
use crate::output::TaskOutput;
use crate::record::record;

/// What every run of this worker shares.
pub(crate) struct Executor {
    pub(crate) settings: Settings,
    pub(crate) sandbox: Sandbox,
    pub(crate) library: watch::Receiver<Arc<Library>>,
    pub(crate) keeper: Keeper,
    pub(crate) host: String,
    pub(crate) absent: Absent,
}

/// A job whose task can be read.
struct Ready {
    ticket: u64,
    task: Task,
    lease: Lease,
    executions: u32,
    leash: Arc<Leash>,
    slot: OwnedSemaphorePermit,
}

impl Executor {
    /// Starts the tasks that the fetcher hands on, inside the guests' runtime: what is started from outside
    /// would wait there while guests compute.
    pub(crate) async fn dispatch(self: Arc<Self>, mut jobs: mpsc::UnboundedReceiver<Vec<Job>>) {
        while let Some(jobs) = jobs.recv().await {
            let library = Arc::clone(&self.library.borrow());
            let ready = jobs.into_iter().filter_map(|job| self.read(job)).collect();
            for run in self.grouped(ready, &library) {
                tokio::spawn(Arc::clone(&self).execute(run, Arc::clone(&library)));
            }
        }
    }

    /// A task that cannot be read is settled without a run.
    fn read(&self, job: Job) -> Option<Ready> {
        let Job { ticket, claim: Claim { lease, task, executions }, leash, slot } = job;
        match task {
            Ok(task) => Some(Ready { ticket, task, lease, executions, leash, slot }),
            Err(bad) => {
                let now = queue::now();
                let facts = self.facts(executions, now, now, None);
                let settlement = Settlement::new(lease, None, refuse(&bad, facts, &self.settings.policy));
                self.keeper.ended(Ended { ticket, settlement, slot, note: Some(bad.to_string()) });
                None
            }
        }
    }

    /// Splits one queue's tasks into runs: a batch function's together, up to the queue's batch size; all
    /// others alone.
    fn grouped(&self, ready: Vec<Ready>, library: &Library) -> Vec<Vec<Ready>> {
        let mut runs: Vec<Vec<Ready>> = Vec::with_capacity(ready.len());
        let mut open: HashMap<String, usize> = HashMap::new();
        for one in ready {
            let batch = library.resolve(&one.task.func).is_ok_and(|(_, function)| function.batch);
            if !batch {
                runs.push(vec![one]);
                continue;
            }
            let size = self.settings.batch_size(&one.lease.queue);
            let func = one.task.func.to_string();
            match open.get(&func).and_then(|at| runs.get_mut(*at)).filter(|run| run.len() < size) {
                Some(run) => run.push(one),
                None => {
                    open.insert(func, runs.len());
                    runs.push(vec![one]);
                }
            }
        }
        runs
    }

    /// One run, of one task or of a batch of one function.
    async fn execute(self: Arc<Self>, run: Vec<Ready>, library: Arc<Library>) {
        let started = queue::now();
        let task = &run[0].task;
        let (loaded, function) = match library.resolve(&task.func) {
            Ok(found) => found,
            Err(unknown) => return self.wait_or_fail(run, unknown, &library, started),
        };
        let module = match &loaded.code {
            Code::Ready(module) => module,
            Code::Refused(reason) => {
                let outcome = Outcome::Refused { kind: "margay:RefusedModule", message: reason.clone() };
                let outcomes = vec![outcome; run.len()];
                return self.finish(run, outcomes, Effects::default(), Some(function), started);
            }
        };
        let limits = self.limits(&run, function);
        let what = Run {
            function: &function.name,
            calls: run.iter().map(call).collect(),
            batch: function.batch,
            limits: &limits,
            grants: &loaded.grants,
            output: Arc::new(TaskOutput { task_id: task.id.clone(), func: task.func.to_string() }),
            // A batch goes on for those of its tasks that are still held.
            cancelled: if run.len() == 1 { Arc::clone(&run[0].leash.cancelled) } else { Arc::default() },
        };
        let (outcomes, effects) = tokio::select! {
            Report { outcomes, effects, .. } = self.sandbox.run(module, what) => (outcomes, effects),
            pull = all_pulled(&run) => match pull {
                // Nothing may be settled; the keeper knows.
                Pull::Lost => return,
                Pull::Shutdown => {
                    (vec![Outcome::Interrupted(Interruption::Shutdown); run.len()], Effects::default())
                }
            },
        };
        self.finish(run, outcomes, effects, Some(function), started);
    }

    /// The function's own hard timeout, or the longest that a task of the batch asks for.
    fn limits(&self, run: &[Ready], function: &FunctionSpec) -> Limits {
        let asked = run.iter().filter_map(|ready| ready.task.hard_timeout);
        let seconds = asked.reduce(f64::max).or(function.options.hard_timeout);
        let asked = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let hard_timeout = asked.unwrap_or(self.settings.limits.hard_timeout);
        Limits { hard_timeout, ..self.settings.limits.clone() }
    }

    /// A function that nobody offers may come with the next deploy, and one that is deployed may still be
    /// compiled: its tasks wait for a while.
    fn wait_or_fail(&self, run: Vec<Ready>, unknown: Unknown, library: &Library, started: Timestamp) {
        for ready in run {
            let func = &ready.task.func;
            let missed = self.absent.missed(func, started);
            let deployed = library.catalog.resolve(func).is_ok();
            let grace = match unknown {
                Unknown::Module => self.settings.module_grace,
                Unknown::Function => self.settings.module_grace.min(NEWS),
            };
            if deployed || missed < grace.as_secs_f64() {
                let (least, most) = MODULE_WAIT;
                let verdict = Verdict::Defer { at: started + (missed / 2.0).clamp(least, most) };
                let note = Some(format!("waits until `{func}` is deployed and ready"));
                let settlement = Settlement::new(ready.lease, Some(&ready.task), verdict);
                self.keeper.ended(Ended { ticket: ready.ticket, settlement, slot: ready.slot, note });
                continue;
            }
            let what = if unknown == Unknown::Module { "module" } else { "function" };
            let message = format!("no deployed {what} offers `{func}`; see `margay modules list`");
            let outcome = Outcome::Refused { kind: "margay:UnknownFunction", message };
            self.finish(vec![ready], vec![outcome], Effects::default(), None, started);
        }
    }

    /// Judges each task of a run, and hands its settlement to the keeper.
    fn finish(
        &self,
        run: Vec<Ready>,
        outcomes: Vec<Outcome>,
        mut effects: Effects,
        function: Option<&FunctionSpec>,
        started: Timestamp,
    ) {
        let now = queue::now();
        for (index, (ready, outcome)) in run.into_iter().zip(outcomes).enumerate() {
            let options = function.map(|function| &function.options);
            let facts = self.facts(ready.executions, started, now, options);
            let mut verdict = decide(&ready.task, &outcome, facts, &self.settings.policy);
            if let Verdict::Done { result } = &mut verdict
                && let Some(saved) = saved_result(&mut effects, index)
            {
                *result = saved;
            }
            let record = record(&ready.task, &outcome, &verdict, facts);
            let follow_ups = match verdict {
                // A run's follow-ups go with the first of its tasks that is done and still held.
                Verdict::Done { .. } if !ready.leash.is_pulled() => {
                    self.new_tasks(&mut effects, &ready.lease.queue, now)
                }
                _ => Vec::new(),
            };
            let settlement =
                Settlement { record, follow_ups, ..Settlement::new(ready.lease, Some(&ready.task), verdict) };
            let note = (!matches!(outcome, Outcome::Finished(_))).then(|| outcome.message());
            self.keeper.ended(Ended { ticket: ready.ticket, settlement, slot: ready.slot, note });
        }
    }

    fn facts<'a>(
        &'a self,
        executions: u32,
        started: Timestamp,
        now: Timestamp,
        options: Option<&'a Options>,
    ) -> Facts<'a> {
        let (host, chance) = (self.host.as_str(), rand::random());
        Facts { executions, started, now, host, options, chance, custom_delay: None }
    }

    fn new_tasks(&self, effects: &mut Effects, queue: &str, now: Timestamp) -> Vec<NewTask> {
        let follow_ups = std::mem::take(&mut effects.follow_ups).into_iter();
        let new_task = |follow_up: sandbox::FollowUp| {
            let mut task = follow_up.task;
            if follow_up.default_retry && task.retry_method.is_none() {
                task.retry_method = Some(self.settings.policy.default_retry.clone());
            }
            NewTask {
                queue: follow_up.queue.unwrap_or_else(|| queue.to_owned()),
                task,
                due: follow_up.delay.map(|delay| now + delay.as_secs_f64()),
            }
        };
        follow_ups.map(new_task).collect()
    }
}

/// How long the news of a deploy may take: a new version may have a function that this worker's does not.
const NEWS: Duration = Duration::from_secs(2);
/// How many seconds a task waits before its worker looks again for its function: half as long as it has been
/// missed already, between these two. A fresh deploy is ready in a moment; a module that nobody deploys costs little.
const MODULE_WAIT: (f64, f64) = (0.05, 5.0);

fn call(ready: &Ready) -> Call {
    let Ready { task, lease, executions, .. } = ready;
    let info = TaskInfo {
        id: task.id.clone(),
        function: task.func.to_string(),
        queue: lease.queue.clone(),
        attempt: executions.saturating_add(1),
        enqueued_at: task.time_last_queued,
        scheduled_at: task.scheduled_at,
    };
    Call { info, args: task.args_json().to_owned(), kwargs: task.kwargs_json().to_owned() }
}

/// The last result that the guest saved for this call.
fn saved_result(effects: &mut Effects, index: usize) -> Option<String> {
    let saved = effects.results.iter().rposition(|(call, _)| *call as usize == index)?;
    Some(effects.results.swap_remove(saved).1)
}

/// Waits until no task of the run is this worker's any more. While one is, the run goes on for it.
async fn all_pulled(run: &[Ready]) -> Pull {
    let mut waiting: Vec<_> = run.iter().map(|ready| Box::pin(ready.leash.pulled())).collect();
    loop {
        let (pull, _, rest) = select_all(waiting).await;
        if pull == Pull::Shutdown || rest.is_empty() {
            return pull;
        }
        waiting = rest;
    }
}
