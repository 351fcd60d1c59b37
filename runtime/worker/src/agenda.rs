//! The agenda: when the next task of each queue is due, as far as this worker knows.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use task::Timestamp;
use tokio::sync::Notify;

/// Queues with the time of their next due task.
#[derive(Default)]
pub(crate) struct Agenda {
    entries: Mutex<HashMap<String, Timestamp>>,
    earlier: Notify,
}

impl Agenda {
    /// A queue has a task that is due then; wakes the promoter.
    pub(crate) fn note(&self, queue: &str, due: Timestamp) {
        let mut entries = self.entries();
        match entries.get_mut(queue) {
            Some(known) if *known <= due => return,
            Some(known) => *known = due,
            None => {
                entries.insert(queue.to_owned(), due);
            }
        }
        drop(entries);
        self.earlier.notify_one();
    }

    /// Takes out up to `most` queues that have something due.
    pub(crate) fn take_due(&self, now: Timestamp, most: usize) -> Vec<String> {
        let mut entries = self.entries();
        let due = entries.iter().filter(|(_, due)| **due <= now).take(most);
        let due: Vec<String> = due.map(|(queue, _)| queue.clone()).collect();
        for queue in &due {
            entries.remove(queue);
        }
        due
    }

    /// When the next task of any queue is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.entries().values().copied().reduce(Timestamp::min)
    }

    /// Waits until something was noted.
    pub(crate) async fn noted(&self) {
        self.earlier.notified().await;
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_time_of_a_queue_counts() {
        let agenda = Agenda::default();
        agenda.note("a", 5.0);
        agenda.note("a", 9.0);
        agenda.note("b", 7.0);
        assert_eq!(agenda.next_due(), Some(5.0));
        assert_eq!(agenda.take_due(5.0, 9), ["a"]);
        assert_eq!(agenda.next_due(), Some(7.0));
    }
}
