//! The promoter: sleeps until the next task is due, and promotes it then. Python's producers do not tell
//! what they schedule, so it also looks at all scheduled queues, page by page, for what is due soon.

use std::sync::Arc;
use std::time::Duration;

use queue::{Client, Error, Upcoming};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::agenda::Agenda;
use crate::board::Board;
use crate::services::rounds::Rounds;

pub(crate) struct Promoter {
    pub(crate) client: Client,
    pub(crate) board: Arc<Board>,
    pub(crate) agenda: Arc<Agenda>,
    pub(crate) poll: Duration,
}

/// Queues that one call promotes: a millisecond of Redis.
const QUEUES_PER_CALL: usize = 200;
/// Queues that one look asks for what is due soon: a millisecond of Redis.
const QUEUES_PER_LOOK: usize = 1000;
/// The rest for each queue that was looked at, and for each worker there is: all workers together look at some 60,000
/// queues a second, and take less than a tenth of Redis' time. 100,000 scheduled queues are a round of less than two
/// seconds; several workers walk side by side, each as much slower as they are more.
const REST_PER_QUEUE: Duration = Duration::from_micros(15);
/// What is due sooner goes into the agenda, and starts in time. The rest is seen again in a later round, so this must
/// be longer than a round takes.
const SOON_S: f64 = 300.0;

impl Promoter {
    pub(crate) async fn run(self) {
        let mut rounds = Rounds::new(self.poll, Instant::now());
        loop {
            let done = tokio::select! {
                () = self.next_due() => self.promote_due().await,
                () = rounds.turn() => self.look(&mut rounds).await,
            };
            if let Err(error) = done {
                warn!(%error, "could not promote; trying again");
                rounds.failed(Instant::now());
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

    /// One page of the queues with scheduled tasks.
    async fn look(&self, rounds: &mut Rounds) -> Result<(), Error> {
        let soon = queue::now() + SOON_S;
        let Upcoming { next, queues, workers } =
            self.client.upcoming(rounds.cursor, QUEUES_PER_LOOK, soon).await?;
        for (queue, due) in queues.iter().filter(|(queue, _)| self.board.filter().admits(queue)) {
            self.agenda.note(queue, *due);
        }
        let rest = REST_PER_QUEUE * QUEUES_PER_LOOK as u32 * workers.max(1);
        rounds.looked(next, rest, Instant::now());
        Ok(())
    }

    async fn promote(&self, queues: &[Arc<str>]) -> Result<(), Error> {
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
