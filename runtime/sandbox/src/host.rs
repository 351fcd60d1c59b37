//! What a guest can ask of its host: the `context` and `log` interfaces, and the state behind WASI.
//!
//! Follow-ups and saved results are only noted here; whether they come true is decided after the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::value::RawValue;
use tracing::Level;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::margay::task::{context, log, types as wit};
use crate::limits::Meter;
use crate::output::{Capture, Stream};
use crate::{Effects, Functions, Grants, Limits, convert};

/// How many random bytes a guest gets at once.
const MAX_RANDOM_BYTES: u64 = 1 << 20;

/// Everything that belongs to one run on the host's side.
pub(crate) struct State {
    pub(crate) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) grants: Grants,
    functions: Arc<dyn Functions>,
    pub(crate) meter: Meter,
    pub(crate) capture: Capture,
    pub(crate) calls: Arc<Vec<wit::Call>>,
    pub(crate) effects: Effects,
    effect_bytes: u64,
    limits: Limits,
    deadline: Instant,
    cancelled: Arc<AtomicBool>,
}

impl State {
    pub(crate) fn new(
        calls: Arc<Vec<wit::Call>>,
        limits: &Limits,
        grants: &Grants,
        functions: Arc<dyn Functions>,
        capture: Capture,
        cancelled: Arc<AtomicBool>,
        deadline: Instant,
    ) -> State {
        // No environment, no arguments, no input, no network: the builder's defaults.
        let wasi = WasiCtx::builder()
            .stdout(capture.pipe(Stream::Stdout))
            .stderr(capture.pipe(Stream::Stderr))
            .max_random_size(MAX_RANDOM_BYTES)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles as usize);
        State {
            wasi,
            table,
            grants: grants.clone(),
            functions,
            meter: Meter::new(limits),
            capture,
            calls,
            effects: Effects::default(),
            effect_bytes: 0,
            limits: limits.clone(),
            deadline,
            cancelled,
        }
    }

    fn charge_effect(&mut self, bytes: usize) -> Result<(), String> {
        let limit = self.limits.effect_bytes;
        let sum = self.effect_bytes.saturating_add(bytes as u64);
        if sum > limit {
            return Err(format!("the run's follow-ups and saved results exceed {limit} bytes"));
        }
        self.effect_bytes = sum;
        Ok(())
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl wit::Host for State {}

impl context::Host for State {
    fn current(&mut self) -> Vec<wit::TaskInfo> {
        self.calls.iter().map(|call| call.task.clone()).collect()
    }

    fn time_left(&mut self) -> wit::Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }

    fn cancelled(&mut self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn progress(&mut self, fraction: f64, message: Option<String>) {
        self.capture.progress(fraction, message.as_deref());
    }

    fn enqueue(&mut self, task: context::FollowUp) -> Result<String, String> {
        let limit = self.limits.follow_ups;
        if self.effects.follow_ups.len() >= limit as usize {
            return Err(format!("the run has enqueued {limit} follow-ups already, which is its limit"));
        }
        let names = task.function.len() + task.retry_on.iter().map(String::len).sum::<usize>();
        let bytes = names + task.args.len() + task.kwargs.len() + task.queue.as_ref().map_or(0, String::len);
        let running = self.calls.first().map_or("", |call| &call.task.function);
        let follow_up = convert::follow_up(task, running, &*self.functions)?;
        self.charge_effect(bytes)?;
        let id = follow_up.task.id.clone();
        self.effects.follow_ups.push(follow_up);
        Ok(id)
    }

    fn save_result(&mut self, index: u32, value: wit::Json) -> Result<(), String> {
        let calls = self.calls.len();
        if index as usize >= calls {
            return Err(format!("there is no call {index} in this run of {calls}"));
        }
        check_result(&value, self.limits.result_bytes).map_err(|(_, message)| message)?;
        self.charge_effect(value.len())?;
        let results = &mut self.effects.results;
        match results.iter_mut().find(|(known, _)| *known == index) {
            Some((_, saved)) => {
                self.effect_bytes -= saved.len() as u64;
                *saved = value;
            }
            None => results.push((index, value)),
        }
        Ok(())
    }
}

impl log::Host for State {
    fn write(&mut self, level: wit::LogLevel, message: String, fields: Vec<(String, String)>) {
        let level = match level {
            wit::LogLevel::Trace => Level::TRACE,
            wit::LogLevel::Debug => Level::DEBUG,
            wit::LogLevel::Info => Level::INFO,
            wit::LogLevel::Warn => Level::WARN,
            wit::LogLevel::Error => Level::ERROR,
        };
        self.capture.log(level, &message, &fields);
    }
}

/// A result must be JSON and within its limit; else the answer is the kind of failure it is, and why.
pub(crate) fn check_result(result: &str, limit_bytes: u64) -> Result<(), (&'static str, String)> {
    if result.len() as u64 > limit_bytes {
        let message = format!("the result has {} bytes; the limit is {limit_bytes}", result.len());
        return Err(("result-too-large", message));
    }
    serde_json::from_str::<&RawValue>(result)
        .map(|_| ())
        .map_err(|error| ("result-not-json", format!("the result is not JSON: {error}")))
}
