//! Reschedule: a task that waits for its time gets another.
//!
//! The payload notes when a task is due, so it changes as well. TaskTiger's script has Redis rewrite it, which
//! turns empty lists into objects and cuts off digits; here it is written by whoever read it, and stored only
//! if it is still what was read.

use task::Timestamp;

use crate::claim::text;
use crate::script::RESCHEDULE;
use crate::{Client, Error, Found};

/// What became of a wish for another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rescheduled {
    /// It is due then.
    Done,
    /// It is not scheduled any more.
    Gone,
    /// Its payload changed under every attempt; nothing was written.
    Changed,
}

/// How often the payload is read again that somebody else has changed. A producer would have to enqueue the
/// same unique task as often within milliseconds.
const ATTEMPTS: usize = 5;

impl Client {
    /// Makes a scheduled task due at another time; at once, where that is past. Where the payload cannot be
    /// read only the time changes.
    pub async fn reschedule(
        &self,
        found: &Found,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<Rescheduled, Error> {
        let due = due.max(now);
        let mut answer = self.reschedule_as_read(found, due).await?;
        for _ in 1..ATTEMPTS {
            if answer != Rescheduled::Changed {
                break;
            }
            for again in self.load(vec![found.place()], 0).await? {
                answer = self.reschedule_as_read(&again, due).await?;
            }
        }
        Ok(answer)
    }

    async fn reschedule_as_read(&self, found: &Found, due: Timestamp) -> Result<Rescheduled, Error> {
        let payload = found.task.as_ref().ok().map(|task| {
            let mut task = task.clone();
            task.scheduled_at = Some(due);
            task.to_json()
        });
        let mut call = RESCHEDULE.call(self);
        call.arg(&found.queue).arg(&found.id).arg(due).arg(&found.payload).arg(payload.unwrap_or_default());
        let answer = RESCHEDULE.run(self, &call).await?;
        match text(answer.clone()).as_deref() {
            Some("done") => Ok(Rescheduled::Done),
            Some("gone") => Ok(Rescheduled::Gone),
            Some("changed") => Ok(Rescheduled::Changed),
            _ => Err(RESCHEDULE.unexpected(&answer)),
        }
    }
}
