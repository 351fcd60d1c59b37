//! Scan: a walk over every key of the database, whosever it is. In steps, so that Redis serves others in
//! between; a key may come twice, as SCAN promises no better.

use std::time::Duration;

use redis::Value;

use crate::claim::text;
use crate::script::SCAN;
use crate::{Client, Error, MAX_BATCH};

/// What a walk is after.
#[derive(Clone, Debug, Default)]
pub struct KeyWalk {
    /// A glob pattern of whole names; every key where there is none.
    pub pattern: Option<String>,
    /// The expiry to give to keys.
    pub expiry: Option<Expiry>,
    /// Say what would change, and change nothing.
    pub dry_run: bool,
}

/// When keys expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// After so long, to the millisecond and at least one. Only keys without an expiry get it.
    After(Duration),
    /// Never. Only keys with an expiry lose it.
    Never,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyStats {
    /// Its whole name, which may be no text.
    pub name: Vec<u8>,
    /// Its type, as Redis calls it.
    pub kind: String,
    /// In how many seconds it expires, before any change; `None` for never.
    pub ttl: Option<u64>,
    /// Whether the walk changes its expiry, or would.
    pub changed: bool,
    /// Bytes of a string, members of a collection; `None` where the type is not known.
    pub size: Option<u64>,
}

/// Longer than any key needs: some thousand years.
const LONGEST_TTL: Duration = Duration::from_secs(1000 * 366 * 86_400);

/// About how many keys Redis looks at in one step.
const STEP: usize = 1000;

impl Client {
    /// One step of a walk: what is known of some keys, and where to go on; 0 at the end, as at the beginning.
    pub async fn walk(&self, walk: &KeyWalk, cursor: u64) -> Result<(u64, Vec<KeyStats>), Error> {
        let (next, names) = self.scan(walk.pattern.as_deref(), None, cursor).await?;
        let mut stats = Vec::with_capacity(names.len());
        for names in names.chunks(MAX_BATCH) {
            let mut call = SCAN.call(self);
            match walk.expiry {
                None => call.arg(""),
                Some(Expiry::Never) => call.arg("never"),
                // Redis takes none for a deletion, and none that its clock cannot hold.
                Some(Expiry::After(time)) => call.arg(time.min(LONGEST_TTL).as_millis().max(1) as u64),
            };
            call.arg(u8::from(walk.dry_run)).arg(names);
            let answer = SCAN.run(self, &call).await?;
            let Value::Array(parts) = answer else { return Err(SCAN.unexpected(&answer)) };
            for (name, parts) in names.iter().zip(parts.chunks_exact(4)) {
                stats.extend(key_stats(name, parts)?);
            }
        }
        Ok((next, stats))
    }

    /// One step over the names of keys, of one type where one is named.
    pub(crate) async fn scan(
        &self,
        pattern: Option<&str>,
        kind: Option<&str>,
        cursor: u64,
    ) -> Result<(u64, Vec<Vec<u8>>), Error> {
        const DOING: &str = "scan the keys";
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(STEP);
        if let Some(pattern) = pattern {
            scan.arg("MATCH").arg(pattern);
        }
        if let Some(kind) = kind {
            scan.arg("TYPE").arg(kind);
        }
        let answer = self.command(DOING, &scan).await?;
        let read: Result<(u64, Vec<Vec<u8>>), _> = redis::from_redis_value(answer);
        read.map_err(|error| Error::Answer { doing: DOING, answer: error.to_string() })
    }
}

/// What the script says of a key; `None` where it is gone.
fn key_stats(name: &[u8], parts: &[Value]) -> Result<Option<KeyStats>, Error> {
    let [kind, Value::Int(ttl), Value::Int(size), Value::Int(changed)] = parts else {
        return Err(SCAN.unexpected(&parts));
    };
    let kind = text(kind.clone()).ok_or_else(|| SCAN.unexpected(&parts))?;
    if kind == "none" {
        return Ok(None);
    }
    let (ttl, size) = (u64::try_from(*ttl).ok(), u64::try_from(*size).ok());
    Ok(Some(KeyStats { name: name.to_vec(), kind, ttl, changed: *changed == 1, size }))
}
