//! The life of a task in Redis.
//!
//! One file per transition, each beside the Lua script of the same name that makes it atomic. Keys, payloads
//! and states are TaskTiger's, so Python producers and tools share the keyspace; what Margay adds (presence,
//! claims, results) lives in keys of its own. This crate never runs a task, and its transitions never read a
//! clock: `now` is an argument, in seconds since the epoch.
//!
//! A producer needs no more than a client and its drafts:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use margay_queue::{Client, RetryMethod};
//!
//! # async fn example() -> Result<(), margay_queue::Error> {
//! let client = Client::connect("redis://127.0.0.1:6379").await?;
//! let id = client
//!     .task("mail:send")
//!     .arg(7)
//!     .kwarg("lang", "es")
//!     .queue("mail")
//!     .delay(Duration::from_secs(60))
//!     .retry(RetryMethod::Fixed { delay: 5.0, max: 3 })
//!     .unique()
//!     .enqueue()
//!     .await?;
//! println!("the task is {id}");
//!
//! // Many tasks in one round trip.
//! let users = [7, 8, 9].map(|user| client.task("mail:send").arg(user).build());
//! client.enqueue(users.into_iter().collect::<Result<Vec<_>, _>>()?, margay_queue::now()).await?;
//! # Ok(())
//! # }
//! ```

mod connect;
mod keys;
mod script;

mod enqueue;
mod producer;

mod claim;
mod heartbeat;
mod lock;
mod settle;

mod plan;
mod promote;
mod reclaim;
mod system_lock;
mod upcoming;

mod activity;
mod inspect;
mod manage;
mod reschedule;
mod result;
mod select;

mod migrate;
mod scan;

pub use activity::{Activity, Event};
pub use claim::{Asked, Claim, Claimed, Lease, Source};
pub use connect::{Address, Client, Error};
pub use enqueue::NewTask;
pub use heartbeat::{Beat, Incarnation, NotRenewed, Presence, Rate};
pub use inspect::{Found, Listing, Page, Place, QueueCounts};
pub use keys::{Keys, State};
pub use lock::{Lock, Locking, Seat};
pub use migrate::{ActiveTasks, Cleared, Counted, OldLock, OldLocks, Until};
pub use plan::Running;
pub use producer::{Draft, Eager, EagerError};
pub use promote::Promoted;
pub use reclaim::Orphans;
pub use reschedule::Rescheduled;
pub use result::{Ended, Kept};
pub use scan::{Expiry, KeyStats, KeyWalk};
pub use script::Script;
pub use select::{Selection, Walk};
pub use settle::{Settled, Settlement};
pub use system_lock::UNTIL_UNLOCKED;
pub use task::{Options, RetryMethod};
pub use upcoming::Upcoming;

/// How many tasks one call moves at most: so many that three keys for each still fit one unpack of Lua.
pub const MAX_BATCH: usize = 320;

/// The current time as Redis scores have it: seconds since the epoch, to the microsecond.
pub fn now() -> task::Timestamp {
    seconds_since_epoch(std::time::SystemTime::now())
}

fn seconds_since_epoch(time: std::time::SystemTime) -> task::Timestamp {
    time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_micros() as f64 / 1e6
}

/// A new id for a task that is not unique: sorts by time, so that equal scores keep their order.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}
