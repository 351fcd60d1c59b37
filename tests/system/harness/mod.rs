//! What the tests stand on: an installation of Margay for each test, and its processes.

mod process;
mod python;
mod receiver;
mod site;

pub use process::{Answer, Running, command};
pub use receiver::Receiver;
pub use site::{CLOCKWORK, PROBE, Site, call, call_in, changed};

use std::time::Duration;

/// How long a test waits for anything before it calls that a failure. Far more than is ever needed, since
/// the tests share a few cores with compilers.
pub const PATIENCE: Duration = Duration::from_secs(60);
