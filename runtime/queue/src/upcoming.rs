//! Upcoming: which queues have something due soon. Reads only, and a part of the queues each time.

use redis::Value;
use task::Timestamp;

use crate::claim::{number, text};
use crate::script::UPCOMING;
use crate::{Client, Error};

/// What a part of the scheduled queues has coming.
#[derive(Clone, Debug, PartialEq)]
pub struct Upcoming {
    /// Where to go on; 0 at the end, as at the beginning.
    pub next: u64,
    /// Queues with something due until the time that was asked for, and when their next task is due.
    pub queues: Vec<(String, Timestamp)>,
    /// How many workers there are, to share the looking.
    pub workers: u32,
}

impl Client {
    /// Looks at about so many of the queues with scheduled tasks, for what is due until a time.
    pub async fn upcoming(&self, cursor: u64, most: usize, soon: Timestamp) -> Result<Upcoming, Error> {
        let mut call = UPCOMING.call(self);
        call.arg(cursor).arg(most).arg(soon);
        let answer = UPCOMING.run(self, &call).await?;
        let unexpected = |answer: &Value| UPCOMING.unexpected(answer);
        let Value::Array(parts) = &answer else { return Err(unexpected(&answer)) };
        let [next, workers, Value::Array(found)] = parts.as_slice() else { return Err(unexpected(&answer)) };
        let next = text(next.clone()).and_then(|next| next.parse().ok());
        let pair = |pair: &[Value]| {
            Some((text(pair[0].clone())?, text(pair[1].clone())?.parse::<Timestamp>().ok()?))
        };
        let queues = found.chunks_exact(2).filter_map(pair).collect();
        Ok(Upcoming { next: next.ok_or_else(|| unexpected(&answer))?, queues, workers: number(workers) })
    }
}
