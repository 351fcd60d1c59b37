//! The transitions, on a real Redis.

extern crate margay_queue as queue;

mod bench;
mod claim;
mod connect;
mod enqueue;
mod inspect;
mod lease;
mod lock;
mod migrate;
mod plan;
mod promote;
mod reclaim;
mod scan;
mod seats;
mod settle;

use bench::Bench;
