//! The leash: how a run is stopped from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Why a run is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pull {
    /// Somebody else owns the task now.
    Lost,
    /// The worker stops.
    Shutdown,
}

/// One task's leash. The keeper holds one end, the run the other.
#[derive(Default)]
pub(crate) struct Leash {
    /// What the guest is told when it asks.
    pub(crate) cancelled: Arc<AtomicBool>,
    shutdown: AtomicBool,
    pulled: Notify,
}

impl Leash {
    pub(crate) fn pull(&self, why: Pull) {
        self.shutdown.store(why == Pull::Shutdown, Ordering::Release);
        self.cancelled.store(true, Ordering::Release);
        self.pulled.notify_one();
    }

    pub(crate) fn is_pulled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Waits until the leash is pulled.
    pub(crate) async fn pulled(&self) -> Pull {
        while !self.is_pulled() {
            self.pulled.notified().await;
        }
        if self.shutdown.load(Ordering::Acquire) { Pull::Shutdown } else { Pull::Lost }
    }
}
