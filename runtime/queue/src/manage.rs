//! Manage: what an operator does to tasks that do not run.
//!
//! Every call acts on tasks where they were found, and leaves those alone that have moved since: whoever
//! asked for failed tasks of last week does not mean one that was retried meanwhile and failed anew.

use redis::Value;
use task::{Filter, Timestamp};

use crate::script::{DELETE, RETRY, Script};
use crate::{Client, Error, Found, MAX_BATCH, Place, Selection, State};

/// Tasks that are retried together keep their order by scores this far apart, in seconds: a clock's tick that
/// a score can still tell.
const APART: f64 = 1e-6;

impl Client {
    /// Puts a failed task back into its queue, from the place where it was found. Its executions stay and count;
    /// what its workers did to it is forgiven. Answers whether it was still there.
    pub async fn retry(&self, found: &Found, now: Timestamp) -> Result<bool, Error> {
        Ok(found.state == State::Error && self.retry_batch(std::slice::from_ref(found), now).await? == 1)
    }

    /// Retries many, in the order given, and in two round trips for every few hundred. Answers how many were
    /// still there; those in another state than `error` are left alone.
    pub async fn retry_all(&self, places: &[Place], now: Timestamp) -> Result<u64, Error> {
        let failed: Vec<&Place> = places.iter().filter(|place| place.state == State::Error).collect();
        let (mut retried, mut before) = (0, 0);
        for chunk in failed.chunks(MAX_BATCH) {
            let found = self.load(chunk.iter().map(|place| (*place).clone()).collect(), 0).await?;
            retried += self.retry_batch(&found, now + before as f64 * APART).await?;
            before += chunk.len();
        }
        Ok(retried)
    }

    async fn retry_batch(&self, batch: &[Found], now: Timestamp) -> Result<u64, Error> {
        let mut call = RETRY.call(self);
        for (at, found) in batch.iter().enumerate() {
            call.arg(&found.queue).arg(&found.id).arg(found.score);
            call.arg(now + at as f64 * APART).arg(forgiven(found).unwrap_or_default());
        }
        count(&RETRY, RETRY.run(self, &call).await?)
    }

    /// Deletes a task from the place where it was found. Answers whether it was still there. A task that runs
    /// cannot be deleted: it is its worker's.
    pub async fn delete(&self, found: &Found) -> Result<bool, Error> {
        Ok(self.delete_all(&[found.place()]).await? == 1)
    }

    /// Deletes many, in one round trip for every few hundred. Answers how many were still there.
    pub async fn delete_all(&self, places: &[Place]) -> Result<u64, Error> {
        let idle: Vec<&Place> = places.iter().filter(|place| place.state != State::Active).collect();
        let mut deleted = 0;
        for chunk in idle.chunks(MAX_BATCH) {
            let mut call = DELETE.call(self);
            for place in chunk {
                call.arg(place.state.as_str()).arg(&place.queue).arg(&place.id).arg(place.score);
            }
            deleted += count(&DELETE, DELETE.run(self, &call).await?)?;
        }
        Ok(deleted)
    }

    /// Deletes a task that waits for its time. Answers whether it was still scheduled; in any other state it
    /// is left alone.
    pub async fn cancel(&self, found: &Found) -> Result<bool, Error> {
        Ok(found.state == State::Scheduled && self.delete(found).await?)
    }

    /// Deletes failed tasks of these queues, the oldest first: those that failed at `before` or earlier, and at
    /// most so many. Those without a payload too. Answers how many. TaskTiger's `purge_errored_tasks`.
    pub async fn purge(&self, queues: Filter, before: Option<Timestamp>, limit: usize) -> Result<u64, Error> {
        let failed = Selection { queues, before, limit, ..Selection::of(State::Error) };
        let mut walk = self.select(failed).await?;
        let mut deleted = 0;
        while let Some(places) = walk.next().await? {
            deleted += self.delete_all(&places).await?;
        }
        Ok(deleted)
    }
}

fn count(script: &Script, answer: Value) -> Result<u64, Error> {
    match answer {
        Value::Int(number) => Ok(number.unsigned_abs()),
        answer => Err(script.unexpected(&answer)),
    }
}

/// The payload without its redeliveries, where it has any.
fn forgiven(found: &Found) -> Option<String> {
    let mut task = found.task.as_ref().ok().filter(|task| task.margay.redeliveries > 0)?.clone();
    task.margay.redeliveries = 0;
    Some(task.to_json())
}
