//! What a worker is told: how much at once, from which queues, and within which bounds.

use std::collections::HashMap;
use std::time::Duration;

use sandbox::{Grants, Limits};
use task::Policy;

/// A worker's settings. Defaults that must agree with Python workers are TaskTiger's.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Tasks that run at once. Default: 16 for each core.
    pub concurrency: usize,
    /// Which queues to take from.
    pub filter: Filter,
    /// How many tasks of a queue a batch function gets at most; subqueues inherit, the most specific name
    /// wins. Default: 1.
    pub batch_queues: HashMap<String, usize>,
    /// How often leases are renewed. Python takes over a task after 60 s. Default: 10 s.
    pub heartbeat: Duration,
    /// For how long the worker counts as present after it was last heard of. Default: 5 s.
    pub presence: Duration,
    /// How often the worker looks for itself, should a message have been lost. Default: 1 s.
    pub poll: Duration,
    /// How long a task waits that is still active elsewhere. Default: 1 s.
    pub lock_retry: Duration,
    /// How long a task may wait for its module to be deployed. Default: 30 s.
    pub module_grace: Duration,
    /// How long running tasks may go on after the worker was asked to stop. Default: 10 s.
    pub shutdown_grace: Duration,
    /// How often the worker says what it has done; never where zero. Default: 60 s.
    pub stats: Duration,
    /// Retries, redeliveries and tracebacks.
    pub policy: Policy,
    /// What a run may use; a task's or function's own hard timeout beats the one given here.
    pub limits: Limits,
    /// The CPU budget of a run, in units of fuel. Default: none.
    pub fuel: Option<u64>,
    /// What the functions of a module may reach, by the module's name. Default: nothing.
    pub grants: HashMap<String, Grants>,
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Settings {
            concurrency: 16 * cores,
            filter: Filter::default(),
            batch_queues: HashMap::new(),
            heartbeat: Duration::from_secs(10),
            presence: Duration::from_secs(5),
            poll: Duration::from_secs(1),
            lock_retry: Duration::from_secs(1),
            module_grace: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(10),
            stats: Duration::from_secs(60),
            policy: Policy::default(),
            limits: Limits::default(),
            fuel: None,
            grants: HashMap::new(),
        }
    }
}

impl Settings {
    /// How many tasks of this queue a batch function gets at most.
    pub(crate) fn batch_size(&self, queue: &str) -> usize {
        let named = subtrees(queue).find_map(|name| self.batch_queues.get(name));
        named.copied().unwrap_or(1).max(1)
    }
}

/// Which queues a worker takes from. A name stands for its subqueues too, and the most specific one decides.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Take from these only; from all, where empty.
    pub only: Vec<String>,
    /// Do not take from these.
    pub exclude: Vec<String>,
}

impl Filter {
    /// Whether to take from this queue.
    pub fn admits(&self, queue: &str) -> bool {
        for name in subtrees(queue) {
            if self.exclude.iter().any(|excluded| excluded == name) {
                return false;
            }
            if self.only.iter().any(|wanted| wanted == name) {
                return true;
            }
        }
        self.only.is_empty()
    }
}

/// The queue's own name and those above it: `a.b.c`, `a.b`, `a`.
fn subtrees(queue: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(queue), |name| name.rsplit_once('.').map(|(above, _)| above))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(only: &[&str], exclude: &[&str]) -> Filter {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Filter { only: owned(only), exclude: owned(exclude) }
    }

    #[test]
    fn without_names_every_queue_is_taken() {
        assert!(filter(&[], &[]).admits("a.b"));
    }

    #[test]
    fn a_name_stands_for_its_subqueues() {
        assert!(filter(&["a"], &[]).admits("a.b.c"));
        assert!(!filter(&["a"], &[]).admits("ab"));
        assert!(!filter(&[], &["a"]).admits("a.b"));
    }

    #[test]
    fn the_most_specific_name_decides() {
        assert!(filter(&["a.b"], &["a"]).admits("a.b.c"));
        assert!(!filter(&["a.b"], &["a"]).admits("a.c"));
        assert!(!filter(&["a"], &["a.b"]).admits("a.b"));
        assert!(!filter(&["a"], &["a"]).admits("a"));
    }

    #[test]
    fn the_batch_size_of_the_most_specific_name_holds() {
        let batch_queues = HashMap::from([("a".to_owned(), 10), ("a.b".to_owned(), 20)]);
        let settings = Settings { batch_queues, ..Settings::default() };
        let sizes = ["a", "a.x", "a.b.c", "z"].map(|queue| settings.batch_size(queue));
        assert_eq!(sizes, [10, 10, 20, 1]);
    }
}
