//! The connection: where Redis is, and whether it will do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Cmd, ErrorKind, Pipeline, Value};
use thiserror::Error;

use crate::script;
use crate::{Eager, EagerError, Keys};

/// Where a keyspace is.
#[derive(Clone, Debug)]
pub struct Address {
    /// `redis://host:port/db` or `redis+unix:///path`.
    pub url: String,
    /// What every key begins with.
    pub prefix: String,
}

/// The keyspace under TaskTiger's default prefix, `t`.
impl From<&str> for Address {
    fn from(url: &str) -> Address {
        url.to_owned().into()
    }
}

/// The keyspace under TaskTiger's default prefix, `t`.
impl From<String> for Address {
    fn from(url: String) -> Address {
        Address { url, prefix: "t".to_owned() }
    }
}

impl From<&Address> for Address {
    fn from(address: &Address) -> Address {
        address.clone()
    }
}

/// A keyspace one can work with. Cheap to clone; all clones share one connection, which comes back by itself
/// when it was lost.
#[derive(Clone)]
pub struct Client {
    pub(crate) redis: redis::Client,
    connection: ConnectionManager,
    keys: Keys,
    shown: Arc<str>,
    /// Who runs drafts at once, where somebody does.
    pub(crate) eager: Option<Arc<dyn Eager>>,
}

/// Redis could not do its part.
#[derive(Debug, Error)]
pub enum Error {
    /// The URL is not one.
    #[error(
        "`{url}` is not a Redis address: {reason}; write it as `redis://host:6379` or `redis+unix:///path/to/socket`"
    )]
    Address {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answers there.
    #[error(
        "Redis does not answer at `{address}`: {reason}; start it, or name another with --redis or MARGAY_REDIS"
    )]
    Away {
        /// Without its password.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// It wants to know who asks.
    #[error(
        "Redis at `{address}` refuses the password: {reason}; write it into the address as `redis://user:password@host`"
    )]
    Password {
        /// Without its password.
        address: String,
        /// What Redis says.
        reason: String,
    },
    /// It lacks commands that are needed.
    #[error("Redis at `{address}` has version {version}, which is too old; 6.2 or newer is needed")]
    TooOld {
        /// Without its password.
        address: String,
        /// What it says of itself.
        version: String,
    },
    /// A call failed.
    #[error("Redis could not {doing}: {cause}")]
    Call {
        /// What was wanted.
        doing: &'static str,
        /// What happened.
        cause: redis::RedisError,
    },
    /// A script answered something it never answers.
    #[error("Redis gave an unexpected answer to `{doing}`: {answer}")]
    Answer {
        /// What was wanted.
        doing: &'static str,
        /// A part of the answer.
        answer: String,
    },
    /// A queue has no room for more tasks; nothing was enqueued.
    #[error("the queue `{queue}` is full: it has {size} tasks and may have {limit}; see `max_queue_size`")]
    QueueFull {
        /// Which queue.
        queue: String,
        /// How many tasks wait and run in it.
        size: u64,
        /// How many may.
        limit: u32,
    },
    /// A name that cannot be used.
    #[error(transparent)]
    Name(#[from] task::BadName),
    /// A draft that makes no task.
    #[error("cannot enqueue `{func}`: {problems}")]
    Draft {
        /// What it wanted to call.
        func: String,
        /// Everything that is wrong with it, each with the field's name.
        problems: String,
    },
    /// A task that was run at once has failed.
    #[error(transparent)]
    Eager(#[from] EagerError),
}

/// How long one call may take before the connection counts as broken. Scripts take milliseconds; a large
/// component takes a moment.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const OLDEST: (u32, u32) = (6, 2);

impl Client {
    /// Connects to an [`Address`], or to a URL such as `redis://127.0.0.1:6379`; checks the server's version and
    /// loads the scripts. Fails at once where Redis is away.
    pub async fn connect(address: impl Into<Address>) -> Result<Client, Error> {
        let address = address.into();
        let bad_address = |error: redis::RedisError| Error::Address {
            url: without_password(&address.url),
            reason: error.detail().map_or_else(|| error.to_string(), str::to_owned),
        };
        let redis = redis::Client::open(address.url.as_str()).map_err(bad_address)?;
        let shown: Arc<str> = without_password(&address.url).into();
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_secs(1))
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let connection = ConnectionManager::new_with_config(redis.clone(), config)
            .await
            .map_err(|error| cannot_connect(&shown, &error))?;
        let client = Client { redis, connection, keys: Keys::new(&address.prefix), shown, eager: None };
        client.check_version().await?;
        client.load_scripts().await?;
        Ok(client)
    }

    /// The names of this keyspace's keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    async fn check_version(&self) -> Result<(), Error> {
        let mut ask = redis::cmd("INFO");
        ask.arg("server");
        let answer = self.command("tell its version", &ask).await.map_err(|error| match error {
            Error::Call { cause, .. } => cannot_connect(&self.shown, &cause),
            other => other,
        })?;
        let text = String::from_utf8_lossy(&text_of(&answer).unwrap_or_default()).into_owned();
        let version = text.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("unknown");
        let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
        let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if found < OLDEST {
            return Err(Error::TooOld { address: self.shown.to_string(), version: version.to_owned() });
        }
        Ok(())
    }

    async fn load_scripts(&self) -> Result<(), Error> {
        let mut load = redis::pipe();
        for script in script::ALL {
            load.cmd("SCRIPT").arg("LOAD").arg(script.text);
        }
        self.pipeline("load the scripts", &load).await.map(drop)
    }

    /// Sends one command.
    pub async fn command(&self, doing: &'static str, command: &Cmd) -> Result<Value, Error> {
        let answer = self.connection.clone().send_packed_command(command).await;
        let answer = answer.and_then(Value::extract_error);
        answer.map_err(|cause| Error::Call { doing, cause })
    }

    /// Sends many commands at once; the answers come in order.
    pub async fn pipeline(&self, doing: &'static str, commands: &Pipeline) -> Result<Vec<Value>, Error> {
        let answer = self.connection.clone().send_packed_commands(commands, 0, commands.len()).await;
        let answer = answer.and_then(|values| values.into_iter().map(Value::extract_error).collect());
        answer.map_err(|cause| Error::Call { doing, cause })
    }
}

impl Error {
    /// Whether the connection failed, so that the same call may succeed a little later. The call may have
    /// taken effect all the same.
    pub fn is_connection(&self) -> bool {
        match self {
            Error::Away { .. } => true,
            Error::Call { cause, .. } => lost(cause) || busy(cause),
            _ => false,
        }
    }

    /// Whether an answer was lost: the call may have taken effect or not.
    pub fn is_lost_answer(&self) -> bool {
        matches!(self, Error::Call { cause, .. } if lost(cause))
    }
}

fn lost(error: &redis::RedisError) -> bool {
    error.is_io_error() || error.is_timeout()
}

/// A server that starts, fails over, cannot write or is out of memory will be back. Redis 6 wraps what
/// happens inside a script into an error of its own.
fn busy(error: &redis::RedisError) -> bool {
    const SIGNS: [&str; 9] = [
        "LOADING",
        "MASTERDOWN",
        "READONLY",
        "OOM",
        "BUSY",
        "TRYAGAIN",
        "CLUSTERDOWN",
        "MISCONF",
        "NOREPLICAS",
    ];
    let detail = error.detail().unwrap_or_default();
    SIGNS.iter().any(|sign| error.code() == Some(sign) || detail.contains(&format!("-{sign} ")))
}

fn cannot_connect(address: &str, error: &redis::RedisError) -> Error {
    let address = address.to_owned();
    let refused = error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
    let reason = error.detail().map_or_else(|| error.to_string(), str::to_owned);
    if refused { Error::Password { address, reason } } else { Error::Away { address, reason } }
}

/// An address that can be shown: without what stands before `@` or behind `?`, where passwords are.
fn without_password(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(url, _)| url);
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}"),
        None => url.to_owned(),
    }
}

/// The bytes of a text answer; `None` where there is no text.
pub(crate) fn text_of(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes.clone()),
        Value::SimpleString(text) => Some(text.clone().into_bytes()),
        Value::VerbatimString { text, .. } => Some(text.clone().into_bytes()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.shown).field("prefix", &self.keys.prefix()).finish()
    }
}
