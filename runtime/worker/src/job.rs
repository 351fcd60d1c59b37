//! A task on its way through the worker, with everything that has to be given back at its end.

use std::sync::Arc;

use queue::{Claim, Lease, Lock, Seat};
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
