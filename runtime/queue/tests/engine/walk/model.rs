//! What the keyspace should be: plain maps, and one method for each transition, written from what the
//! transitions promise. It runs in no time and knows no Redis.

mod operate;
mod produce;
mod recover;
mod settle;
mod work;

use std::collections::{BTreeMap, BTreeSet};

use queue::{Place, State};
use task::Task;

pub use produce::noted;
pub use work::Wanted;

/// Members by name, each with its score.
pub type Scores = BTreeMap<String, f64>;

/// The tasks of each state and queue.
pub type Places = BTreeMap<(State, String), Scores>;

/// The keyspace. What is empty is as good as absent.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub now: f64,
    pub places: Places,
    pub payloads: BTreeMap<String, Task>,
    /// How many failures were counted, and how many of them are kept.
    pub executions: BTreeMap<String, (u32, u32)>,
    pub results: BTreeSet<String>,
    pub workers: BTreeSet<String>,
    pub present: BTreeSet<String>,
    /// What each worker holds: `<queue>:<id>`, by lease.
    pub claims: BTreeMap<String, Scores>,
    /// Who holds each lock.
    pub locks: BTreeMap<String, String>,
    /// Who waits for each lock: `<queue>:<id>`, by the time until which it waits.
    pub waiters: BTreeMap<String, Scores>,
    pub seats: BTreeMap<String, Scores>,
    pub locked_queues: BTreeSet<String>,
}

impl Model {
    pub fn score(&self, state: State, queue: &str, id: &str) -> Option<f64> {
        self.places.get(&(state, queue.to_owned()))?.get(id).copied()
    }

    /// The tasks of a queue in this state, as Redis sorts them: by score, then by id.
    pub fn in_order(&self, state: State, queue: &str) -> Vec<(f64, String)> {
        sorted(self.places.get(&(state, queue.to_owned())))
    }

    pub fn size(&self, state: State, queue: &str) -> usize {
        self.places.get(&(state, queue.to_owned())).map_or(0, Scores::len)
    }

    /// Everything that is anywhere.
    pub fn everything(&self) -> Vec<Place> {
        let mut all = Vec::new();
        for ((state, queue), scores) in &self.places {
            all.extend(scores.iter().map(|(id, score)| Place {
                id: id.clone(),
                queue: queue.clone(),
                state: *state,
                score: *score,
            }));
        }
        all
    }

    fn put(&mut self, state: State, queue: &str, id: &str, score: f64) {
        self.places.entry((state, queue.to_owned())).or_default().insert(id.to_owned(), score);
    }

    /// One that is there keeps its place. Answers whether it was not.
    fn put_new(&mut self, state: State, queue: &str, id: &str, score: f64) -> bool {
        let new = self.score(state, queue, id).is_none();
        if new {
            self.put(state, queue, id, score);
        }
        new
    }

    /// Whichever time is first counts.
    fn put_earlier(&mut self, state: State, queue: &str, id: &str, score: f64) {
        let known = self.score(state, queue, id).unwrap_or(f64::INFINITY);
        self.put(state, queue, id, known.min(score));
    }

    fn take_out(&mut self, state: State, queue: &str, id: &str) {
        if let Some(scores) = self.places.get_mut(&(state, queue.to_owned())) {
            scores.remove(id);
        }
    }

    /// A task that has left its last state leaves nothing behind. A unique one may be in others of its queue: then
    /// its payload stays, and its executions while it has failed there.
    fn remove_all_of(&mut self, queue: &str, id: &str, unique: bool) {
        let is_in = |state| unique && self.score(state, queue, id).is_some();
        let (failed, anywhere) = (is_in(State::Error), State::ALL.into_iter().any(is_in));
        if !failed {
            self.executions.remove(id);
        }
        if !anywhere {
            self.payloads.remove(id);
        }
    }

    /// A claim is forgotten only under its own lease.
    fn drop_claim(&mut self, worker: &str, queue: &str, id: &str, lease: f64) {
        let claim = claim(queue, id);
        if let Some(claims) = self.claims.get_mut(worker)
            && claims.get(&claim) == Some(&lease)
        {
            claims.remove(&claim);
        }
    }

    /// A task without a payload cannot run: it is dropped, with what it left behind.
    fn drop_without_payload(&mut self, state: State, queue: &str, id: &str) {
        self.take_out(state, queue, id);
        self.remove_all_of(queue, id, true);
    }
}

pub fn claim(queue: &str, id: &str) -> String {
    format!("{queue}:{id}")
}

pub fn sorted(scores: Option<&Scores>) -> Vec<(f64, String)> {
    let mut sorted: Vec<_> = scores.into_iter().flatten().map(|(id, score)| (*score, id.clone())).collect();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0).then_with(|| one.1.cmp(&other.1)));
    sorted
}
