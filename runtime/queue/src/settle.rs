//! Settle: verdicts are applied, with the effects of the runs, to the tasks whose lease still holds.

use std::time::Duration;

use redis::{Cmd, Value};
use task::{Execution, Task, Timestamp, Verdict};

use crate::enqueue::limit;
use crate::script::SETTLE;
use crate::{Client, Error, Incarnation, Kept, Lease, Lock, MAX_BATCH, NewTask, Seat};

/// What to do with one claimed task.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The proof that it may be done.
    pub lease: Lease,
    /// What to do.
    pub verdict: Verdict,
    /// Whether a twin of the task may be in another state.
    pub unique: bool,
    /// How many executions to keep; all where 0.
    pub kept_executions: u32,
    /// The payload to store with a requeue, where it has changed.
    pub payload: Option<String>,
    /// The record to keep of its end.
    pub record: Option<Kept>,
    /// Tasks to enqueue with it.
    pub follow_ups: Vec<NewTask>,
    /// The lock to free with it, where it is still held.
    pub lock: Option<Lock>,
    /// The seat to give back with it.
    pub seat: Option<Seat>,
}

/// What became of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The verdict holds.
    Done,
    /// The lease was lost: nothing was written, but the lock and the seat are given back.
    Lost,
    /// A follow-up's queue has no room for it: nothing was done.
    QueueFull,
}

/// Redis takes no expiry that its clock cannot hold, and would stop the script in the middle.
const LONGEST_TTL: Duration = Duration::from_secs(366 * 86_400);

impl Settlement {
    /// Settles a task by a verdict. The task is `None` where its payload could not be read.
    pub fn new(lease: Lease, task: Option<&Task>, verdict: Verdict) -> Settlement {
        let payload = match (&verdict, task) {
            (Verdict::Requeue { redeliveries, .. }, Some(task))
                if *redeliveries != task.margay.redeliveries =>
            {
                let mut task = task.clone();
                task.margay.redeliveries = *redeliveries;
                Some(task.to_json())
            }
            _ => None,
        };
        Settlement {
            lease,
            verdict,
            unique: task.is_some_and(Task::is_unique),
            kept_executions: task.and_then(|task| task.max_stored_executions).unwrap_or(0),
            payload,
            record: None,
            follow_ups: Vec::new(),
            lock: None,
            seat: None,
        }
    }

    /// What it asks of one call, in plain tasks: every follow-up, and every 4 KiB, counts as one more.
    fn weight(&self) -> usize {
        let result = self.record.as_ref().and_then(|kept| kept.record.result.as_ref());
        let arguments = |new: &NewTask| new.task.args_json().len() + new.task.kwargs_json().len();
        let bytes: usize = self.follow_ups.iter().map(arguments).sum();
        1 + self.follow_ups.len() + (bytes + result.map_or(0, |result| result.get().len())) / 4096
    }

    /// A success that leaves nothing behind, but perhaps a lock: it takes the short path.
    fn is_plain(&self) -> bool {
        matches!(self.verdict, Verdict::Done { .. })
            && !self.unique
            && self.record.is_none()
            && self.follow_ups.is_empty()
            && self.seat.is_none()
    }
}

impl Client {
    /// Settles tasks that this worker claimed, in one round trip for every few hundred. The answers come in
    /// order.
    pub async fn settle(
        &self,
        worker: &Incarnation,
        settlements: &mut [Settlement],
        now: Timestamp,
    ) -> Result<Vec<Settled>, Error> {
        let mut answers = Vec::with_capacity(settlements.len());
        let mut rest = settlements;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at_mut(one_call(rest));
            self.settle_chunk(worker, chunk, now, &mut answers).await?;
            rest = after;
        }
        Ok(answers)
    }

    async fn settle_chunk(
        &self,
        worker: &Incarnation,
        settlements: &mut [Settlement],
        now: Timestamp,
        answers: &mut Vec<Settled>,
    ) -> Result<(), Error> {
        let mut call = SETTLE.call(self);
        call.arg(worker.as_str()).arg(now);
        let mut from = 0;
        while from < settlements.len() {
            let queue = settlements[from].lease.queue.clone();
            let plain = |one: &&Settlement| one.is_plain() && one.lease.queue == queue;
            let n = settlements[from..].iter().take_while(plain).count();
            if n == 0 {
                add_task(&mut call, &mut settlements[from], now);
                from += 1;
                continue;
            }
            call.arg("done").arg(&queue).arg(n);
            for settlement in &settlements[from..from + n] {
                call.arg(&settlement.lease.id).arg(settlement.lease.score);
            }
            add_locks(&mut call, &settlements[from..from + n]);
            from += n;
        }
        let answer = SETTLE.run(self, &call).await?;
        let Value::Array(settled) = answer else { return Err(SETTLE.unexpected(&answer)) };
        if settled.len() != settlements.len() {
            return Err(SETTLE.unexpected(&settled));
        }
        let one = |value| match value {
            Value::Int(1) => Settled::Done,
            Value::Int(2) => Settled::QueueFull,
            _ => Settled::Lost,
        };
        answers.extend(settled.into_iter().map(one));
        Ok(())
    }
}

/// How many of the settlements, from the first on, make up one call: at least one, and so many that neither
/// their number nor what their runs leave behind is too much for one script.
fn one_call(settlements: &[Settlement]) -> usize {
    let mut weight = 0;
    let fits = |settlement: &&Settlement| {
        weight += settlement.weight();
        weight <= MAX_BATCH
    };
    settlements.iter().take_while(fits).count().max(1)
}

fn add_locks(call: &mut Cmd, settlements: &[Settlement]) {
    let locks: Vec<&Lock> = settlements.iter().filter_map(|one| one.lock.as_ref()).collect();
    if !locks.is_empty() {
        call.arg("free").arg(locks.len());
    }
    for Lock { id, token } in locks {
        call.arg(id).arg(token);
    }
}

fn add_task(call: &mut Cmd, settlement: &mut Settlement, now: Timestamp) {
    let Settlement { lease, verdict, unique, kept_executions, payload, record, follow_ups, lock, seat } =
        settlement;
    let (due, execution) = match &*verdict {
        Verdict::Retry { at, execution } => (Some(*at), Some(execution)),
        Verdict::Defer { at } => (Some(*at), None),
        Verdict::Error { execution } => (None, Some(execution)),
        Verdict::Requeue { at, .. } => (*at, None),
        Verdict::Leave { queued } => (Some(*queued), None),
        Verdict::Done { .. } | Verdict::Forget { .. } => (None, None),
    };
    call.arg("task").arg(&lease.queue).arg(&lease.id).arg(lease.score).arg(u8::from(*unique));
    call.arg(verdict.word()).arg(due.map_or_else(String::new, |due| due.to_string()));
    call.arg(payload.as_deref().unwrap_or_default());
    call.arg(execution.map_or_else(String::new, written)).arg(*kept_executions);
    match record {
        Some(kept) => {
            call.arg(kept.record.to_json()).arg(kept.ttl.min(LONGEST_TTL).as_millis().max(1) as u64)
        }
        None => call.arg("").arg(""),
    };
    match lock {
        Some(lock) => call.arg(&lock.id).arg(&lock.token),
        None => call.arg("").arg(""),
    };
    call.arg(seat.as_ref().map_or("", |seat| &seat.name));
    call.arg(follow_ups.len());
    for new in follow_ups {
        let (state, score) = new.place(now);
        call.arg(state.as_str()).arg(&new.queue).arg(limit(new.task.max_queue_size));
        call.arg(&new.task.id).arg(new.task.to_json()).arg(score);
    }
}

fn written(execution: &Execution) -> String {
    serde_json::to_string(execution).expect("an execution has only plain fields")
}
