//! Result: the record of how a task ended, for those who asked for one.
//!
//! TaskTiger has none: a finished task leaves nothing behind. A task whose payload carries a `result_ttl`
//! leaves this record for so long, and its end is told on a channel.

use std::time::Duration;

use redis::Value;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use task::Timestamp;

use crate::claim::text;
use crate::{Client, Error};

/// A record to keep, and for how long.
#[derive(Clone, Debug)]
pub struct Kept {
    /// How the task ended.
    pub record: Ended,
    /// How long to keep it.
    pub ttl: Duration,
}

/// How a task ended. Times are in seconds since the epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// Which task.
    pub id: String,
    /// What it called.
    pub func: String,
    /// The outcome in a word: `finished`, `failed`, `trapped`, `timed-out`, ...
    pub outcome: String,
    /// What it returned, where it finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// The name of what went wrong, where something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What went wrong, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it was enqueued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enqueued: Option<Timestamp>,
    /// When it was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// When its last run began.
    pub started: Timestamp,
    /// When its last run ended.
    pub ended: Timestamp,
    /// How often it ran.
    pub attempts: u32,
}

impl Ended {
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a record has only plain fields")
    }
}

impl Client {
    /// The records of these tasks, in one round trip, in order; `None` where a task has not ended, left no
    /// record, or its record is gone.
    pub async fn ended(&self, ids: &[impl AsRef<str>]) -> Result<Vec<Option<Ended>>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut ask = redis::cmd("MGET");
        for id in ids {
            ask.arg(self.keys().result(id.as_ref()));
        }
        let answer = self.command("read results", &ask).await?;
        let Value::Array(records) = answer else { return Ok(Vec::new()) };
        Ok(records
            .into_iter()
            .map(|record| text(record).and_then(|json| serde_json::from_str(&json).ok()))
            .collect())
    }

    /// Waits until a task has ended. The task must have been enqueued with a `result_ttl`; one that ends
    /// without a record, since it was deleted, is waited for in vain.
    pub async fn wait(&self, id: &str) -> Result<Ended, Error> {
        let mut activity = self.listen(vec![self.keys().ended(id)]).await?;
        loop {
            if let Some(ended) = self.ended(&[id]).await?.into_iter().flatten().next() {
                return Ok(ended);
            }
            activity.next().await;
        }
    }
}
