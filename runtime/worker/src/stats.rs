//! Counts of what the worker has done.

use std::sync::atomic::{AtomicU64, Ordering};

use task::Verdict;

/// How many tasks ended which way since the worker started.
#[derive(Default)]
pub(crate) struct Stats {
    done: AtomicU64,
    retried: AtomicU64,
    failed: AtomicU64,
    requeued: AtomicU64,
    lost: AtomicU64,
}

impl Stats {
    pub(crate) fn count(&self, verdict: &Verdict) {
        let counter = match verdict {
            Verdict::Done { .. } => &self.done,
            Verdict::Retry { .. } => &self.retried,
            Verdict::Error { .. } | Verdict::Forget { .. } => &self.failed,
            Verdict::Requeue { .. } | Verdict::Defer { .. } | Verdict::Leave { .. } => &self.requeued,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// One log line with the totals.
    pub(crate) fn log(&self, message: &'static str) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        tracing::info!(
            done = read(&self.done),
            retried = read(&self.retried),
            failed = read(&self.failed),
            requeued = read(&self.requeued),
            lost = read(&self.lost),
            "{message}"
        );
    }
}
