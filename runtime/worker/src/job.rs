//! A task on its way through the worker, with everything that has to be given back at its end.

use std::sync::Arc;

use queue::{Claim, Lease, Lock, Seat};
use sandbox::{Call, TaskInfo};
use task::{BadPayload, FunctionName, Task};
use tokio::sync::OwnedSemaphorePermit;

use crate::keeper::Held;
use crate::leash::Leash;
use crate::library::Library;

/// One claimed task.
pub(crate) struct Job {
    pub(crate) ticket: u64,
    pub(crate) lease: Lease,
    pub(crate) task: Result<Task, BadPayload>,
    /// Of a payload that cannot be read: what it seems to call.
    pub(crate) seems_to_call: Option<FunctionName>,
    pub(crate) executions: u32,
    pub(crate) leash: Arc<Leash>,
    /// The lock that it runs under.
    pub(crate) lock: Option<Lock>,
    pub(crate) chain: ChainEnd,
}

/// What a chain of runs holds, with its last task: given back when that is settled.
#[derive(Default)]
pub(crate) struct ChainEnd {
    /// The seat, in a queue that has a limit.
    pub(crate) seat: Option<Seat>,
    /// Room in this worker.
    pub(crate) slot: Option<OwnedSemaphorePermit>,
}

/// Tasks that run in one instance: one, or a batch of one function.
pub(crate) type Run = Vec<Job>;

/// Runs that follow each other, in one slot: what was claimed as one batch. Mostly it is one run of one task.
pub(crate) type Chain = Vec<Run>;

/// What the fetcher hands on: chains, and the versions that they were put together with.
pub(crate) struct Handful {
    pub(crate) library: Arc<Library>,
    pub(crate) chains: Vec<Chain>,
}

impl Job {
    /// A claimed task, under a number that no other task of this worker has.
    pub(crate) fn new(ticket: u64, claim: Claim) -> Job {
        let Claim { lease, task, executions, seems_to_call } = claim;
        let (leash, chain) = (Arc::default(), ChainEnd::default());
        Job { ticket, lease, task, seems_to_call, executions, leash, lock: None, chain }
    }

    /// What the keeper has to know of it.
    pub(crate) fn held(&self) -> Held {
        Held {
            ticket: self.ticket,
            lease: self.lease.clone(),
            leash: Arc::clone(&self.leash),
            lock: self.lock.clone(),
            seat: self.chain.seat.clone(),
        }
    }
}

/// What a guest is told of a task.
pub(crate) fn info(task: &Task, queue: &str, executions: u32) -> TaskInfo {
    TaskInfo {
        id: task.id.clone(),
        function: task.func.to_string(),
        queue: queue.to_owned(),
        attempt: executions.saturating_add(1),
        enqueued_at: task.time_last_queued,
        scheduled_at: task.scheduled_at,
    }
}

/// A task as the call of its function.
pub(crate) fn call(task: &Task, queue: &str, executions: u32) -> Call {
    let (args, kwargs) = (task.args_json().to_owned(), task.kwargs_json().to_owned());
    Call { info: info(task, queue, executions), args, kwargs }
}

/// What these jobs have taken beside their leases.
pub(crate) fn taken_by(jobs: impl Iterator<Item = Job>) -> (Vec<Lock>, Vec<Seat>) {
    let (mut locks, mut seats) = (Vec::new(), Vec::new());
    for job in jobs {
        locks.extend(job.lock);
        seats.extend(job.chain.seat);
    }
    (locks, seats)
}
