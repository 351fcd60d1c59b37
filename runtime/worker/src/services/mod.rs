//! What a worker does beside running tasks. Every service has the same shape: wait for a tick or a message,
//! do one bounded thing, say what failed and try again, until the worker stops.

pub(crate) mod librarian;
pub(crate) mod listener;
pub(crate) mod planner;
pub(crate) mod promoter;
pub(crate) mod reclaimer;

mod rounds;
