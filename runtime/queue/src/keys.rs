//! The names of keys and channels: TaskTiger's, and Margay's beside them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

/// TaskTiger's four states. A task that is done is in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits for a worker.
    Queued,
    /// Held by a worker.
    Active,
    /// Waits for its time.
    Scheduled,
    /// Failed for good.
    Error,
}

impl State {
    /// All states, in the order of a task's life.
    pub const ALL: [State; 4] = [State::Queued, State::Active, State::Scheduled, State::Error];

    /// The state's name in keys and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Active => "active",
            State::Scheduled => "scheduled",
            State::Error => "error",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<State, String> {
        let known = State::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| format!("`{text}` is not a state; choose queued, active, scheduled or error"))
    }
}

/// The keyspace under one prefix.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: Arc<str>,
}

impl Keys {
    /// The keyspace under this prefix; TaskTiger's default is `t`.
    pub fn new(prefix: &str) -> Keys {
        Keys { prefix: prefix.into() }
    }

    /// What every key begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The set of queues that have tasks in this state.
    pub fn state(&self, state: State) -> String {
        format!("{}:{state}", self.prefix)
    }

    /// The tasks of a queue in this state, sorted by time.
    pub fn queue(&self, state: State, queue: &str) -> String {
        format!("{}:{state}:{queue}", self.prefix)
    }

    /// The payload.
    pub fn payload(&self, id: &str) -> String {
        format!("{}:task:{id}", self.prefix)
    }

    /// The list of failed executions.
    pub fn executions(&self, id: &str) -> String {
        format!("{}:task:{id}:executions", self.prefix)
    }

    /// The count of failed executions.
    pub fn executions_count(&self, id: &str) -> String {
        format!("{}:task:{id}:executions_count", self.prefix)
    }

    /// How the task ended, kept where somebody asked for it.
    pub fn result(&self, id: &str) -> String {
        format!("{}:task:{id}:result", self.prefix)
    }

    /// A task lock, by the hash that names it.
    pub fn lock(&self, id: &str) -> String {
        format!("{}:lockv2:{id}", self.prefix)
    }

    /// The seats of a queue with a limit; `SYSTEM_LOCK` among them closes it.
    pub fn seats(&self, queue: &str) -> String {
        format!("{}:qslock:{queue}", self.prefix)
    }

    /// The names of queues that were locked from here, some of which may be open again.
    pub fn locked_queues(&self) -> String {
        format!("{}:locked_queues", self.prefix)
    }

    /// The incarnations of all workers.
    pub fn workers(&self) -> String {
        format!("{}:workers", self.prefix)
    }

    /// A worker's presence.
    pub fn worker(&self, incarnation: &str) -> String {
        format!("{}:worker:{incarnation}", self.prefix)
    }

    /// What a worker holds.
    pub fn claims(&self, incarnation: &str) -> String {
        format!("{}:worker:{incarnation}:claims", self.prefix)
    }

    /// The channel on which queues with new work are named.
    pub fn activity(&self) -> String {
        format!("{}:activity", self.prefix)
    }

    /// The channel on which new due times are told, as `<due> <queue>`.
    pub fn due(&self) -> String {
        format!("{}:due", self.prefix)
    }

    /// The channel on which the end of a task with a kept result is told.
    pub fn ended(&self, id: &str) -> String {
        format!("{}:result:{id}", self.prefix)
    }

    /// Any other key of this keyspace.
    pub fn named(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    /// A glob pattern for keys and channels of this keyspace. The prefix matches only itself.
    pub(crate) fn pattern(&self, rest: &str) -> String {
        let mut pattern = String::new();
        for c in self.prefix.chars() {
            if matches!(c, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        format!("{pattern}:{rest}")
    }
}
