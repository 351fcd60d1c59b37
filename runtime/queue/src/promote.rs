//! Promote: what is due goes from `scheduled` to `queued`.

use redis::Value;
use task::Timestamp;

use crate::claim::text;
use crate::script::PROMOTE;
use crate::{Client, Error};

/// What one queue's promotion did.
#[derive(Clone, Debug, PartialEq)]
pub struct Promoted {
    /// How many tasks were due.
    pub tasks: u64,
    /// When the next one is due.
    pub next_due: Option<Timestamp>,
}

/// Both halves of each pair fit one unpack.
const MOST: usize = 500;

impl Client {
    /// Promotes what is due in these queues, at most 500 tasks of each, in one round trip. The answers come
    /// in order.
    pub async fn promote(&self, queues: &[impl AsRef<str>], now: Timestamp) -> Result<Vec<Promoted>, Error> {
        let mut call = PROMOTE.call(self);
        call.arg(now).arg(MOST);
        for queue in queues {
            call.arg(queue.as_ref());
        }
        let answer = PROMOTE.run(self, &call).await?;
        let Value::Array(parts) = answer else { return Err(PROMOTE.unexpected(&answer)) };
        let mut parts = parts.into_iter();
        let mut promoted = Vec::with_capacity(queues.len());
        while let (Some(Value::Int(tasks)), Some(due)) = (parts.next(), parts.next()) {
            let next_due = text(due).and_then(|due| due.parse().ok());
            promoted.push(Promoted { tasks: tasks.unsigned_abs(), next_due });
        }
        Ok(promoted)
    }
}
