//! Heartbeat: a worker says that it is there, and keeps what it holds.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use redis::Value;
use serde::{Deserialize, Serialize};
use task::Timestamp;

use crate::claim::Lease;
use crate::inspect::members;
use crate::lock::{Lock, Seat};
use crate::script::HEARTBEAT;
use crate::{Client, Error};

/// One life of one worker process. Never a host's name: two workers on one host, or one that was restarted,
/// must not be taken for each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation(String);

impl Incarnation {
    /// A new one.
    pub fn fresh() -> Incarnation {
        Incarnation(uuid::Uuid::new_v4().to_string())
    }

    /// As it stands in keys.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The seat that was taken for a batch with this first task.
    pub fn seat(&self, first_id: &str) -> String {
        format!("{}:{first_id}", self.0)
    }

    /// Whatever seats it has in a queue: good for leaving only, once the worker is gone. What is left of a batch does
    /// not tell its first task.
    pub fn all_seats(&self) -> String {
        format!("{}:", self.0)
    }

    pub(crate) fn known(text: String) -> Incarnation {
        Incarnation(text)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What others may know of a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Presence {
    /// The host it runs on.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// When it began.
    pub started: Timestamp,
    /// Margay's version.
    pub version: String,
    /// How many tasks it runs at once.
    pub concurrency: u32,
    /// The queues it was limited to; all where empty.
    pub queues: Vec<String>,
    /// How fast it works on its busiest queues.
    #[serde(default)]
    pub rates: BTreeMap<String, Rate>,
}

/// How many of a queue's tasks ended lately, each second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Tasks that are done.
    pub done: f64,
    /// Runs that failed, whether they are retried or not.
    pub failed: f64,
}

/// What a heartbeat renews.
#[derive(Clone, Copy, Debug)]
pub struct Beat<'a> {
    /// What others may know of the worker.
    pub presence: &'a Presence,
    /// For how long it counts as present.
    pub present: Duration,
    /// The leases; each task once.
    pub leases: &'a [Lease],
    /// The locks of its runs.
    pub locks: &'a [Lock],
    /// The seats of its runs.
    pub seats: &'a [Seat],
    /// For how long locks and seats hold unless they are renewed.
    pub hold: Duration,
    /// Whether this heartbeat, with the same time, was sent before and its answer lost.
    pub repeated: bool,
}

/// What a heartbeat could not renew: places in its lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct NotRenewed {
    /// Leases that are lost.
    pub leases: Vec<usize>,
    /// Locks that somebody else has taken.
    pub locks: Vec<usize>,
}

impl Client {
    /// Renews what the heartbeat names; the scores of the leases become `now`.
    ///
    /// Where the answer is lost, the call is repeated with the same `now`, and says so.
    pub async fn heartbeat(
        &self,
        worker: &Incarnation,
        beat: Beat<'_>,
        now: Timestamp,
    ) -> Result<NotRenewed, Error> {
        let about = serde_json::to_string(beat.presence).expect("a presence has only plain fields");
        let mut call = HEARTBEAT.call(self);
        call.arg(worker.as_str()).arg(about).arg(beat.present.as_millis() as u64);
        call.arg(now).arg(u8::from(beat.repeated)).arg(beat.hold.as_millis() as u64);
        call.arg(beat.leases.len()).arg(beat.locks.len());
        for lease in beat.leases {
            call.arg(&lease.queue).arg(&lease.id).arg(lease.score);
        }
        for lock in beat.locks {
            call.arg(&lock.id).arg(&lock.token);
        }
        for seat in beat.seats {
            call.arg(&seat.queue).arg(&seat.name);
        }
        let answer = HEARTBEAT.run(self, &call).await?;
        match &answer {
            Value::Array(parts) => match parts.as_slice() {
                [Value::Array(leases), Value::Array(locks)] => {
                    Ok(NotRenewed { leases: places(leases)?, locks: places(locks)? })
                }
                _ => Err(HEARTBEAT.unexpected(&answer)),
            },
            _ => Err(HEARTBEAT.unexpected(&answer)),
        }
    }

    /// Everything a worker holds, according to Redis.
    pub async fn claims(&self, worker: &Incarnation) -> Result<Vec<Lease>, Error> {
        let mut ask = redis::cmd("ZRANGE");
        ask.arg(self.keys().claims(worker.as_str())).arg(0).arg(-1).arg("WITHSCORES");
        let answer = self.command("read a worker's claims", &ask).await?;
        let lease = |(claim, score): (String, Timestamp)| {
            let (queue, id) = claim.rsplit_once(':')?;
            Some(Lease { queue: queue.to_owned(), id: id.to_owned(), score })
        };
        Ok(members(&answer).into_iter().filter_map(lease).collect())
    }

    /// Ends a worker's presence. What it still holds is found by others; a worker that holds nothing is forgotten.
    pub async fn leave(&self, worker: &Incarnation) -> Result<(), Error> {
        let holds_nothing = self.claims(worker).await?.is_empty();
        let mut leave = redis::pipe();
        leave.cmd("DEL").arg(self.keys().worker(worker.as_str()));
        if holds_nothing {
            leave.cmd("SREM").arg(self.keys().workers()).arg(worker.as_str());
        }
        self.pipeline("end the worker's presence", &leave).await.map(drop)
    }
}

fn places(answer: &[Value]) -> Result<Vec<usize>, Error> {
    let place = |value: &Value| match value {
        Value::Int(place) => Ok(place.unsigned_abs() as usize),
        other => Err(HEARTBEAT.unexpected(other)),
    };
    answer.iter().map(place).collect()
}
