//! The clock behind the epoch: it advances the engine's epoch every few milliseconds while anything runs.
//!
//! At each tick every computing guest looks at its deadline and yields its thread. The ticker sleeps while
//! nothing runs, and ends with its sandbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, mem};

use wasmtime::Engine;

/// How often computing guests yield and look at their deadlines. The ticker takes 0.7 % of a core at 5 ms
/// and 3.6 % at 1 ms; a timeout of a lone guest is late by at most one tick.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// How many idle ticks pass before the ticker goes to sleep, so that a steady trickle of short runs does
/// not pay for waking it each time.
const IDLE_TICKS: u32 = 20;

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    active: AtomicUsize,
    asleep: AtomicBool,
    stopped: AtomicBool,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> io::Result<Ticker> {
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new().name("margay-ticker".to_owned()).spawn({
            let (engine, shared) = (engine.clone(), Arc::clone(&shared));
            move || tick(&engine, &shared)
        })?;
        Ok(Ticker { shared, thread: Some(thread) })
    }

    /// Keeps the epoch going until the answer is dropped.
    pub(crate) fn keep_ticking(&self) -> Ticking<'_> {
        self.shared.active.fetch_add(1, SeqCst);
        // The ticker says that it is asleep before it looks for active runs a last time, and we look after
        // we have become one: one of the two sees the other.
        if self.shared.asleep.load(SeqCst) {
            self.wake();
        }
        Ticking(&self.shared)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

fn tick(engine: &Engine, shared: &Shared) {
    let mut idle = 0;
    while !shared.stopped.load(SeqCst) {
        thread::park_timeout(TICK);
        if shared.active.load(SeqCst) > 0 {
            idle = 0;
            engine.increment_epoch();
            continue;
        }
        idle += 1;
        if idle < IDLE_TICKS {
            continue;
        }
        shared.asleep.store(true, SeqCst);
        while shared.active.load(SeqCst) == 0 && !shared.stopped.load(SeqCst) {
            thread::park();
        }
        shared.asleep.store(false, SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        self.wake();
        if let Some(thread) = mem::take(&mut self.thread) {
            // It ends at once and never panics; there is nothing to say about it.
            let _ = thread.join();
        }
    }
}

pub(crate) struct Ticking<'a>(&'a Shared);

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, SeqCst);
    }
}
