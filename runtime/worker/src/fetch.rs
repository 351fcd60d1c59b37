//! Fetch: claim as many tasks as there are free slots, from queues drawn at random, and hand them on.

use std::sync::Arc;
use std::time::Duration;

use queue::{Asked, Claim, Claimed, Client, Incarnation};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::sleep;
use tracing::{error, warn};

use crate::board::{Board, Draw};
use crate::keeper::{Held, Keeper};
use crate::leash::Leash;

/// A task on its way through the worker, with everything that has to be given back at its end.
pub(crate) struct Job {
    pub(crate) ticket: u64,
    pub(crate) claim: Claim,
    pub(crate) leash: Arc<Leash>,
    /// The slot; free when the task is settled.
    pub(crate) slot: OwnedSemaphorePermit,
}

pub(crate) struct Fetcher {
    pub(crate) client: Client,
    pub(crate) worker: Incarnation,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) board: Arc<Board>,
    pub(crate) keeper: Keeper,
    pub(crate) jobs: mpsc::UnboundedSender<Vec<Job>>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) lock_retry: Duration,
    pub(crate) next_ticket: u64,
}

/// Queues that one claim asks: a worker with many small queues must not need a round trip for each task.
const QUEUES_PER_CLAIM: usize = 16;
/// Tasks that one claim takes at most: more would wait for each other's answer.
const TASKS_PER_CLAIM: usize = 64;
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(200);

impl Fetcher {
    /// Fetches until the worker is asked to stop. Everything that was claimed has been handed on then.
    pub(crate) async fn run(mut self) {
        while !*self.stop.borrow() {
            let Some(mut slots) = self.free_slots().await else { return };
            let draw = self.board.draw(QUEUES_PER_CLAIM);
            if draw.queues.is_empty() {
                drop(slots);
                tokio::select! {
                    () = self.board.news() => {}
                    _ = self.stop.changed() => {}
                }
                continue;
            }
            let asked =
                Asked { tasks: slots.num_permits(), due_again: queue::now() + self.lock_retry.as_secs_f64() };
            match self.client.claim(&self.worker, &draw.queues, asked, queue::now()).await {
                Ok(claimed) => self.hand_on(claimed, &draw, &mut slots),
                Err(error) => self.recover(error).await,
            }
        }
    }

    /// Waits for a free slot and takes as many as are free by then; `None` when the worker stops.
    async fn free_slots(&mut self) -> Option<OwnedSemaphorePermit> {
        let mut slots = tokio::select! {
            slots = Arc::clone(&self.slots).acquire_owned() => slots.ok()?,
            _ = self.stop.changed() => return None,
        };
        let more = self.slots.available_permits().min(TASKS_PER_CLAIM - 1) as u32;
        if let Ok(more) = Arc::clone(&self.slots).try_acquire_many_owned(more) {
            slots.merge(more);
        }
        Some(slots)
    }

    fn hand_on(&mut self, claimed: Vec<Claimed>, draw: &Draw, slots: &mut OwnedSemaphorePermit) {
        for Claimed { queue, more, claims, missing } in claimed {
            if !more {
                self.board.found_empty(&queue, draw.at());
            }
            for id in missing {
                warn!(queue, id, "dropped a task that was queued without a payload");
            }
            if claims.is_empty() {
                continue;
            }
            let jobs: Vec<Job> = claims.into_iter().filter_map(|claim| self.job(claim, slots)).collect();
            // The keeper must know what is held before anybody can settle it.
            self.keeper.took(jobs.iter().map(Job::held).collect());
            if self.jobs.send(jobs).is_err() {
                error!("nobody runs tasks any more");
            }
        }
    }

    fn job(&mut self, claim: Claim, slots: &mut OwnedSemaphorePermit) -> Option<Job> {
        self.next_ticket += 1;
        let slot = slots.split(1)?;
        Some(Job { ticket: self.next_ticket, claim, leash: Arc::default(), slot })
    }

    /// After a claim whose answer is lost, Redis may hold tasks for this worker that it does not know of.
    async fn recover(&mut self, error: queue::Error) {
        warn!(%error, "could not claim tasks");
        let keeper = self.keeper.clone();
        let strays_are_back = async {
            loop {
                sleep(PAUSE_AFTER_ERROR).await;
                if keeper.give_back_strays().await.is_ok() {
                    return;
                }
            }
        };
        tokio::select! {
            () = strays_are_back => {}
            _ = self.stop.changed() => {}
        }
    }
}

impl Job {
    fn held(&self) -> Held {
        Held { ticket: self.ticket, lease: self.claim.lease.clone(), leash: Arc::clone(&self.leash) }
    }
}
