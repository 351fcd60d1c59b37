//! Fetch: claim as many tasks as there are free slots, from queues drawn at random, and hand them on.

use std::sync::Arc;
use std::time::Duration;

use queue::{Asked, Claimed, Client, Error, Incarnation, Lease, Lock, Locking, Settlement, Source};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::Settings;
use crate::assemble::{last_of, left, take_out};
use crate::board::{Board, Draw};
use crate::job::{Chain, Handful, Job, taken_by};
use crate::keeper::Keeper;
use crate::library::Library;

pub(crate) struct Fetcher {
    pub(crate) client: Client,
    pub(crate) worker: Incarnation,
    pub(crate) settings: Settings,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) board: Arc<Board>,
    pub(crate) library: watch::Receiver<Arc<Library>>,
    pub(crate) keeper: Keeper,
    pub(crate) jobs: mpsc::UnboundedSender<Handful>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) next_ticket: u64,
}

/// What a claim brought.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fetched {
    /// Tasks that run now.
    pub(crate) began: usize,
    /// Tasks that left their queue: those, and whoever waits for a lock. Others' tasks do not.
    pub(crate) left: usize,
}

/// Queues that one claim asks, at least and at most: a worker with many small queues must not need a round trip for
/// each task. Those that come later are asked only where the first leave something.
const QUEUES_PER_CLAIM: (usize, usize) = (16, BATCHES_PER_CLAIM);
/// Batches that one claim takes at most: more would wait for each other's answer.
pub(crate) const BATCHES_PER_CLAIM: usize = 64;
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(200);

impl Fetcher {
    /// Fetches until the worker is asked to stop. Everything that was claimed has been handed on then.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        while !*self.stop.borrow() {
            let Some(mut slots) = self.free_slots().await else { break };
            let (least, most) = QUEUES_PER_CLAIM;
            let draw = self.board.draw(slots.num_permits().clamp(least, most));
            if draw.queues.is_empty() {
                drop(slots);
                self.wait_for_news().await;
                continue;
            }
            if let Err(error) = self.fetch(&draw, &mut slots).await {
                self.recover(error).await;
            }
        }
        Ok(())
    }

    /// Claims once from these queues and hands on what they give.
    pub(crate) async fn fetch(
        &mut self,
        draw: &Draw,
        slots: &mut OwnedSemaphorePermit,
    ) -> Result<Fetched, Error> {
        let asked = Asked {
            batches: slots.num_permits(),
            due_again: self.due_again(),
            seat: self.settings.active_timeout,
        };
        let sources: Vec<Source<'_>> = draw.queues.iter().map(|queue| self.source(queue)).collect();
        let claimed = self.client.claim(&self.worker, &sources, asked, queue::now()).await?;
        self.hand_on(claimed, draw, slots).await
    }

    fn source<'a>(&self, queue: &'a str) -> Source<'a> {
        Source { queue, seats: self.settings.seats(queue), batch: self.settings.batch_size(queue) }
    }

    fn due_again(&self) -> f64 {
        queue::now() + self.settings.lock_retry.as_secs_f64()
    }

    /// Waits for a free slot and takes as many as are free by then, and one claim can use; `None` when the worker stops.
    async fn free_slots(&mut self) -> Option<OwnedSemaphorePermit> {
        self.free_slots_up_to(BATCHES_PER_CLAIM).await
    }

    /// The same, but no more than this.
    pub(crate) async fn free_slots_up_to(&mut self, most: usize) -> Option<OwnedSemaphorePermit> {
        if *self.stop.borrow() {
            return None;
        }
        let mut slots = tokio::select! {
            slots = Arc::clone(&self.slots).acquire_owned() => slots.ok()?,
            () = stopped(&mut self.stop) => return None,
        };
        let more = self.slots.available_permits().min(most.saturating_sub(1)) as u32;
        if let Ok(more) = Arc::clone(&self.slots).try_acquire_many_owned(more) {
            slots.merge(more);
        }
        Some(slots)
    }

    /// Waits until there may be work; then, where batches should fill up, a little longer.
    async fn wait_for_news(&mut self) {
        tokio::select! {
            () = self.board.news() => {}
            () = stopped(&mut self.stop) => return,
        }
        if !self.settings.batch_wait.is_zero() {
            tokio::select! {
                () = sleep(self.settings.batch_wait) => {}
                () = stopped(&mut self.stop) => {}
            }
        }
    }

    async fn hand_on(
        &mut self,
        claimed: Vec<Claimed>,
        draw: &Draw,
        slots: &mut OwnedSemaphorePermit,
    ) -> Result<Fetched, Error> {
        let library = Arc::clone(&self.library.borrow());
        let mut chains: Vec<Chain> = Vec::with_capacity(slots.num_permits());
        for Claimed { queue, more, claims, missing } in claimed {
            for id in missing {
                warn!(queue, id, "dropped a task that was queued without a payload");
            }
            if !more {
                self.board.found_empty(&queue, draw.at());
            }
            chains.append(&mut self.chains(&queue, claims, &library));
        }
        let left = match self.prepare(&mut chains, &library).await {
            Ok(left) => left,
            Err(error) => {
                self.let_go(chains);
                return Err(error);
            }
        };
        for end in chains.iter_mut().filter_map(last_of) {
            end.slot = slots.split(1);
        }
        let tasks = chains.iter().flatten().flatten();
        let held: Vec<_> = tasks.map(|job| job.held()).collect();
        let began = held.len();
        if began > 0 {
            // The keeper must know what is held before anybody can settle it.
            self.keeper.took(held);
            if self.jobs.send(Handful { library, chains }).is_err() {
                error!("nobody runs tasks any more");
            }
        }
        Ok(Fetched { began, left })
    }

    /// Leaves what is others', and takes the locks that the rest needs. Answers how many tasks left their queues.
    async fn prepare(&mut self, chains: &mut Vec<Chain>, library: &Library) -> Result<usize, Error> {
        self.leave_foreign(chains, library).await?;
        let left = chains.iter().flatten().map(Vec::len).sum();
        self.take_locks(chains).await?;
        Ok(left)
    }

    /// Chains that will not run: their tasks are found again as strays, and what they hold is free.
    fn let_go(&self, chains: Vec<Chain>) {
        let (locks, seats) = taken_by(chains.into_iter().flatten().flatten());
        self.keeper.dropped(locks, seats);
    }

    /// Puts tasks back that are others', and does not ask their queues again for a while. Where that fails the
    /// tasks are found again as strays.
    async fn leave_foreign(&self, chains: &mut Vec<Chain>, library: &Library) -> Result<(), Error> {
        let (foreign, seats) = take_out(chains, |job| self.is_foreign(job, library));
        self.keeper.dropped(Vec::new(), seats);
        if foreign.is_empty() {
            return Ok(());
        }
        for Job { lease, .. } in &foreign {
            if self.board.park(&lease.queue) {
                let queue = &lease.queue;
                info!(
                    queue,
                    "left to other workers: its module is not deployed; name the queue with -q to take it"
                );
            }
        }
        let mut foreign: Vec<Settlement> = foreign.into_iter().map(left).collect();
        self.client.settle(&self.worker, &mut foreign, queue::now()).await.map(drop)
    }

    /// Takes the locks that the chains need, in one call, and lets go of whoever has to wait for one.
    async fn take_locks(&mut self, chains: &mut Vec<Chain>) -> Result<(), Error> {
        let jobs = chains.iter().flatten().flatten();
        let wanted: Vec<(Lock, &Lease)> =
            jobs.filter_map(|job| Some((job.lock.clone()?, &job.lease))).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let locking = Locking { hold: self.settings.active_timeout, due_again: self.due_again() };
        let taken = loop {
            match self.client.lock(&self.worker, &wanted, locking).await {
                // What was taken is found in place.
                Err(error) if error.is_connection() && !*self.stop.borrow() => {
                    warn!(%error, "could not take locks; trying again");
                    sleep(PAUSE_AFTER_ERROR).await;
                }
                taken => break taken?,
            }
        };
        let mut taken = taken.into_iter();
        let (_, seats) = take_out(chains, |job| job.lock.is_some() && !taken.next().unwrap_or(false));
        self.keeper.dropped(Vec::new(), seats);
        Ok(())
    }

    /// After a call whose answer is lost, Redis may hold tasks for this worker that it does not know of.
    async fn recover(&mut self, error: Error) {
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
            () = stopped(&mut self.stop) => {}
        }
    }
}

/// Waits until the worker is asked to stop; at once where it was.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody can ask any more, which is the end too.
    let _ = stop.wait_for(|stop| *stop).await;
}
