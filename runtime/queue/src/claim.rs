//! Claim: a worker takes tasks out of `queued`, and holds them in `active` under a lease.

use std::time::Duration;

use redis::Value;
use task::{BadPayload, FunctionName, Task, Timestamp};

use crate::script::CLAIM;
use crate::{Client, Error, Incarnation, MAX_BATCH};

/// Proof that a worker owns an active task: the score it last wrote. Whoever takes the task away changes the
/// score, and the proof is void.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// The queue it was claimed from.
    pub queue: String,
    /// Which task.
    pub id: String,
    /// The score last written to `active:<queue>`.
    pub score: Timestamp,
}

/// A task that this worker owns now.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The proof.
    pub lease: Lease,
    /// What to run, or why that cannot be known.
    pub task: Result<Task, BadPayload>,
    /// How many failures are recorded.
    pub executions: u32,
    /// Of a payload that cannot be read: what it seems to call.
    pub seems_to_call: Option<FunctionName>,
}

/// What one queue gave.
#[derive(Debug)]
pub struct Claimed {
    /// Its name.
    pub queue: String,
    /// Whether it has more that can be had.
    pub more: bool,
    /// What was claimed, in order.
    pub claims: Vec<Claim>,
    /// Ids that were queued without a payload; they are gone now.
    pub missing: Vec<String>,
}

/// How much to claim.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Batches at most; of a queue whose batches have one task, so many tasks.
    pub batches: usize,
    /// When a task that is still active elsewhere is due again.
    pub due_again: Timestamp,
    /// For how long a seat is held unless it is renewed.
    pub seat: Duration,
}

/// A queue to claim from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its name.
    pub queue: &'a str,
    /// How many batches of it may run at once, over all workers; any number where `None`.
    pub seats: Option<usize>,
    /// How many tasks make up a batch.
    pub batch: usize,
}

impl<'a> Source<'a> {
    /// A queue without a limit.
    pub fn unlimited(queue: &'a str) -> Source<'a> {
        Source { queue, seats: None, batch: 1 }
    }
}

/// Among how many queues a claim is shared where each has enough: a few tasks of each cost less than one of many.
const SHARING: usize = 16;

impl Client {
    /// Claims batches from these queues, in one round trip, and no more than a few hundred tasks. Queues share
    /// what was asked for, and those that have more fill up what the others leave. A queue that is closed, or
    /// has no free seat, gives nothing; one that comes after enough was found is not asked, and not in the answer.
    ///
    /// Of a queue with seats, each [`Source::batch`] tasks of the answer, from its beginning on, have one seat; its
    /// name is [`Incarnation::seat`] of the first one's id.
    pub async fn claim(
        &self,
        worker: &Incarnation,
        queues: &[Source<'_>],
        asked: Asked,
        now: Timestamp,
    ) -> Result<Vec<Claimed>, Error> {
        let batches = asked.batches.min(MAX_BATCH);
        if queues.is_empty() || batches == 0 {
            return Ok(Vec::new());
        }
        let mut call = CLAIM.call(self);
        call.arg(worker.as_str()).arg(now).arg(asked.due_again);
        let share = batches.div_ceil(queues.len().min(SHARING));
        call.arg(batches).arg(share).arg(MAX_BATCH).arg(asked.seat.as_secs_f64());
        for Source { queue, seats, batch } in queues {
            call.arg(queue).arg(seats.unwrap_or(0)).arg(batch.clamp(&1, &MAX_BATCH));
        }
        let answer = CLAIM.run(self, &call).await?;
        let Value::Array(queues) = answer else { return Err(CLAIM.unexpected(&answer)) };
        queues.into_iter().map(|queue| claimed(queue, now)).collect()
    }
}

fn claimed(answer: Value, now: Timestamp) -> Result<Claimed, Error> {
    let Value::Array(parts) = answer else { return Err(CLAIM.unexpected(&answer)) };
    let Ok([queue, Value::Int(more), Value::Array(taken)]) = <[Value; 3]>::try_from(parts) else {
        return Err(CLAIM.unexpected(&"not a queue, a flag and a list"));
    };
    let queue = text(queue).ok_or_else(|| CLAIM.unexpected(&"a queue without a name"))?;
    let mut claimed = Claimed { queue, more: more == 1, claims: Vec::new(), missing: Vec::new() };
    let mut taken = taken.into_iter();
    while let (Some(id), Some(payload), Some(count)) = (taken.next(), taken.next(), taken.next()) {
        let id = text(id).ok_or_else(|| CLAIM.unexpected(&"a task without an id"))?;
        let Value::BulkString(payload) = payload else {
            claimed.missing.push(id);
            continue;
        };
        let lease = Lease { queue: claimed.queue.clone(), id, score: now };
        claimed.claims.push(claim(lease, payload, number(&count)));
    }
    Ok(claimed)
}

pub(crate) fn claim(lease: Lease, payload: Vec<u8>, executions: u32) -> Claim {
    let payload = String::from_utf8(payload);
    let task = match &payload {
        Ok(payload) => Task::parse(&lease.id, payload),
        Err(error) => Err(BadPayload::Unreadable(error.to_string())),
    };
    let unread = payload.as_deref().ok().filter(|_| task.is_err());
    Claim { lease, task, executions, seems_to_call: unread.and_then(func_in) }
}

/// The function in a payload that is not quite JSON, such as Python's with a NaN.
fn func_in(payload: &str) -> Option<FunctionName> {
    let (_, after) = payload.split_once("\"func\"")?;
    let value = after.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    FunctionName::parse(value.split('"').next()?).ok()
}

pub(crate) fn parse(id: &str, payload: Vec<u8>) -> Result<Task, BadPayload> {
    let payload = String::from_utf8(payload).map_err(|error| BadPayload::Unreadable(error.to_string()))?;
    Task::parse(id, &payload)
}

pub(crate) fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

pub(crate) fn number(value: &Value) -> u32 {
    match value {
        Value::Int(number) => u32::try_from(*number).unwrap_or(0),
        Value::BulkString(bytes) => {
            std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
        }
        _ => 0,
    }
}
