//! What a worker is told: how much at once, from which queues, and within which bounds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use queue::NewTask;
use sandbox::{FollowUp, Grants, Limits};
use task::{Filter, Policy, Timestamp, subtrees};

use crate::Reporter;

/// A worker's settings. Defaults that must agree with Python workers are TaskTiger's.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Tasks that run at once. Default: 16 for each core.
    pub concurrency: usize,
    /// When the worker ends by itself. Default: never.
    pub ends: Ends,
    /// Which queues to take from.
    pub filter: Filter,
    /// The queue of periodic functions that name none. Default: `default`.
    pub default_queue: String,
    /// How many tasks of a queue a batch function gets at most; subqueues inherit, the most specific name
    /// wins. Default: 1.
    pub batch_queues: HashMap<String, usize>,
    /// How many batches of one queue may run at once, over all workers; a batch is one task, where the queue is no
    /// batch queue. TaskTiger's workers count as one each. Default: any number.
    pub max_workers_per_queue: Option<usize>,
    /// Queues, and their subqueues, of which only one batch may run at once.
    pub single_worker_queues: Vec<String>,
    /// How long an idle worker waits for more when it hears of work, so that batches fill up. Default: not at all.
    pub batch_wait: Duration,
    /// For how long task locks and the seats of limited queues hold unless they are renewed, and after which time
    /// [`reap`](Settings::reap) takes an active task for lost. Must be that of the Python workers. Default: 60 s.
    pub active_timeout: Duration,
    /// Apply TaskTiger's own rule too: take back active tasks, whoever claimed them, that were not heard of for
    /// the active timeout. Default: leave that to Python's workers.
    pub reap: bool,
    /// How often to reap. Default: 30 s.
    pub reap_interval: Duration,
    /// How many tasks to reap at once. Default: 10.
    pub reap_batch: usize,
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
    /// Who is told of tasks that have failed for good. Default: nobody.
    pub reporters: Vec<Arc<dyn Reporter>>,
}

/// When a worker ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// When it is asked to.
    Never,
    /// When nothing is queued any more that it can have.
    WhenIdle,
    /// After so many passes, each of which takes one batch of every queue.
    AfterPasses(u32),
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Settings {
            concurrency: 16 * cores,
            ends: Ends::Never,
            filter: Filter::default(),
            default_queue: "default".to_owned(),
            batch_queues: HashMap::new(),
            max_workers_per_queue: None,
            single_worker_queues: Vec::new(),
            batch_wait: Duration::ZERO,
            active_timeout: Duration::from_secs(60),
            reap: false,
            reap_interval: Duration::from_secs(30),
            reap_batch: 10,
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
            reporters: Vec::new(),
        }
    }
}

impl Settings {
    /// How many tasks of this queue a batch function gets at most.
    pub(crate) fn batch_size(&self, queue: &str) -> usize {
        let named = subtrees(queue).find_map(|name| self.batch_queues.get(name));
        named.copied().unwrap_or(1).clamp(1, queue::MAX_BATCH)
    }

    /// What a run may use whose hard timeout is to be this many seconds; the default, where it says nothing.
    pub(crate) fn run_limits(&self, hard_timeout: Option<f64>) -> Limits {
        let asked = hard_timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let hard_timeout = asked.unwrap_or(self.limits.hard_timeout);
        Limits { hard_timeout, ..self.limits.clone() }
    }

    /// A task that a run enqueues, to go where it says, else into this queue.
    pub(crate) fn new_task(&self, follow_up: FollowUp, queue: &str, now: Timestamp) -> NewTask {
        let FollowUp { mut task, queue: named, delay, default_retry } = follow_up;
        if default_retry && task.retry_method.is_none() {
            task.retry_method = Some(self.policy.default_retry.clone());
        }
        let queue = named.unwrap_or_else(|| queue.to_owned());
        NewTask { queue, task, due: delay.map(|delay| now + delay.as_secs_f64()) }
    }

    /// How many batches of this queue may run at once, over all workers.
    pub(crate) fn seats(&self, queue: &str) -> Option<usize> {
        let single =
            subtrees(queue).any(|name| self.single_worker_queues.iter().any(|single| single == name));
        if single { Some(1) } else { self.max_workers_per_queue }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_worker_queue_has_one_seat_and_so_have_its_subqueues() {
        let single_worker_queues = vec!["a.b".to_owned()];
        let settings =
            Settings { single_worker_queues, max_workers_per_queue: Some(4), ..Settings::default() };
        assert_eq!(["a", "a.b", "a.b.c"].map(|queue| settings.seats(queue)), [Some(4), Some(1), Some(1)]);
        assert_eq!(Settings::default().seats("a"), None);
    }

    #[test]
    fn the_batch_size_of_the_most_specific_name_holds() {
        let batch_queues = HashMap::from([("a".to_owned(), 10), ("a.b".to_owned(), 20)]);
        let settings = Settings { batch_queues, ..Settings::default() };
        let sizes = ["a", "a.x", "a.b.c", "z"].map(|queue| settings.batch_size(queue));
        assert_eq!(sizes, [10, 10, 20, 1]);
    }
}
