//! Lua scripts: loaded at connect, run by their digest, loaded again once where Redis has forgotten them.

use std::sync::OnceLock;

use redis::{Cmd, ErrorKind, ServerErrorKind, Value};

use crate::{Client, Error, State};

/// One transition's script, joined with the helpers it uses. Its first key routes it, its first argument is
/// the keyspace's prefix.
pub struct Script {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    digest: OnceLock<String>,
}

macro_rules! scripts {
    ($($constant:ident = $file:literal + [$($helper:literal),*];)*) => {
        $(pub(crate) static $constant: Script = Script::new(
            $file,
            concat!($(include_str!(concat!("../lua/lib/", $helper, ".lua")),)* include_str!(concat!($file, ".lua"))),
        );)*
        pub(crate) static ALL: &[&Script] = &[$(&$constant),*];
    };
}

scripts! {
    ENQUEUE = "enqueue" + ["keyspace", "room"];
    CLAIM = "claim" + ["keyspace", "remove"];
    LOCK = "lock" + ["keyspace", "locks"];
    HEARTBEAT = "heartbeat" + ["keyspace", "locks"];
    SETTLE = "settle" + ["keyspace", "put", "remove", "room", "locks", "seats"];
    RELEASE = "release" + ["keyspace", "locks", "seats"];
    PROMOTE = "promote" + ["keyspace"];
    UPCOMING = "upcoming" + ["keyspace"];
    PLAN = "plan" + ["keyspace", "put"];
    REPLAN = "replan" + ["keyspace", "remove"];
    RECLAIM = "reclaim" + ["keyspace", "remove"];
    EXPIRED = "expired" + ["keyspace", "remove"];
    RETRY = "retry" + ["keyspace"];
    DELETE = "delete" + ["keyspace", "remove"];
    RESCHEDULE = "reschedule" + ["keyspace"];
    FIND = "find" + ["keyspace"];
    SCAN = "scan" + [];
    CLEAR_OLD_LOCKS = "clear_old_locks" + [];
    COUNT_EXECUTIONS = "count_executions" + [];
    SELECT = "select" + ["keyspace"];
}

impl Script {
    /// A script, under the name that errors give it.
    pub const fn new(name: &'static str, text: &'static str) -> Script {
        Script { name, text, digest: OnceLock::new() }
    }

    /// Begins a call in this keyspace; the caller adds the arguments after the prefix.
    pub fn call(&self, client: &Client) -> Cmd {
        let digest = self.digest.get_or_init(|| redis::Script::new(self.text).get_hash().to_owned());
        let mut call = redis::cmd("EVALSHA");
        call.arg(digest).arg(1).arg(client.keys().state(State::Queued)).arg(client.keys().prefix());
        call
    }

    /// Sends a call.
    pub async fn run(&self, client: &Client, call: &Cmd) -> Result<Value, Error> {
        match client.command(self.name, call).await {
            Err(Error::Call { cause, .. })
                if cause.kind() == ErrorKind::Server(ServerErrorKind::NoScript) =>
            {
                let mut load = redis::cmd("SCRIPT");
                load.arg("LOAD").arg(self.text);
                client.command("load a script", &load).await?;
                client.command(self.name, call).await
            }
            answer => answer,
        }
    }

    /// An answer that breaks the script's contract.
    pub fn unexpected(&self, answer: &impl std::fmt::Debug) -> Error {
        let answer: String = format!("{answer:?}").chars().take(200).collect();
        Error::Answer { doing: self.name, answer }
    }
}
