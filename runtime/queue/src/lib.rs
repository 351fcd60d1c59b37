//! The life of a task in Redis.
//!
//! One file per transition, each beside the Lua script of the same name that makes it atomic. Keys, payloads
//! and states are TaskTiger's, so Python producers and tools share the keyspace; what Margay adds (presence,
//! claims, results) lives in keys of its own. This crate never runs a task, and its transitions never read a
//! clock: `now` is an argument, in seconds since the epoch.

mod connect;
mod keys;
mod script;

mod enqueue;

mod claim;
mod heartbeat;
mod lock;
mod settle;

mod plan;
mod promote;
mod reclaim;
mod system_lock;

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
pub use heartbeat::{Beat, Incarnation, NotRenewed, Presence};
pub use inspect::{Found, Listing, Page, Place, QueueCounts};
pub use keys::{Keys, State};
pub use lock::{Lock, Locking, Seat};
pub use migrate::{ActiveTasks, Cleared, Counted, OldLock, OldLocks, Until};
pub use plan::Running;
pub use promote::Promoted;
pub use reclaim::Orphans;
pub use reschedule::Rescheduled;
pub use result::{Ended, Kept};
pub use scan::{Expiry, KeyStats, KeyWalk};
pub use script::Script;
pub use select::{Selection, Walk};
pub use settle::{Settled, Settlement};
pub use system_lock::UNTIL_UNLOCKED;

/// How many tasks one call moves at most: so many that three keys for each still fit one unpack of Lua.
pub const MAX_BATCH: usize = 320;

/// The current time as Redis scores have it: seconds since the epoch, to the microsecond.
pub fn now() -> task::Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_micros() as f64 / 1e6
}

/// A new id for a task that is not unique: sorts by time, so that equal scores keep their order.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}
