//! Migrate: what TaskTiger changed in its keys over time, done to a keyspace that is older.
//!
//! Up to 0.12 a lock was `P:lock:<hash>` with the time of its end as its value; since 0.13 it is
//! `P:lockv2:<hash>` with an expiry, and the one kind of worker does not see the other's. Since 0.17 retries
//! go by `executions_count`. Everything here may be repeated, and without force
//! no lock is taken away that may be held.

use redis::Value;
use task::Timestamp;

use crate::inspect::members;
use crate::script::{CLEAR_OLD_LOCKS, COUNT_EXECUTIONS};
use crate::{Client, Error, Incarnation, MAX_BATCH, Presence};

/// A lock of TaskTiger's up to 0.12.
#[derive(Clone, Debug, PartialEq)]
pub struct OldLock {
    /// Its key, which may be no text.
    pub key: Vec<u8>,
    /// Its value, as it was read.
    pub value: Vec<u8>,
}

/// How long an old lock holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Until {
    /// Until this time. It holds at that time still, and is renewed by writing a later one.
    Time(Timestamp),
    /// Without an end.
    Forever,
    /// Nobody knows: the value is no number.
    Unknown,
}

/// The old locks of a keyspace, at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OldLocks {
    /// How many are left over from the past, and can be deleted.
    pub expired: u64,
    /// How many are held.
    pub held: u64,
    /// When the last of these ends, if it is not renewed.
    pub last_end: Option<Timestamp>,
    /// Those without an end or without a readable one, a hundred at most. Time does not tell what to do.
    pub undecided: Vec<OldLock>,
    /// How many of this kind there are in all.
    pub undecided_total: u64,
}

/// What became of the expired locks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cleared {
    /// How many were deleted.
    pub deleted: u64,
    /// How many locks were found held or undecided, or were taken between the look and the deed. They stay.
    pub taken: u64,
}

/// Active tasks whose workers were heard of lately.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ActiveTasks {
    /// How many.
    pub count: u64,
    /// The latest heartbeat among them.
    pub last_heartbeat: Option<Timestamp>,
}

/// What counting executions came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counted {
    /// How many tasks with executions were looked at.
    pub tasks: u64,
    /// How many counts were raised.
    pub raised: u64,
}

/// TaskTiger writes 2^31 + 1 for a lock without an end.
const FOREVER: f64 = (1_u64 << 31) as f64;
/// How many undecided locks to keep for naming.
const NAMED: usize = 100;

impl OldLock {
    /// How long it holds.
    pub fn until(&self) -> Until {
        let number = std::str::from_utf8(&self.value).ok().and_then(|text| text.trim().parse::<f64>().ok());
        match number {
            Some(time) if time >= FOREVER => Until::Forever,
            Some(time) if !time.is_nan() => Until::Time(time),
            _ => Until::Unknown,
        }
    }

    /// Whether it can be deleted. `force` decides the undecided.
    fn is_expired(&self, now: Timestamp, force: bool) -> bool {
        match self.until() {
            Until::Time(end) => end < now,
            Until::Forever | Until::Unknown => force,
        }
    }
}

impl OldLocks {
    fn count(&mut self, lock: OldLock, now: Timestamp, force: bool) {
        match lock.until() {
            _ if lock.is_expired(now, force) => self.expired += 1,
            Until::Time(end) => {
                self.held += 1;
                self.last_end = later(self.last_end, Some(end));
            }
            Until::Forever | Until::Unknown => {
                self.undecided_total += 1;
                if self.undecided.len() < NAMED {
                    self.undecided.push(lock);
                }
            }
        }
    }
}

impl Client {
    /// Looks at all old locks. With `force`, those without a known end count as expired.
    pub async fn old_locks(&self, now: Timestamp, force: bool) -> Result<OldLocks, Error> {
        let mut locks = OldLocks::default();
        let mut cursor = 0;
        loop {
            let (next, found) = self.scan_old_locks(cursor).await?;
            for lock in found {
                locks.count(lock, now, force);
            }
            cursor = next;
            if cursor == 0 {
                return Ok(locks);
            }
        }
    }

    /// Deletes the old locks that have expired, each only if its value is still the expired one.
    pub async fn clear_old_locks(&self, now: Timestamp, force: bool) -> Result<Cleared, Error> {
        let mut cleared = Cleared::default();
        let mut cursor = 0;
        loop {
            let (next, found) = self.scan_old_locks(cursor).await?;
            let (expired, held): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|lock| lock.is_expired(now, force));
            cleared.taken += held.len() as u64;
            for locks in expired.chunks(MAX_BATCH) {
                let Cleared { deleted, taken } = self.delete_old_locks(locks).await?;
                cleared.deleted += deleted;
                cleared.taken += taken;
            }
            cursor = next;
            if cursor == 0 {
                return Ok(cleared);
            }
        }
    }

    /// Deletes locks, a few hundred at most, each only if its value is still the one that was read.
    pub async fn delete_old_locks(&self, locks: &[OldLock]) -> Result<Cleared, Error> {
        let mut call = CLEAR_OLD_LOCKS.call(self);
        for lock in locks {
            call.arg(&lock.key).arg(&lock.value);
        }
        let answer = CLEAR_OLD_LOCKS.run(self, &call).await?;
        match answer {
            Value::Array(counts) if let [Value::Int(deleted), Value::Int(changed)] = counts[..] => {
                Ok(Cleared { deleted: deleted.unsigned_abs(), taken: changed.unsigned_abs() })
            }
            other => Err(CLEAR_OLD_LOCKS.unexpected(&other)),
        }
    }

    /// One step over the old locks. The first brings the one lock that had a name of its own.
    async fn scan_old_locks(&self, cursor: u64) -> Result<(u64, Vec<OldLock>), Error> {
        let pattern = self.keys().pattern("lock:*");
        let (next, mut keys) = self.scan(Some(&pattern), Some("string"), cursor).await?;
        keys.sort_unstable();
        keys.dedup();
        if cursor == 0 {
            keys.push(self.keys().named("queue_periodic_tasks_lock").into_bytes());
        }
        if keys.is_empty() {
            return Ok((next, Vec::new()));
        }
        let mut read = redis::cmd("MGET");
        read.arg(&keys);
        let answer = self.command("read locks", &read).await?;
        let Value::Array(values) = answer else {
            return Err(Error::Answer { doing: "read locks", answer: format!("{answer:?}") });
        };
        let lock = |(key, value)| match value {
            Value::BulkString(value) => Some(OldLock { key, value }),
            _ => None,
        };
        Ok((next, keys.into_iter().zip(values).filter_map(lock).collect()))
    }

    /// Counts active tasks with a heartbeat later than `since`. Looks at the keys and not into the set of
    /// queues: a late heartbeat of TaskTiger's brings a task back without naming its queue there.
    pub async fn active_since(&self, since: Timestamp) -> Result<ActiveTasks, Error> {
        let pattern = self.keys().pattern("active:*");
        let mut tasks = ActiveTasks::default();
        let mut cursor = 0;
        loop {
            let (next, queues) = self.scan(Some(&pattern), Some("zset"), cursor).await?;
            let mut ask = redis::pipe();
            for queue in &queues {
                ask.cmd("ZCOUNT").arg(queue).arg(format!("({since}")).arg("+inf");
                ask.cmd("ZREVRANGE").arg(queue).arg(0).arg(0).arg("WITHSCORES");
            }
            let answers =
                if queues.is_empty() { Vec::new() } else { self.pipeline("read heartbeats", &ask).await? };
            for answer in answers.chunks_exact(2) {
                let [Value::Int(count @ 1..), last] = answer else { continue };
                tasks.count += count.unsigned_abs();
                let last = members(last).first().map(|(_, score)| *score);
                tasks.last_heartbeat = later(tasks.last_heartbeat, last);
            }
            cursor = next;
            if cursor == 0 {
                return Ok(tasks);
            }
        }
    }

    /// The Margay workers that are present, with what they say of themselves where that can be read.
    pub async fn present_workers(&self) -> Result<Vec<(Incarnation, Option<Presence>)>, Error> {
        const DOING: &str = "list workers";
        let unreadable =
            |error: redis::ParsingError| Error::Answer { doing: DOING, answer: error.to_string() };
        let mut ask = redis::cmd("SMEMBERS");
        ask.arg(self.keys().workers());
        let workers: Vec<String> =
            redis::from_redis_value(self.command(DOING, &ask).await?).map_err(unreadable)?;
        if workers.is_empty() {
            return Ok(Vec::new());
        }
        let mut ask = redis::cmd("MGET");
        ask.arg(workers.iter().map(|worker| self.keys().worker(worker)).collect::<Vec<_>>());
        let about: Vec<Option<Vec<u8>>> =
            redis::from_redis_value(self.command(DOING, &ask).await?).map_err(unreadable)?;
        let present = |(worker, about): (String, Option<Vec<u8>>)| {
            about.map(|about| (Incarnation::known(worker), serde_json::from_slice(&about).ok()))
        };
        Ok(workers.into_iter().zip(about).filter_map(present).collect())
    }

    /// Raises each task's count of executions to the length of its list, where it is smaller or absent.
    pub async fn count_executions(&self) -> Result<Counted, Error> {
        let pattern = self.keys().pattern("task:*:executions");
        let mut counted = Counted::default();
        let mut cursor = 0;
        loop {
            let (next, lists) = self.scan(Some(&pattern), Some("list"), cursor).await?;
            for lists in lists.chunks(MAX_BATCH) {
                let mut call = COUNT_EXECUTIONS.call(self);
                call.arg(lists);
                let answer = COUNT_EXECUTIONS.run(self, &call).await?;
                let Value::Int(raised) = answer else { return Err(COUNT_EXECUTIONS.unexpected(&answer)) };
                counted.tasks += lists.len() as u64;
                counted.raised += raised.unsigned_abs();
            }
            cursor = next;
            if cursor == 0 {
                return Ok(counted);
            }
        }
    }
}

fn later(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}
