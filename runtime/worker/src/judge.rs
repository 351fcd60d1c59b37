//! Judge: from the outcomes of a run to settlements, which the keeper applies.

use std::sync::Arc;

use queue::{NewTask, Settlement};
use sandbox::{Effects, FollowUp};
use task::{
    Failure, FunctionSpec, Hook, Options, Outcome, RetryWish, Timestamp, Verdict, custom_retry, decide,
};
use tokio::sync::oneshot;

use crate::execute::{Executor, Ready};
use crate::job::ChainEnd;
use crate::keeper::{End, Returned};
use crate::library::Library;
use crate::record::record;
use crate::report::TaskFailure;

/// What a run was.
#[derive(Clone, Copy)]
pub(crate) struct Ran<'a> {
    pub(crate) library: &'a Arc<Library>,
    /// The function, where it is known.
    pub(crate) function: Option<&'a FunctionSpec>,
    pub(crate) started: Timestamp,
}

impl<'a> Ran<'a> {
    pub(crate) fn options(&self) -> Option<&'a Options> {
        self.function.map(|function| &function.options)
    }
}

/// How a run ended.
pub(crate) struct RunEnd {
    /// One outcome for each of its tasks.
    pub(crate) outcomes: Vec<Outcome>,
    /// What comes with its success.
    pub(crate) effects: Effects,
    /// What a hook enqueued: it comes with the first task that is settled, however that ended.
    pub(crate) owed: Vec<FollowUp>,
    /// Whether the function was called at all.
    pub(crate) began: bool,
}

impl RunEnd {
    /// The function was not called, or what it did is nobody's business any more.
    pub(crate) fn without_run(outcome: Outcome, tasks: usize) -> RunEnd {
        let outcomes = vec![outcome; tasks];
        RunEnd { outcomes, effects: Effects::default(), owed: Vec::new(), began: false }
    }
}

impl Executor {
    /// Judges each task of a run, and hands its settlement to the keeper.
    pub(crate) async fn finish(&self, run: Vec<Ready>, ended: RunEnd, ran: Ran<'_>) {
        let RunEnd { outcomes, mut effects, mut owed, began } = ended;
        if began && let Some(hook) = self.hook(&run[0], ran.function, ran.library, Hook::After) {
            owed.append(&mut Box::pin(self.call_after(hook, &run, &outcomes, ran)).await);
        }
        for (index, (mut ready, outcome)) in run.into_iter().zip(outcomes).enumerate() {
            let mut end = self.end_of(&ready, &outcome, saved_result(&mut effects, index), ran).await;
            if !ready.job.leash.is_pulled() {
                let (queue, settlement) = (&ready.job.lease.queue, &mut end.settlement);
                settlement.follow_ups.append(&mut self.new_tasks(std::mem::take(&mut owed), queue));
                // A run's follow-ups go with the first of its tasks that is done and still held.
                if matches!(settlement.verdict, Verdict::Done { .. }) {
                    let mut follow_ups = self.new_tasks(std::mem::take(&mut effects.follow_ups), queue);
                    settlement.follow_ups.append(&mut follow_ups);
                }
            }
            self.settle(&mut ready, end, ran).await;
        }
    }

    /// Hands a settlement to the keeper. A task whose follow-up has no room in its queue has failed, as if it had met
    /// TaskTiger's exception; only then it is asked what comes of that.
    async fn settle(&self, ready: &mut Ready, end: End, ran: Ran<'_>) {
        let limited = end.settlement.follow_ups.iter().filter(|new| new.task.max_queue_size.is_some());
        let queues: Vec<String> = limited.map(|new| format!("`{}`", new.queue)).collect();
        let mut ended = ready.job.ended(end);
        if queues.is_empty() {
            return self.keeper.ended(ended);
        }
        let (sender, full) = oneshot::channel();
        ended.if_full = Some(sender);
        self.keeper.ended(ended);
        if let Ok(returned) = full.await {
            Box::pin(self.settle_as_full(ready, returned, &queues, ran)).await;
        }
    }

    async fn settle_as_full(&self, ready: &mut Ready, returned: Returned, queues: &[String], ran: Ran<'_>) {
        let Returned { lock, seat, slot } = returned;
        let end = self.end_of(ready, &queue_full(queues), None, ran).await;
        ready.job.lock = lock;
        ready.job.chain = ChainEnd { seat, slot };
        self.keeper.ended(ready.job.ended(end));
    }

    /// What becomes of a task after this outcome. `saved` is a result that takes the place of the returned one.
    async fn end_of(&self, ready: &Ready, outcome: &Outcome, saved: Option<String>, ran: Ran<'_>) -> End {
        let Ready { task, job } = ready;
        let policy = &self.settings.policy;
        let custom_delay = match custom_retry(task, outcome, job.executions, ran.options(), policy) {
            Some(asked) => Box::pin(self.ask_for_delay(ready, asked, ran)).await,
            None => None,
        };
        let now = queue::now();
        let facts =
            task::Facts { custom_delay, ..self.facts(job.executions, ran.started, now, ran.options()) };
        let mut verdict = decide(task, outcome, facts, &self.settings.policy);
        if let (Verdict::Done { result }, Some(saved)) = (&mut verdict, saved) {
            *result = saved;
        }
        let follow_ups = match &verdict {
            Verdict::Error { execution } => {
                match self.hook(ready, ran.function, ran.library, Hook::OnPermanentError) {
                    Some(hook) => Box::pin(self.call_on_permanent_error(hook, ready, execution, ran)).await,
                    None => Vec::new(),
                }
            }
            _ => Vec::new(),
        };
        let kept = task.max_stored_executions.or(ran.options().and_then(|own| own.max_stored_executions));
        End {
            note: (!matches!(outcome, Outcome::Finished(_))).then(|| outcome.message()),
            failure: TaskFailure::of(&job.lease, Some(task), &verdict, job.executions, || outcome.message()),
            settlement: Settlement {
                record: record(task, outcome, &verdict, facts),
                kept_executions: kept.unwrap_or(0),
                follow_ups: self.new_tasks(follow_ups, &job.lease.queue),
                ..Settlement::new(job.lease.clone(), Some(task), verdict)
            },
        }
    }

    /// Tasks that a run enqueues, to go where they say, else into its own queue.
    fn new_tasks(&self, follow_ups: Vec<FollowUp>, queue: &str) -> Vec<NewTask> {
        if follow_ups.is_empty() {
            return Vec::new();
        }
        let now = queue::now();
        let settings = &self.settings;
        follow_ups.into_iter().map(|follow_up| settings.new_task(follow_up, queue, now)).collect()
    }
}

const QUEUE_FULL: &str = "tasktiger.exceptions:QueueFullException";

fn queue_full(queues: &[String]) -> Outcome {
    Outcome::Failed(Failure {
        kind: QUEUE_FULL.to_owned(),
        message: format!("a follow-up's queue is full: {}", queues.join(", ")),
        detail: None,
        retry: RetryWish::ByPolicy,
        log_error: true,
    })
}

/// The last result that the guest saved for this call.
fn saved_result(effects: &mut Effects, index: usize) -> Option<String> {
    let saved = effects.results.iter().rposition(|(call, _)| *call as usize == index)?;
    Some(effects.results.swap_remove(saved).1)
}
