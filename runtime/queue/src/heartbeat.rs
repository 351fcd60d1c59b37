//! Heartbeat: a worker says that it is there, and keeps what it holds.

use std::fmt;
use std::time::Duration;

use redis::Value;
use serde::{Deserialize, Serialize};
use task::Timestamp;

use crate::claim::{Lease, text};
use crate::script::HEARTBEAT;
use crate::{Client, Error};

/// One life of one worker process. Never a host's name: two workers on one host, or one that was restarted,
/// must not be taken for each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation(String);

impl Incarnation {
    /// A new one.
    pub fn new() -> Incarnation {
        Incarnation(uuid::Uuid::new_v4().to_string())
    }

    /// As it stands in keys.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn known(text: String) -> Incarnation {
        Incarnation(text)
    }
}

impl Default for Incarnation {
    fn default() -> Self {
        Incarnation::new()
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
}

impl Client {
    /// Renews a worker's presence for `present` and the leases it names; their scores become `now`. Answers
    /// the places in `leases` of those that are lost.
    ///
    /// Where the answer is lost, the same call may be repeated with the same `now`.
    pub async fn heartbeat(
        &self,
        worker: &Incarnation,
        presence: &Presence,
        present: Duration,
        leases: &[Lease],
        now: Timestamp,
    ) -> Result<Vec<usize>, Error> {
        let about = serde_json::to_string(presence).expect("a presence has only plain fields");
        let mut call = HEARTBEAT.call(self);
        call.arg(worker.as_str()).arg(about).arg(present.as_millis() as u64).arg(now);
        for lease in leases {
            call.arg(&lease.queue).arg(&lease.id).arg(lease.score);
        }
        let answer = HEARTBEAT.run(self, &call).await?;
        let Value::Array(lost) = answer else { return Err(HEARTBEAT.unexpected(&answer)) };
        lost.into_iter()
            .map(|place| match place {
                Value::Int(place) => Ok(place.unsigned_abs() as usize),
                other => Err(HEARTBEAT.unexpected(&other)),
            })
            .collect()
    }

    /// Everything a worker holds, according to Redis, as pairs of queue and id.
    pub async fn claims(&self, worker: &Incarnation) -> Result<Vec<(String, String)>, Error> {
        let mut ask = redis::cmd("SMEMBERS");
        ask.arg(self.keys().claims(worker.as_str()));
        let answer = self.command("read a worker's claims", &ask).await?;
        let members = match answer {
            Value::Array(members) | Value::Set(members) => members,
            other => return Err(HEARTBEAT.unexpected(&other)),
        };
        let pair =
            |claim: String| claim.rsplit_once(':').map(|(queue, id)| (queue.to_owned(), id.to_owned()));
        Ok(members.into_iter().filter_map(text).filter_map(pair).collect())
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
