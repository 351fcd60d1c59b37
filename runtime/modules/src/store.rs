//! The store: blobs by digest, versions by module.
//!
//! `P:blob:<sha256>` holds a component's bytes, `P:module:<name>` the record of every version by its number,
//! and `P:modules` the record of each module's current version.

use std::collections::BTreeMap;

use queue::Client;
use redis::Value;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use task::{BadName, FunctionSpec, Timestamp};
use thiserror::Error;
use tracing::warn;

use crate::Catalog;

/// The modules of one keyspace.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) client: Client,
}

/// One version of a module.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    /// Counted from 1.
    pub version: u32,
    /// SHA-256 of the component's bytes, in hex.
    pub digest: String,
    /// The component's size in bytes.
    pub size: u64,
    /// When it was deployed.
    pub deployed: Timestamp,
    /// What it offers.
    pub functions: Vec<FunctionSpec>,
}

/// The store could not do its part.
#[derive(Debug, Error)]
pub enum Error {
    /// Redis could not.
    #[error(transparent)]
    Queue(#[from] queue::Error),
    /// A name that cannot be used.
    #[error(transparent)]
    Name(#[from] BadName),
    /// A blob is not there.
    #[error("the component {digest} of module `{module}` is not in Redis; deploy it again")]
    NoBlob {
        /// Which module wants it.
        module: String,
        /// Which blob.
        digest: String,
    },
    /// A blob is not what its name says.
    #[error("the component {digest} of module `{module}` was changed in Redis; deploy it again")]
    ChangedBlob {
        /// Which module wants it.
        module: String,
        /// Which blob.
        digest: String,
    },
    /// A record in Redis cannot be read.
    #[error("the record of module `{module}` in Redis cannot be read: {reason}")]
    BadRecord {
        /// Which module.
        module: String,
        /// Why.
        reason: String,
    },
}

/// The name of these bytes in the store.
pub fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        use std::fmt::Write;
        write!(text, "{byte:02x}").expect("a text takes any text");
        text
    })
}

impl Store {
    /// The modules in this keyspace.
    pub fn new(client: Client) -> Store {
        Store { client }
    }

    /// The channel on which the names of newly deployed modules are told.
    pub fn channel(&self) -> String {
        self.client.keys().named("deploys")
    }

    /// The current version of every module. A module whose record cannot be read is left out, with a warning.
    pub async fn catalog(&self) -> Result<Catalog, Error> {
        let mut ask = redis::cmd("HGETALL");
        ask.arg(self.client.keys().named("modules"));
        let answer = self.client.command("read the modules", &ask).await?;
        let records: BTreeMap<String, String> = from_redis(answer)?;
        let mut versions = BTreeMap::new();
        for (name, record) in records {
            match read(&name, &record) {
                Ok(version) => drop(versions.insert(name, version)),
                // One module's record must not take the others away.
                Err(error) => warn!(%error, "left out a module; deploy it again"),
            }
        }
        Ok(Catalog::new(versions))
    }

    /// Every version of a module, the oldest first; none where there is no such module.
    pub async fn versions(&self, module: &str) -> Result<Vec<Version>, Error> {
        let mut ask = redis::cmd("HVALS");
        ask.arg(self.client.keys().named(&format!("module:{module}")));
        let answer = self.client.command("read a module's versions", &ask).await?;
        let records: Vec<String> = from_redis(answer)?;
        let versions: Result<Vec<Version>, Error> =
            records.iter().map(|record| read(module, record)).collect();
        let mut versions = versions?;
        versions.sort_by_key(|version| version.version);
        Ok(versions)
    }

    /// The bytes of a version, checked against its digest.
    pub async fn fetch(&self, module: &str, wanted: &str) -> Result<Vec<u8>, Error> {
        let mut ask = redis::cmd("GET");
        ask.arg(self.client.keys().named(&format!("blob:{wanted}")));
        let answer = self.client.command("fetch a component", &ask).await?;
        let Value::BulkString(bytes) = answer else {
            return Err(Error::NoBlob { module: module.to_owned(), digest: wanted.to_owned() });
        };
        if digest(&bytes) != wanted {
            return Err(Error::ChangedBlob { module: module.to_owned(), digest: wanted.to_owned() });
        }
        Ok(bytes)
    }
}

fn read(module: &str, record: &str) -> Result<Version, Error> {
    serde_json::from_str(record)
        .map_err(|error| Error::BadRecord { module: module.to_owned(), reason: error.to_string() })
}

fn from_redis<T: redis::FromRedisValue>(answer: Value) -> Result<T, Error> {
    redis::from_redis_value(answer).map_err(|error| {
        Error::Queue(queue::Error::Answer { doing: "read the modules", answer: error.to_string() })
    })
}
