//! Execute: find a task's code, run it, and have the outcome judged.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use modules::Unknown;
use queue::{Client, Settlement};
use sandbox::{Call, Effects, Functions, Limits, Report, Sandbox, TaskInfo};
use task::{Facts, FunctionSpec, Hook, Interruption, Options, Outcome, Task, Timestamp, Verdict, refuse};
use tokio::sync::{Notify, mpsc};

use crate::Settings;
use crate::absent::Absent;
use crate::job::{Chain, Handful, Job, Run, call, info, taken_by};
use crate::judge::{Ran, RunEnd};
use crate::keeper::{End, Ended, Keeper};
use crate::leash::Pull;
use crate::library::{Code, Library, Loaded};
use crate::output::TaskOutput;
use crate::report::TaskFailure;

/// What every run of this worker shares.
pub(crate) struct Executor {
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    pub(crate) sandbox: Sandbox,
    pub(crate) keeper: Keeper,
    pub(crate) host: String,
    pub(crate) absent: Absent,
    /// Told when the host itself panics around a run: what the run held is nobody's then.
    pub(crate) panicked: Arc<Notify>,
}

/// Tells of a panic.
struct Watch(Arc<Notify>);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.notify_one();
        }
    }
}

impl Executor {
    /// Starts the chains that the fetcher hands on, inside the guests' runtime: what is started from outside
    /// would wait there while guests compute.
    pub(crate) async fn dispatch(self: Arc<Self>, mut jobs: mpsc::UnboundedReceiver<Handful>) {
        while let Some(Handful { library, chains }) = jobs.recv().await {
            for chain in chains {
                tokio::spawn(Arc::clone(&self).follow(chain, Arc::clone(&library)));
            }
        }
    }

    /// One run after the other.
    async fn follow(self: Arc<Self>, chain: Chain, library: Arc<Library>) {
        let _watch = Watch(Arc::clone(&self.panicked));
        for run in chain {
            self.execute(run, &library).await;
        }
    }

    /// One run, of one task or of a batch of one function.
    async fn execute(&self, run: Run, library: &Arc<Library>) {
        let started = queue::now();
        let Some(run) = self.readable(run, started) else { return };
        let task = &run[0].task;
        let (loaded, function) = match library.resolve(&task.func) {
            Ok(found) => found,
            Err(unknown) => return Box::pin(self.wait_or_fail(run, unknown, library, started)).await,
        };
        let ended = match hold_up(task, loaded, function) {
            Some(outcome) => RunEnd::without_run(outcome, run.len()),
            None => match self.run(&run, loaded, function, library).await {
                Some(ended) => ended,
                // Nothing may be settled; the keeper knows.
                None => return self.drop_run(run),
            },
        };
        self.finish(run, ended, Ran { library, function: Some(function), started }).await;
    }

    /// Runs the function, with what has to happen around it. `None` where the run is nobody's any more.
    async fn run(
        &self,
        run: &[Ready],
        loaded: &Loaded,
        function: &FunctionSpec,
        library: &Arc<Library>,
    ) -> Option<RunEnd> {
        let pull = all_pulled(run);
        // What few functions have is kept apart, so that the others' futures stay small.
        let ended = async {
            if function.options.schedule.is_some() {
                Box::pin(self.plan_next(run, function, library)).await;
            }
            let mut owed = Vec::new();
            if let Some(hook) = self.hook(&run[0], Some(function), library, Hook::Before) {
                match Box::pin(self.call_before(hook, run, library)).await {
                    Ok(follow_ups) => owed = follow_ups,
                    Err(outcome) => return RunEnd::without_run(outcome, run.len()),
                }
            }
            let (outcomes, effects) = self.run_guest(run, loaded, function, library).await;
            RunEnd { outcomes, effects, owed, began: true }
        };
        tokio::select! {
            biased;
            pull = pull => match pull {
                Pull::Lost => None,
                Pull::Shutdown => {
                    let outcome = Outcome::Interrupted(Interruption::Shutdown);
                    Some(RunEnd::without_run(outcome, run.len()))
                }
            },
            ended = ended => Some(ended),
        }
    }

    async fn run_guest(
        &self,
        run: &[Ready],
        loaded: &Loaded,
        function: &FunctionSpec,
        library: &Arc<Library>,
    ) -> (Vec<Outcome>, Effects) {
        let Code::Ready(module) = &loaded.code else { return (Vec::new(), Effects::default()) };
        let task = &run[0].task;
        let limits = self.limits(run, function);
        let what = sandbox::Run {
            function: &function.name,
            calls: run.iter().map(Ready::call).collect(),
            batch: function.batch,
            limits: &limits,
            grants: &loaded.grants,
            functions: Arc::clone(library) as Arc<dyn Functions>,
            output: Arc::new(TaskOutput { task_id: task.id.clone(), func: task.func.to_string() }),
            // A batch goes on for those of its tasks that are still held.
            cancelled: if run.len() == 1 { Arc::clone(&run[0].job.leash.cancelled) } else { Arc::default() },
        };
        let Report { outcomes, effects, .. } = self.sandbox.run(module, what).await;
        (outcomes, effects)
    }

    /// The function's own hard timeout, or the longest that a task of the batch asks for.
    fn limits(&self, run: &[Ready], function: &FunctionSpec) -> Limits {
        let asked = run.iter().filter_map(|ready| ready.task.hard_timeout);
        self.settings.run_limits(asked.reduce(f64::max).or(function.options.hard_timeout))
    }

    /// A task that cannot be read is settled without a run; it always comes alone.
    fn readable(&self, run: Run, now: Timestamp) -> Option<Vec<Ready>> {
        let mut readable = Vec::with_capacity(run.len());
        for mut job in run {
            match std::mem::replace(&mut job.task, Err(task::BadPayload::Unreadable(String::new()))) {
                Ok(task) => readable.push(Ready { task, job }),
                Err(bad) => {
                    let facts = self.facts(job.executions, now, now, None);
                    let verdict = refuse(&bad, facts, &self.settings.policy);
                    let failure =
                        TaskFailure::of(&job.lease, None, &verdict, job.executions, || bad.to_string());
                    let settlement = Settlement::new(job.lease.clone(), None, verdict);
                    let note = Some(bad.to_string());
                    self.keeper.ended(job.ended(End { settlement, note, failure }));
                }
            }
        }
        (!readable.is_empty()).then_some(readable)
    }

    /// A function that nobody offers may come with the next deploy, and one that is deployed may still be
    /// compiled: its tasks wait for a while.
    async fn wait_or_fail(
        &self,
        run: Vec<Ready>,
        unknown: Unknown,
        library: &Arc<Library>,
        started: Timestamp,
    ) {
        for mut ready in run {
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
                let settlement = Settlement::new(ready.job.lease.clone(), Some(&ready.task), verdict);
                self.keeper.ended(ready.job.ended(End { settlement, note, failure: None }));
                continue;
            }
            let what = if unknown == Unknown::Module { "module" } else { "function" };
            let message = format!("no deployed {what} offers `{func}`; see `margay modules list`");
            let outcome = Outcome::Refused { kind: "margay:UnknownFunction", message };
            let ran = Ran { library, function: None, started };
            self.finish(vec![ready], RunEnd::without_run(outcome, 1), ran).await;
        }
    }

    fn drop_run(&self, run: Vec<Ready>) {
        let (locks, seats) = taken_by(run.into_iter().map(|ready| ready.job));
        self.keeper.dropped(locks, seats);
    }

    /// What the decision knows beside the task and the outcome.
    pub(crate) fn facts<'a>(
        &'a self,
        executions: u32,
        started: Timestamp,
        now: Timestamp,
        options: Option<&'a Options>,
    ) -> Facts<'a> {
        let (host, chance) = (self.host.as_str(), rand::random());
        Facts { executions, started, now, host, options, chance, custom_delay: None }
    }
}

/// How long the news of a deploy may take: a new version may have a function that this worker's does not.
const NEWS: Duration = Duration::from_secs(2);
/// How many seconds a task waits before its worker looks again for its function: half as long as it has been
/// missed already, between these two. A fresh deploy is ready in a moment; a module that nobody deploys costs little.
const MODULE_WAIT: (f64, f64) = (0.05, 5.0);

/// A job whose task can be read.
pub(crate) struct Ready {
    pub(crate) task: Task,
    pub(crate) job: Job,
}

impl Ready {
    /// What a guest may know of the task.
    pub(crate) fn info(&self) -> TaskInfo {
        info(&self.task, &self.job.lease.queue, self.job.executions)
    }

    fn call(&self) -> Call {
        call(&self.task, &self.job.lease.queue, self.job.executions)
    }
}

impl Job {
    /// Its end, with everything it held.
    pub(crate) fn ended(&mut self, mut end: End) -> Ended {
        end.settlement.lock = self.lock.take();
        end.settlement.seat = self.chain.seat.take();
        Ended { ticket: self.ticket, end, slot: self.chain.slot.take(), if_full: None }
    }
}

/// What keeps a task from running at all.
fn hold_up(task: &Task, loaded: &Loaded, function: &FunctionSpec) -> Option<Outcome> {
    if let Code::Refused(reason) = &loaded.code {
        return Some(Outcome::Refused { kind: "margay:RefusedModule", message: reason.clone() });
    }
    function.hook.map(|_| {
        let message = format!("`{}` is a hook: it is called around the runs of others", task.func);
        Outcome::Refused { kind: "margay:UnknownFunction", message }
    })
}

/// Waits until no task of the run is this worker's any more. While one is, the run goes on for it.
async fn all_pulled(run: &[Ready]) -> Pull {
    if let [one] = run {
        return one.job.leash.pulled().await;
    }
    let mut waiting: Vec<_> = run.iter().map(|ready| Box::pin(ready.job.leash.pulled())).collect();
    loop {
        let (pull, _, rest) = select_all(waiting).await;
        if pull == Pull::Shutdown || rest.is_empty() {
            return pull;
        }
        waiting = rest;
    }
}
