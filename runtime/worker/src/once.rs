//! Once: a worker that runs what is there, and ends. It promotes what is due, takes back what vanished workers held,
//! and runs what is queued, until nothing is queued that it can have.

use std::sync::Arc;

use queue::{Client, Error, State};
use rand::seq::SliceRandom;
use tokio::sync::Semaphore;

use crate::Filter;
use crate::board::Draw;
use crate::fetch::{BATCHES_PER_CLAIM, Fetcher, stopped};
use crate::services::reclaimer::Reclaimer;

pub(crate) struct Once {
    pub(crate) client: Client,
    pub(crate) filter: Filter,
    pub(crate) reclaimer: Reclaimer,
    pub(crate) fetcher: Fetcher,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) concurrency: u32,
    pub(crate) reap: bool,
    /// So many passes over the queues, each of which gives one batch; `None` for as many as it takes.
    pub(crate) passes: Option<u32>,
}

/// Queues that one call asks.
const QUEUES: usize = 16;

impl Once {
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        let mut left = self.passes;
        while left != Some(0) {
            left = left.map(|left| left - 1);
            self.promote().await?;
            self.reclaimer.take_back(self.reap).await?;
            let mut queues = self.queues(State::Queued).await?;
            queues.shuffle(&mut rand::rng());
            let claimed = match self.passes {
                Some(_) => self.claim_one_batch_each(queues).await?,
                None => self.claim_all(queues).await?,
            };
            // What ran may have enqueued more, or freed a lock that others wait for.
            tokio::select! {
                _ = self.slots.acquire_many(self.concurrency) => {}
                () = stopped(&mut self.fetcher.stop) => break,
            }
            if claimed == 0 {
                break;
            }
        }
        Ok(())
    }

    async fn promote(&self) -> Result<(), Error> {
        let mut queues = self.queues(State::Scheduled).await?;
        while !queues.is_empty() {
            let mut due_still = Vec::new();
            for some in queues.chunks(QUEUES) {
                let now = queue::now();
                for (queue, promoted) in some.iter().zip(self.client.promote(some, now).await?) {
                    if promoted.next_due.is_some_and(|due| due <= now) {
                        due_still.push(Arc::clone(queue));
                    }
                }
            }
            queues = due_still;
        }
        Ok(())
    }

    async fn queues(&self, state: State) -> Result<Vec<Arc<str>>, Error> {
        let names = self.client.queue_names(state).await?.into_iter();
        Ok(names.filter(|queue| self.filter.admits(queue)).map(Arc::from).collect())
    }

    async fn claim_one_batch_each(&mut self, queues: Vec<Arc<str>>) -> Result<usize, Error> {
        let mut claimed = 0;
        for queue in queues {
            let Some(mut slot) = self.fetcher.free_slots_up_to(1).await else { break };
            claimed += self.fetcher.fetch(&Draw::of(vec![queue]), &mut slot).await?.began;
        }
        Ok(claimed)
    }

    /// Claims from all queues until none gives any more.
    async fn claim_all(&mut self, queues: Vec<Arc<str>>) -> Result<usize, Error> {
        let mut claimed = 0;
        for some in queues.chunks(QUEUES) {
            let mut open = some.to_vec();
            while let Some(mut slots) = self.fetcher.free_slots_up_to(BATCHES_PER_CLAIM).await {
                let fetched = self.fetcher.fetch(&Draw::of(open.clone()), &mut slots).await?;
                claimed += fetched.began;
                // Queues whose tasks are others' must not hide the rest.
                let before = open.len();
                open.retain(|queue| !self.fetcher.board.is_parked(queue));
                if open.is_empty() || (fetched.left == 0 && open.len() == before) {
                    break;
                }
            }
        }
        Ok(claimed)
    }
}
