//! Reclaim: what a vanished worker held is found, to be settled by whoever finds it.

use redis::Value;
use task::Timestamp;

use crate::claim::{Claim, Lease, claim, number, text};
use crate::script::{EXPIRED, RECLAIM};
use crate::{Client, Error, Incarnation, MAX_BATCH};

/// What one vanished worker left behind.
#[derive(Debug)]
pub struct Orphans {
    /// The worker. Its orphans are settled in its name.
    pub worker: Incarnation,
    /// Its claims.
    pub claims: Vec<Claim>,
}

impl Client {
    /// Finds the claims of workers that are no longer present, a few hundred at most. They stay where they
    /// are; settling them is what takes them back, and only one finder's settlement holds.
    pub async fn orphans(&self, finder: &Incarnation) -> Result<Vec<Orphans>, Error> {
        let mut call = RECLAIM.call(self);
        call.arg(MAX_BATCH).arg(finder.as_str());
        let answer = RECLAIM.run(self, &call).await?;
        let Value::Array(workers) = answer else { return Err(RECLAIM.unexpected(&answer)) };
        workers.into_iter().map(orphans).collect()
    }
}

impl Client {
    /// Finds active tasks that nobody was heard of since a time, whoever claimed them: TaskTiger's own rule. They
    /// stay where they are; a worker that nobody knows of settles them.
    pub async fn expired(&self, before: Timestamp, most: usize) -> Result<Vec<Claim>, Error> {
        let mut call = EXPIRED.call(self);
        call.arg(before).arg(most.clamp(1, MAX_BATCH));
        match EXPIRED.run(self, &call).await? {
            Value::Array(found) => claims(&found),
            answer => Err(EXPIRED.unexpected(&answer)),
        }
    }
}

fn orphans(answer: Value) -> Result<Orphans, Error> {
    let Value::Array(parts) = answer else { return Err(RECLAIM.unexpected(&answer)) };
    let Ok([worker, Value::Array(found)]) = <[Value; 2]>::try_from(parts) else {
        return Err(RECLAIM.unexpected(&"not a worker and a list"));
    };
    let worker = text(worker).ok_or_else(|| RECLAIM.unexpected(&"a worker without a name"))?;
    Ok(Orphans { worker: Incarnation::known(worker), claims: claims(&found)? })
}

fn claims(found: &[Value]) -> Result<Vec<Claim>, Error> {
    let mut claims = Vec::new();
    for entry in found.chunks_exact(5) {
        let [queue, id, score, payload, count] = entry else { continue };
        let (Some(queue), Some(id), Some(score)) =
            (text(queue.clone()), text(id.clone()), text(score.clone()))
        else {
            return Err(RECLAIM.unexpected(&entry));
        };
        let score = score.parse().map_err(|_| RECLAIM.unexpected(&score))?;
        let payload = if let Value::BulkString(payload) = payload { payload.clone() } else { Vec::new() };
        claims.push(claim(Lease { queue, id, score }, payload, number(count)));
    }
    Ok(claims)
}
