//! What the load is put on: one Redis, with the tests' module deployed, and a producer here.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use queue::{Client, Draft, NewTask, State};
use redis::Value;
use test_support::RedisServer;

use super::Arguments;
use super::figures::Figures;
use super::server::Work;
use super::worker::{Worker, deploy};

/// Where most tasks go.
pub const QUEUE: &str = "bench";

/// A Redis of its own, and a connection to it.
pub struct System {
    pub client: Client,
    server: RedisServer,
    concurrency: usize,
}

impl System {
    pub async fn start(arguments: &Arguments) -> Result<System> {
        let server = RedisServer::start();
        let client = server.client("t").await;
        deploy(&server.url(), "tests/guests/probe/target/wasm32-wasip2/release/probe.wasm")?;
        Ok(System { client, server, concurrency: arguments.concurrency })
    }

    /// Starts a worker, with these arguments beside the usual.
    pub fn worker(&self, more: &[&str]) -> Result<Worker> {
        Worker::start(&self.server.url(), self.concurrency, more)
    }

    /// A task that does nothing.
    pub fn noop(&self) -> Draft<'_> {
        self.client.task("probe:noop").queue(QUEUE)
    }

    /// Enqueues tasks, and lets one worker work them off.
    pub async fn drain(&self, tasks: Vec<NewTask>, more: &[&str]) -> Result<Drain> {
        let n = tasks.len();
        self.client.enqueue(tasks, queue::now()).await?;
        let full = Work::read(&self.client).await?;
        let _worker = self.worker(more)?;
        let started = Instant::now();
        self.drained().await?;
        let rate = n as f64 / started.elapsed().as_secs_f64();
        let (cpu_us, scripts_us) = Work::read(&self.client).await?.since(full, n);
        Ok(Drain { rate, cpu_us, scripts_us })
    }

    /// Waits until every task has ended. Looks rarely, so as not to be part of the load.
    pub async fn drained(&self) -> Result<()> {
        let mut ask = redis::pipe();
        for state in State::ALL {
            ask.cmd("SCARD").arg(self.client.keys().state(state));
        }
        loop {
            let sizes = self.client.pipeline("count queues", &ask).await?;
            let [waiting @ .., failed] = sizes.as_slice() else { continue };
            ensure!(*failed == Value::Int(0), "tasks have failed: what was measured is worth nothing");
            if waiting.iter().all(|size| *size == Value::Int(0)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// How fast a queue was worked off, and what each task cost Redis.
pub struct Drain {
    rate: f64,
    cpu_us: f64,
    scripts_us: f64,
}

/// The same drain, once in each round.
#[derive(Default)]
pub struct Drains {
    rates: Vec<f64>,
    cpu_us: Vec<f64>,
    scripts_us: Vec<f64>,
}

impl Drains {
    pub fn add(&mut self, drain: Drain) {
        self.rates.push(drain.rate);
        self.cpu_us.push(drain.cpu_us);
        self.scripts_us.push(drain.scripts_us);
    }

    pub fn note_rate(&self, figures: &mut Figures, what: &str, goal: &'static str) {
        figures.note(what, "tasks/s", goal, self.rates.clone());
    }

    pub fn note_scripts(&self, figures: &mut Figures, what: &str, goal: &'static str) {
        figures.note(format!("{what}: Redis in scripts"), "us/task", goal, self.scripts_us.clone());
    }

    pub fn note_process(&self, figures: &mut Figures, what: &str) {
        figures.note(format!("{what}: Redis process"), "us/task", "", self.cpu_us.clone());
    }

    /// How fast it is beside another, round by round.
    pub fn note_share_of(&self, other: &Drains, figures: &mut Figures, what: &str, goal: &'static str) {
        figures.note_share(what, goal, &self.rates, &other.rates);
    }
}

/// So many tasks, each by its number.
pub fn many(n: usize, make: impl FnMut(usize) -> Result<NewTask, queue::Error>) -> Result<Vec<NewTask>> {
    (0..n).map(make).collect::<Result<_, _>>().context("a task of the benchmark")
}
