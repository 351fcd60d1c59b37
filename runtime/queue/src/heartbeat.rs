//! Heartbeat: a worker says that it is there, and keeps what it holds.

use std::fmt;
use std::time::Duration;

use redis::Value;
use serde::{Deserialize, Serialize};
use task::Timestamp;

use crate::claim::Lease;
use crate::inspect::members;
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
}

impl Client {
    /// Renews a worker's presence for `present` and the leases it names, each task once; their scores become
    /// `now`. Answers the places in `leases` of those that are lost.
    ///
    /// Where the answer is lost, the call is repeated with the same `now`, and says so.
    pub async fn heartbeat(
        &self,
        worker: &Incarnation,
        presence: &Presence,
        present: Duration,
        leases: &[Lease],
        now: Timestamp,
        repeated: bool,
    ) -> Result<Vec<usize>, Error> {
        let about = serde_json::to_string(presence).expect("a presence has only plain fields");
        let mut call = HEARTBEAT.call(self);
        call.arg(worker.as_str()).arg(about).arg(present.as_millis() as u64).arg(now).arg(u8::from(repeated));
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
