//! The system lock of a queue: while it is set, nobody claims from the queue. TaskTiger's own, by key and meaning; its
//! workers honour it where they limit how many work on a queue, Margay's always.

use redis::Value;
use task::{Timestamp, check_queue_name};

use crate::inspect::{members, texts};
use crate::{Client, Error};

const SYSTEM_LOCK: &str = "SYSTEM_LOCK";
/// A lock without an end: later than anybody waits, and yet a time that Python can show.
pub const UNTIL_UNLOCKED: Timestamp = 4_102_444_800.0;

impl Client {
    /// Closes a queue until a time; runs that have begun go on. A lock that is there is replaced.
    pub async fn lock_queue(&self, queue: &str, until: Timestamp, now: Timestamp) -> Result<(), Error> {
        check_queue_name(queue)?;
        let key = self.keys().seats(queue);
        let mut lock = redis::pipe();
        // As in TaskTiger the key outlives the lock by a little, but never takes the seats beside it along.
        lock.atomic().cmd("ZADD").arg(&key).arg(until).arg(SYSTEM_LOCK);
        lock.cmd("EXPIRE").arg(&key).arg((until - now).max(120.0).ceil() as u64 + 10);
        lock.cmd("SADD").arg(self.keys().locked_queues()).arg(queue);
        self.pipeline("lock a queue", &lock).await.map(drop)
    }

    /// Opens a queue again, and tells the workers. Answers whether it was closed.
    pub async fn unlock_queue(&self, queue: &str, now: Timestamp) -> Result<bool, Error> {
        let was_locked = self.queue_lock(queue, now).await?.is_some();
        let mut unlock = redis::pipe();
        unlock.atomic().cmd("ZREM").arg(self.keys().seats(queue)).arg(SYSTEM_LOCK);
        unlock.cmd("SREM").arg(self.keys().locked_queues()).arg(queue);
        unlock.cmd("PUBLISH").arg(self.keys().activity()).arg(queue);
        self.pipeline("unlock a queue", &unlock).await?;
        Ok(was_locked)
    }

    /// Until when a queue is closed; `None` where it is open.
    pub async fn queue_lock(&self, queue: &str, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        Ok(self.queue_locks(&[queue], now).await?.pop().flatten())
    }

    /// Every queue that was locked from here, with the end of its lock. A lock of TaskTiger's own is found by the
    /// queue's name only.
    pub async fn locked_queues(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, Error> {
        let mut ask = redis::cmd("SMEMBERS");
        ask.arg(self.keys().locked_queues());
        let queues = texts(self.command("list locked queues", &ask).await?);
        let locks = self.queue_locks(&queues, now).await?;
        let locked = queues.into_iter().zip(locks);
        Ok(locked.filter_map(|(queue, until)| Some((queue, until?))).collect())
    }

    /// Until when each of these queues is closed, in one round trip.
    pub async fn queue_locks(
        &self,
        queues: &[impl AsRef<str>],
        now: Timestamp,
    ) -> Result<Vec<Option<Timestamp>>, Error> {
        let mut ask = redis::pipe();
        for queue in queues {
            ask.cmd("ZSCORE").arg(self.keys().seats(queue.as_ref())).arg(SYSTEM_LOCK);
        }
        let answers =
            if queues.is_empty() { Vec::new() } else { self.pipeline("read queue locks", &ask).await? };
        let until = |answer: Value| {
            let text = crate::claim::text(answer)?;
            text.parse().ok().filter(|until: &Timestamp| *until > now)
        };
        Ok(answers.into_iter().map(until).collect())
    }

    /// Who holds seats of a queue, and until when: Margay's runs and TaskTiger's workers.
    pub async fn seats(&self, queue: &str) -> Result<Vec<(String, Timestamp)>, Error> {
        let mut ask = redis::cmd("ZRANGE");
        ask.arg(self.keys().seats(queue)).arg(0).arg(-1).arg("WITHSCORES");
        let answer = self.command("read a queue's seats", &ask).await?;
        Ok(members(&answer).into_iter().filter(|(name, _)| name != SYSTEM_LOCK).collect())
    }
}
