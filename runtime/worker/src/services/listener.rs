//! The listener: puts what the keyspace tells on the board and into the agenda, and looks for itself now and
//! then, since messages can be lost.

use std::sync::Arc;
use std::time::Duration;

use modules::Store;
use queue::{Activity, Client, Error, Event, State};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::warn;

use crate::agenda::Agenda;
use crate::board::Board;
use crate::services::rounds::Rounds;

pub(crate) struct Listener {
    pub(crate) client: Client,
    pub(crate) board: Arc<Board>,
    pub(crate) agenda: Arc<Agenda>,
    pub(crate) deploys: Arc<Notify>,
    pub(crate) poll: Duration,
}

/// The rest after each page of a thousand names, which takes a fraction of a millisecond of Redis. 100,000 queues with
/// work are seen within five seconds so, should messages have been lost.
const REST: Duration = Duration::from_millis(50);

impl Listener {
    /// Subscribes, then looks at everything once: nothing can fall between.
    pub(crate) async fn start(&self, store: &Store) -> Result<Activity, Error> {
        let keys = self.client.keys();
        let activity = self.client.listen(vec![keys.activity(), keys.due(), store.channel()]).await?;
        self.look_at_all().await?;
        Ok(activity)
    }

    pub(crate) async fn run(self, mut activity: Activity) {
        let mut rounds = Rounds::new(self.poll, Instant::now());
        loop {
            let looked = tokio::select! {
                event = activity.next() => self.hear(event).await,
                () = rounds.turn() => {
                    let looked = self.look(rounds.cursor).await;
                    looked.map(|next| rounds.looked(next, REST, Instant::now()))
                }
            };
            if let Err(error) = looked {
                rounds.failed(Instant::now());
                warn!(%error, "could not look for work; trying again");
            }
        }
    }

    async fn hear(&self, event: Event) -> Result<(), Error> {
        match event {
            Event::Queued(queue) => self.board.hear(&queue),
            Event::Due(queue, due) if self.board.filter().admits(&queue) => self.agenda.note(&queue, due),
            Event::Other(..) => self.deploys.notify_one(),
            Event::Reconnected => {
                self.deploys.notify_one();
                self.look_at_all().await?;
            }
            Event::Due(..) | Event::Ended(_) => {}
        }
        Ok(())
    }

    async fn look_at_all(&self) -> Result<(), Error> {
        let mut cursor = 0;
        loop {
            cursor = self.look(cursor).await?;
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    /// One step over the names of queues with work: a bounded look, however many there are.
    async fn look(&self, cursor: u64) -> Result<u64, Error> {
        let (next, queues) = self.client.scan_queues(State::Queued, cursor).await?;
        for queue in queues {
            self.board.hear(&queue);
        }
        Ok(next)
    }
}
