//! The engine behind all runs of a process: compiled once, pooled, shared.
//!
//! Its settings follow one rule: a run costs no system call on memory. Instances live in slots that are
//! made ready again without `madvise` and `mprotect`, which would also stop every other thread. A fresh
//! instance then takes some 10 us, and two threads run nearly twice as many as one.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::{fs, io};

use thiserror::Error;
use tokio::sync::Semaphore;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{cli, filesystem, random};
use wasmtime_wasi::random::WasiRandom;

use crate::bindings::TaskModule;
use crate::grants::{Preopens, PreopensView};
use crate::host::State;
use crate::ticker::Ticker;
use crate::traceback;

/// What all runs of a sandbox have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many runs there may be at once; more wait for their turn. Default: 100.
    pub slots: u32,
    /// How much a run may compute, in wasmtime's units of fuel: a budget that does not depend on the
    /// machine. Guests run up to twice as slow with it. Default: none.
    pub fuel: Option<u64>,
    /// The largest component that is compiled. Default: 64 MiB.
    pub max_component_bytes: u64,
    /// The largest memory that any limits can allow. One instruction can fill it and cannot be
    /// interrupted: 512 MiB take a second. Default: 512 MiB.
    pub max_memory_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { slots: 100, fuel: None, max_component_bytes: 64 << 20, max_memory_bytes: 512 << 20 }
    }
}

/// Runs components. Cheap to clone; all clones share their slots.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<State>,
    pub(crate) permits: Semaphore,
    pub(crate) ticker: Ticker,
    pub(crate) settings: Settings,
}

/// A sandbox that cannot be set up, and why.
#[derive(Debug, Error)]
pub enum Error {
    /// The engine cannot have what the settings ask for.
    #[error("cannot set up the WebAssembly engine for {slots} slots: {source}; try fewer slots")]
    Engine {
        /// How many slots were asked for.
        slots: u32,
        /// What wasmtime says.
        source: wasmtime::Error,
    },
    /// The host's functions cannot be linked.
    #[error("cannot link the host functions: {0}")]
    Link(wasmtime::Error),
    /// No thread for the clock.
    #[error("cannot start the ticker's thread: {0}")]
    Ticker(io::Error),
}

impl Sandbox {
    /// Sets up the engine, its slots and its clock.
    pub fn new(settings: Settings) -> Result<Sandbox, Error> {
        let settings = Settings { slots: affordable_slots(settings.slots.max(1)), ..settings };
        let slots = settings.slots;
        let engine = Engine::new(&config(&settings)).map_err(|source| Error::Engine { slots, source })?;
        let linker = link(&engine).map_err(Error::Link)?;
        let ticker = Ticker::start(&engine).map_err(Error::Ticker)?;
        let permits = Semaphore::new(slots as usize);
        Ok(Sandbox { inner: Arc::new(Inner { engine, linker, permits, ticker, settings }) })
    }

    /// How many runs there may be at once: the settings' number, or fewer where the system allows fewer
    /// memory mappings.
    pub fn slots(&self) -> u32 {
        self.inner.settings.slots
    }
}

/// Memory mappings that the rest of the process may need, and those that one slot takes.
const MAPS_RESERVED: u32 = 3_000;
const MAPS_PER_SLOT: u32 = 6;

/// Beyond `vm.max_map_count` every allocation of the process may fail, so that we stay below it.
fn affordable_slots(wanted: u32) -> u32 {
    let Ok(text) = fs::read_to_string("/proc/sys/vm/max_map_count") else { return wanted };
    let Ok(max_map_count) = text.trim().parse::<u32>() else { return wanted };
    let affordable = (max_map_count.saturating_sub(MAPS_RESERVED) / MAPS_PER_SLOT).max(1);
    if affordable < wanted {
        tracing::warn!(
            wanted,
            affordable,
            max_map_count,
            "fewer slots than asked for; raise `vm.max_map_count`"
        );
    }
    wanted.min(affordable)
}

/// What one component may have. The pool holds as much for every slot, so that no guest can take what
/// another needs. Python has 65 to 108 core instances, Rust 18 to 30; JavaScript has 2 to 3 memories.
const CORE_INSTANCES: u32 = 120;
const MEMORIES: u32 = 3;
const TABLES: u32 = 4;

/// Each memory reserves 4 GiB of addresses, of which a process has 128 TiB: where there are thousands of
/// slots, their second and third memories are shared.
const MAX_MEMORIES: u32 = 15_000;

fn config(settings: &Settings) -> Config {
    let slots = settings.slots;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_stacks(slots)
        .total_core_instances(CORE_INSTANCES * slots)
        .total_memories((MEMORIES * slots).min(MAX_MEMORIES.max(slots)))
        .total_tables(TABLES * slots)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_memory_size(usize::try_from(settings.max_memory_bytes).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(keep_resident_bytes())
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto)
        // A slot that was used last by the same component need not be mapped anew.
        .max_unused_warm_slots(1_000);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .consume_fuel(settings.fuel.is_some())
        // Only the asynchronous component ABI needs it, and it costs 3 us a run.
        .concurrency_support(false)
        // Reading debug information takes 15 to 40 ms a trap.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(traceback::MAX_FRAMES))
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20);
    config
}

/// How much of a slot's memory is cleaned by hand, and not by the system. With PAGEMAP_SCAN (Linux 6.7)
/// only pages that were written are cleaned, so that it may cover the whole memory of most guests. Without
/// it everything up to there is cleaned each time: little is best.
fn keep_resident_bytes() -> usize {
    if PoolingAllocationConfig::is_pagemap_scan_available() { 4 << 20 } else { 64 << 10 }
}

/// The host functions that components may import. Sockets and HTTP are not among them.
fn link(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    // Clocks, random numbers, input and output.
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(l)?;
    random::insecure::add_to_linker::<State, WasiRandom>(l, |state| state.wasi.random())?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(l, |state| state.wasi.random())?;
    cli::environment::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::exit::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    filesystem::types::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    filesystem::preopens::add_to_linker::<State, Preopens>(l, |state| PreopensView {
        grants: &state.grants,
        table: &mut state.table,
    })?;
    TaskModule::add_to_linker::<State, HasSelf<State>>(l, |state| state)?;
    Ok(linker)
}
