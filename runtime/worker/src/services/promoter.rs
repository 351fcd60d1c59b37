//! The promoter: sleeps until the next task is due, and promotes it then. Python's producers do not tell
//! what they schedule, so it also looks at all scheduled queues, a part each time.

use std::sync::Arc;
use std::time::Duration;

use queue::{Client, Error, State};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::agenda::Agenda;
use crate::board::Board;

pub(crate) struct Promoter {
    pub(crate) client: Client,
    pub(crate) board: Arc<Board>,
    pub(crate) agenda: Arc<Agenda>,
    pub(crate) poll: Duration,
}

/// Queues that one call looks at: a millisecond of Redis.
const QUEUES_PER_CALL: usize = 200;

impl Promoter {
    pub(crate) async fn run(self) {
        let mut look = tokio::time::interval(self.poll);
        let mut cursor = 0;
        loop {
            let promoted = tokio::select! {
                () = self.next_due() => self.promote_due().await,
                _ = look.tick() => self.look(cursor).await.map(|next| cursor = next),
            };
            if let Err(error) = promoted {
                warn!(%error, "could not promote; trying again");
                tokio::time::sleep(self.poll).await;
            }
        }
    }

    /// Waits until something is due.
    async fn next_due(&self) {
        loop {
            let due = self.agenda.next_due();
            let at =
                due.map(|due| Instant::now() + Duration::from_secs_f64((due - queue::now()).clamp(0.0, 1e6)));
            tokio::select! {
                () = async { sleep_until(at.unwrap_or_else(Instant::now)).await }, if at.is_some() => return,
                () = self.agenda.noted() => {}
            }
        }
    }

    async fn promote_due(&self) -> Result<(), Error> {
        let queues = self.agenda.take_due(queue::now(), QUEUES_PER_CALL);
        let promoted = self.promote(&queues).await;
        if promoted.is_err() {
            queues.iter().for_each(|queue| self.agenda.note(queue, queue::now()));
        }
        promoted
    }

    /// One step over the names of queues with scheduled tasks.
    async fn look(&self, cursor: u64) -> Result<u64, Error> {
        let (next, mut queues) = self.client.scan_queues(State::Scheduled, cursor).await?;
        queues.retain(|queue| self.board.filter().admits(queue));
        for queues in queues.chunks(QUEUES_PER_CALL) {
            self.promote(queues).await?;
        }
        Ok(next)
    }

    async fn promote(&self, queues: &[String]) -> Result<(), Error> {
        if queues.is_empty() {
            return Ok(());
        }
        let promoted = self.client.promote(queues, queue::now()).await?;
        for (queue, promoted) in queues.iter().zip(promoted) {
            if let Some(due) = promoted.next_due {
                self.agenda.note(queue, due);
            }
        }
        Ok(())
    }
}
