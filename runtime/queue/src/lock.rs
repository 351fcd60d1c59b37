//! Locks: tasks of a kind run one after the other. A lock is redis-py's, under TaskTiger's name, so that workers of
//! both respect each other's. Whoever meets one waits in `scheduled`, and is woken when a worker of ours frees it.
//! Seats are what a queue with a limit gives to its batches: TaskTiger's semaphore.

use std::time::Duration;

use redis::Value;
use task::Timestamp;

use crate::script::{LOCK, RELEASE};
use crate::{Client, Error, Incarnation, Lease};

/// A lock that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The hash that names it: [`task::Task::lock_id`].
    pub id: String,
    /// Who holds it.
    pub token: String,
}

impl Lock {
    /// A lock for one run of this worker, by a number that no other run of it has.
    pub fn of_run(id: String, worker: &Incarnation, run: u64) -> Lock {
        Lock { id, token: format!("{worker}:{run}") }
    }

    /// Whatever run of this worker holds it: good for freeing only, once the worker is gone.
    pub fn of_worker(id: String, worker: &Incarnation) -> Lock {
        Lock { id, token: format!("{worker}:") }
    }
}

/// A seat that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The queue it belongs to.
    pub queue: String,
    /// Its name there: [`Incarnation::seat`], or [`Incarnation::all_seats`].
    pub name: String,
}

/// How long a lock is held, and how long one waits that meets it.
#[derive(Clone, Copy, Debug)]
pub struct Locking {
    /// For how long it holds unless it is renewed.
    pub hold: Duration,
    /// When a task that meets a lock is due again at the latest.
    pub due_again: Timestamp,
}

impl Client {
    /// Takes the locks of claimed tasks, in one round trip. Answers, in order, who has its lock; whoever has not
    /// waits in `scheduled`, and is not this worker's any more. The call may be repeated.
    pub async fn lock(
        &self,
        worker: &Incarnation,
        wanted: &[(Lock, &Lease)],
        locking: Locking,
    ) -> Result<Vec<bool>, Error> {
        let mut call = LOCK.call(self);
        call.arg(worker.as_str()).arg(locking.hold.as_millis() as u64).arg(locking.due_again);
        for (lock, lease) in wanted {
            call.arg(&lock.id).arg(&lock.token).arg(&lease.queue).arg(&lease.id).arg(lease.score);
        }
        let answer = LOCK.run(self, &call).await?;
        match answer {
            Value::Array(taken) if taken.len() == wanted.len() => {
                Ok(taken.into_iter().map(|taken| taken == Value::Int(1)).collect())
            }
            answer => Err(LOCK.unexpected(&answer)),
        }
    }

    /// Frees locks and seats of runs that end without being settled. What is somebody else's by now stays.
    pub async fn release(&self, locks: &[Lock], seats: &[Seat], now: Timestamp) -> Result<(), Error> {
        let mut call = RELEASE.call(self);
        call.arg(now).arg(locks.len());
        for lock in locks {
            call.arg(&lock.id).arg(&lock.token);
        }
        for seat in seats {
            call.arg(&seat.queue).arg(&seat.name);
        }
        RELEASE.run(self, &call).await.map(drop)
    }
}
