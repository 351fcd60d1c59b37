//! A run's stay in its slot: the store, its clocks, and what is known when it is over.
//!
//! Three clocks end a run that does not end by itself. The epoch's callback stops one that computes, a
//! timer around the whole call one that waits, and fuel one that has used up its budget.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use task::{Interruption, Outcome};
use thiserror::Error;
use tokio::sync::SemaphorePermit;
use tokio::time::timeout_at;
use wasmtime::{Store, Trap, UpdateDeadline, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::bindings::margay::task::types as wit;
use crate::host::State;
use crate::output::Capture;
use crate::ticker::{TICK, Ticking};
use crate::traceback::{is_deep, panic_message, traceback};
use crate::{Effects, Functions, Grants, Limits, Output, Report, Sandbox};

/// Longer than any run: some 30 years.
const FOREVER: Duration = Duration::from_secs(1_000_000_000);

/// One run's stay in its slot. The fields are dropped in their order: the slot is free when its memory is.
pub(crate) struct Visit<'a> {
    pub(crate) store: Store<State>,
    started: Instant,
    pub(crate) deadline: Instant,
    limits: &'a Limits,
    memory_limit_bytes: u64,
    fuel: Option<u64>,
    _ticking: Ticking<'a>,
    _permit: SemaphorePermit<'a>,
}

impl Sandbox {
    /// Waits for a slot and makes a store for one run.
    pub(crate) async fn enter<'a>(
        &'a self,
        calls: Arc<Vec<wit::Call>>,
        limits: &'a Limits,
        grants: &Grants,
        functions: Arc<dyn Functions>,
        output: Arc<dyn Output>,
        cancelled: Arc<AtomicBool>,
    ) -> Visit<'a> {
        let inner = &*self.inner;
        let permit = inner.permits.acquire().await.expect("the slots are never closed");
        let ticking = inner.ticker.keep_ticking();
        let started = Instant::now();
        let deadline = started.checked_add(limits.hard_timeout).unwrap_or(started + FOREVER);
        let capture = Capture::new(output, limits.output_bytes);
        let state = State::new(calls, limits, grants, functions, capture, cancelled, deadline);
        let mut store = Store::new(&inner.engine, state);
        store.limiter(|state| &mut state.meter);
        store.set_hostcall_fuel(usize::try_from(limits.hostcall_bytes).unwrap_or(usize::MAX));
        store.set_max_component_handles(limits.handles as usize);
        // At once, because instantiation runs guest code too; a deadline of 0 would be over already.
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| match Instant::now() >= deadline {
            true => Err(HardTimeout.into()),
            false => Ok(UpdateDeadline::Yield(1)),
        });
        if let Some(fuel) = inner.settings.fuel {
            store.set_fuel(fuel).expect("the engine of a sandbox with fuel counts it");
        }
        Visit {
            store,
            started,
            deadline,
            limits,
            memory_limit_bytes: limits.memory_bytes.min(inner.settings.max_memory_bytes),
            fuel: inner.settings.fuel,
            _ticking: ticking,
            _permit: permit,
        }
    }
}

/// Why a call has no answer.
pub(crate) enum Broken {
    /// The deadline passed while it waited.
    Overdue,
    /// It trapped, or could not be started.
    Error(wasmtime::Error),
}

/// The callback's own error, so that no trap can be taken for a timeout.
#[derive(Debug, Error)]
#[error("the hard timeout is over")]
struct HardTimeout;

/// Marks errors of instantiation.
#[derive(Debug, Error)]
#[error("the instance could not be started")]
pub(crate) struct NotStarted;

/// Waits for a call, but not past its deadline. A guest that computes is stopped by the epoch's callback,
/// which knows where it was: the timer leaves it a tick to do so.
pub(crate) async fn until<T>(
    deadline: Instant,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Result<T, Broken> {
    match timeout_at((deadline + TICK).into(), call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Broken::Error(error)),
        Err(_elapsed) => Err(Broken::Overdue),
    }
}

impl Visit<'_> {
    /// The outcome of a call that has no answer.
    pub(crate) fn outcome(&self, broken: &Broken) -> Outcome {
        let state = self.store.data();
        let stderr = state.capture.stderr_tail();
        let limit = self.limits.hard_timeout.as_secs_f64();
        let error = match broken {
            Broken::Overdue => {
                let traceback = format!("It was waiting in a host call.\n{}", stderr.trim());
                return Outcome::TimedOut { limit, traceback };
            }
            Broken::Error(error) => error,
        };
        let traceback = traceback(error, &stderr);
        if error.is::<HardTimeout>() {
            return Outcome::TimedOut { limit, traceback };
        }
        if let (Some(Trap::OutOfFuel), Some(limit)) = (error.downcast_ref(), self.fuel) {
            return Outcome::OutOfFuel { limit, traceback };
        }
        let panic = panic_message(&stderr);
        if state.meter.memory_denied() && panic.is_none() {
            return Outcome::OutOfMemory { limit_bytes: self.memory_limit_bytes, traceback };
        }
        if error.is::<NotStarted>() && !self.is_to_blame(error) {
            return Outcome::Interrupted(Interruption::HostError(format!("{error:#}")));
        }
        let message = panic.unwrap_or_else(|| self.trap_in_words(error));
        Outcome::Trapped { message, traceback }
    }

    fn trap_in_words(&self, error: &wasmtime::Error) -> String {
        if let Some(I32Exit(status)) = error.downcast_ref() {
            return format!("exited with status {status} before it returned");
        }
        if self.store.data().meter.table_denied() {
            return format!("wanted more than its {} table elements", self.limits.table_elements);
        }
        match error.downcast_ref::<Trap>() {
            // Rust keeps its stack in linear memory: an overflow is an access below it.
            Some(Trap::MemoryOutOfBounds) if is_deep(error) => {
                "stack overflow: out of bounds memory access".to_owned()
            }
            Some(trap) => trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
            None => error.root_cause().to_string(),
        }
    }

    /// Whether the guest has caused an error at its start: by its code, or by what it wants to have.
    fn is_to_blame(&self, error: &wasmtime::Error) -> bool {
        error.is::<WasmBacktrace>()
            || error.is::<Trap>()
            || self.store.data().meter.table_denied()
            || error.root_cause().to_string().contains("resource limit exceeded")
    }

    /// Closes the books: what was used, and the effects of finished calls.
    pub(crate) fn report(mut self, outcomes: Vec<Outcome>) -> Report {
        let state = self.store.data_mut();
        let mut effects = mem::take(&mut state.effects);
        let finished =
            |index: usize| outcomes.get(index).is_some_and(|end| matches!(end, Outcome::Finished(_)));
        if !(0..outcomes.len()).any(finished) {
            effects = Effects::default();
        }
        effects.results.retain(|(index, _)| finished(*index as usize));
        let peak_memory_bytes = state.meter.peak_memory_bytes();
        let fuel_used = self.fuel.map(|fuel| fuel.saturating_sub(self.store.get_fuel().unwrap_or(0)));
        Report { outcomes, effects, elapsed: self.started.elapsed(), fuel_used, peak_memory_bytes }
    }
}
