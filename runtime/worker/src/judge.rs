//! Judge: from the outcomes of a run to settlements, which the keeper applies.

use std::sync::Arc;

use queue::{NewTask, Settlement};
use sandbox::{Effects, FollowUp};
use task::{Failure, FunctionSpec, Options, Outcome, RetryWish, Task, Timestamp, Verdict, decide};

use crate::execute::{Executor, Ready};
use crate::library::Library;
use crate::record::record;

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

impl Executor {
    /// Judges each task of a run, and hands its settlement to the keeper.
    pub(crate) async fn finish(
        &self,
        run: Vec<Ready>,
        outcomes: Vec<Outcome>,
        mut effects: Effects,
        ran: Ran<'_>,
    ) {
        // What a hook enqueues comes with the first task that is settled, however it ended.
        let mut owed = self.call_after(&run, &outcomes, ran).await;
        for (index, (ready, outcome)) in run.into_iter().zip(outcomes).enumerate() {
            let mut settlement = self.settlement(&ready, &outcome, ran).await;
            if let Verdict::Done { result } = &mut settlement.verdict
                && let Some(saved) = saved_result(&mut effects, index)
            {
                *result = saved;
            }
            settlement.record =
                record(&ready.task, &outcome, &settlement.verdict, self.ended_at(&ready, ran));
            let mut if_full = None;
            if !ready.job.leash.is_pulled() {
                let queue = &ready.job.lease.queue;
                settlement.follow_ups.append(&mut self.new_tasks(std::mem::take(&mut owed), queue));
                // A run's follow-ups go with the first of its tasks that is done and still held.
                if matches!(settlement.verdict, Verdict::Done { .. }) {
                    let mut follow_ups = self.new_tasks(std::mem::take(&mut effects.follow_ups), queue);
                    settlement.follow_ups.append(&mut follow_ups);
                }
                if settlement.follow_ups.iter().any(|new| new.task.max_queue_size.is_some()) {
                    if_full = Some(Box::new(self.settlement_if_full(&ready, &settlement, ran).await));
                }
            }
            let note = (!matches!(outcome, Outcome::Finished(_))).then(|| outcome.message());
            let mut ended = ready.job.ended(settlement, note);
            if let Some(mut instead) = if_full {
                instead.lock.clone_from(&ended.settlement.lock);
                instead.seat.clone_from(&ended.settlement.seat);
                ended.if_full = Some(instead);
            }
            self.keeper.ended(ended);
        }
    }

    /// What should happen to a task after this outcome.
    async fn settlement(&self, ready: &Ready, outcome: &Outcome, ran: Ran<'_>) -> Settlement {
        let Ready { task, job } = ready;
        let custom_delay = self.ask_for_delay(ready, outcome, ran).await;
        let mut facts = self.ended_at(ready, ran);
        facts.custom_delay = custom_delay;
        let verdict = decide(task, outcome, facts, &self.settings.policy);
        let follow_ups = match &verdict {
            Verdict::Error { execution } => self.call_on_permanent_error(ready, execution, ran).await,
            _ => Vec::new(),
        };
        let record = record(task, outcome, &verdict, facts);
        let kept = task.max_stored_executions.or(ran.options().and_then(|own| own.max_stored_executions));
        Settlement {
            record,
            kept_executions: kept.unwrap_or(0),
            follow_ups: self.new_tasks(follow_ups, &job.lease.queue),
            ..Settlement::new(job.lease.clone(), Some(task), verdict)
        }
    }

    /// A task whose follow-up cannot be enqueued has failed, as if it had met TaskTiger's exception.
    async fn settlement_if_full(&self, ready: &Ready, settlement: &Settlement, ran: Ran<'_>) -> Settlement {
        let limited = settlement.follow_ups.iter().filter(|new| new.task.max_queue_size.is_some());
        let queues: Vec<String> = limited.map(|new| format!("`{}`", new.queue)).collect();
        let outcome = Outcome::Failed(Failure {
            kind: QUEUE_FULL.to_owned(),
            message: format!("a follow-up's queue is full: {}", queues.join(", ")),
            detail: None,
            retry: RetryWish::ByPolicy,
            log_error: true,
        });
        self.settlement(ready, &outcome, ran).await
    }

    fn ended_at<'a>(&'a self, ready: &Ready, ran: Ran<'a>) -> task::Facts<'a> {
        self.facts(ready.job.executions, ran.started, queue::now(), ran.options())
    }

    /// Tasks that a run enqueues, to go where they say, else into its own queue.
    fn new_tasks(&self, follow_ups: Vec<FollowUp>, queue: &str) -> Vec<NewTask> {
        let now = queue::now();
        let new_task = |follow_up: FollowUp| {
            let mut task: Task = follow_up.task;
            if follow_up.default_retry && task.retry_method.is_none() {
                task.retry_method = Some(self.settings.policy.default_retry.clone());
            }
            NewTask {
                queue: follow_up.queue.unwrap_or_else(|| queue.to_owned()),
                task,
                due: follow_up.delay.map(|delay| now + delay.as_secs_f64()),
            }
        };
        follow_ups.into_iter().map(new_task).collect()
    }
}

const QUEUE_FULL: &str = "tasktiger.exceptions:QueueFullException";

/// The last result that the guest saved for this call.
fn saved_result(effects: &mut Effects, index: usize) -> Option<String> {
    let saved = effects.results.iter().rposition(|(call, _)| *call as usize == index)?;
    Some(effects.results.swap_remove(saved).1)
}
