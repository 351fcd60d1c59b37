//! Who walks: both keyspaces, and what workers and operators remember of what they were told.

use std::collections::BTreeMap;
use std::time::Duration;

use queue::{Incarnation, Lease, Lock, Place, Seat};
use rand::SeedableRng;
use rand::rngs::StdRng;
use task::Task;

use crate::Bench;
use crate::walk::announced::Ear;
use crate::walk::keyspace::{self, difference};
use crate::walk::model::Model;
use crate::walk::step::Step;

/// Locks and seats hold so long: longer than a walk takes, but the clock that is turned by hand passes it.
pub const HOLD: Duration = Duration::from_secs(3600);

/// How long a call takes: no two have the same time. All times are multiples of it, so that no digit gets lost where
/// they are added up or read from JSON.
const MOMENT: f64 = 1.0 / 64.0;

/// Every so many steps all keys are compared, which takes longer than a step. Answers are compared after each.
const COMPARED: u64 = 4;

/// How many calls and places of the past are remembered.
const REMEMBERED: usize = 40;

pub struct Walker {
    pub bench: Bench,
    pub model: Model,
    pub rng: StdRng,
    pub ear: Ear,
    /// Those that go on working; some of them have vanished.
    pub workers: Vec<Incarnation>,
    pub held: Vec<Held>,
    /// What was held once: good for being too late.
    pub stale: Vec<Held>,
    /// Where tasks were once.
    pub seen: Vec<Place>,
    pub names: u64,
    /// How many runs each worker has begun that need a lock.
    pub runs: BTreeMap<String, u64>,
    pub known: Vec<Incarnation>,
    steps: u64,
    counts: BTreeMap<String, u64>,
}

/// A task that a worker believes to hold.
#[derive(Clone, Debug)]
pub struct Held {
    pub worker: Incarnation,
    pub lease: Lease,
    pub task: Option<Task>,
    pub lock: Option<Lock>,
    pub seat: Option<Seat>,
}

impl Walker {
    pub async fn new(seed: u64) -> Walker {
        let bench = Bench::new().await;
        let mut walker = Walker {
            ear: Ear::open(&bench).await,
            model: Model { now: bench.now, ..Model::default() },
            bench,
            rng: StdRng::seed_from_u64(seed),
            workers: Vec::new(),
            held: Vec::new(),
            stale: Vec::new(),
            seen: Vec::new(),
            names: 0,
            runs: BTreeMap::new(),
            known: Vec::new(),
            steps: 0,
            counts: BTreeMap::new(),
        };
        for _ in 0..4 {
            let worker = walker.newcomer();
            walker.workers.push(worker);
        }
        walker
    }

    pub fn newcomer(&mut self) -> Incarnation {
        self.known.push(Incarnation::fresh());
        self.known[self.known.len() - 1].clone()
    }

    /// Takes a step in Redis and in the model, and says how they differ after it.
    pub async fn go(&mut self, step: &Step) -> Result<(), String> {
        self.count(step.name());
        self.pass(MOMENT);
        let before = self.model.places.clone();
        self.perform(step).await?;
        self.ear.check(&self.bench, &before, &self.model.places).await?;
        self.steps += 1;
        if self.steps.is_multiple_of(COMPARED) {
            self.compare().await?;
        }
        self.forget();
        Ok(())
    }

    /// Whether Redis has what the model has, key by key.
    pub async fn compare(&self) -> Result<(), String> {
        difference(&self.model.keyspace(), &keyspace::read(&self.bench).await).map_or(Ok(()), Err)
    }

    pub fn pass(&mut self, seconds: f64) {
        self.bench.now += seconds;
        self.model.now = self.bench.now;
    }

    fn forget(&mut self) {
        let forget = self.stale.len().saturating_sub(REMEMBERED);
        self.stale.drain(..forget);
        let forget = self.seen.len().saturating_sub(REMEMBERED);
        self.seen.drain(..forget);
    }

    pub fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    pub fn what_happened(&self) -> String {
        let counts: Vec<String> = self.counts.iter().map(|(what, n)| format!("{what} {n}")).collect();
        counts.join(", ")
    }

    /// Incarnations are long; in a report they are `w0`, `w1`, ...
    pub fn with_short_names(&self, text: &str) -> String {
        let short = |text: String, (n, worker): (usize, &Incarnation)| {
            if text.contains(worker.as_str()) {
                text.replace(worker.as_str(), &format!("w{n}"))
            } else {
                text
            }
        };
        self.known.iter().enumerate().fold(text.to_owned(), short)
    }
}
