//! The transitions, on a real Redis.

extern crate margay_queue as queue;

mod bench;
mod claim;
mod connect;
mod enqueue;
mod inspect;
mod lease;
mod lock;
mod manage;
mod migrate;
mod plan;
mod producer;
mod promote;
mod reclaim;
mod reschedule;
mod scan;
mod seats;
mod select;
mod settle;
mod walk;

use bench::Bench;
