//! The agenda: when the next task of each queue is due, as far as this worker knows. The queues stand in the order
//! of their times too, so that what is due next is found as fast among many queues as among few.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use task::Timestamp;
use tokio::sync::Notify;

/// Queues with the time of their next due task.
#[derive(Default)]
pub(crate) struct Agenda {
    entries: Mutex<Entries>,
    earlier: Notify,
}

/// The same entries by name and by time.
#[derive(Default)]
struct Entries {
    times: HashMap<Arc<str>, Time>,
    order: BTreeSet<(Time, Arc<str>)>,
}

impl Agenda {
    /// A queue has a task that is due then; wakes the promoter where nothing else is due before.
    pub(crate) fn note(&self, queue: &str, due: Timestamp) {
        let mut entries = self.entries();
        if entries.put(queue, Time(due)) && entries.is_first(queue) {
            drop(entries);
            self.earlier.notify_one();
        }
    }

    /// Takes out up to `most` queues that have something due, the longest due first.
    pub(crate) fn take_due(&self, now: Timestamp, most: usize) -> Vec<Arc<str>> {
        let mut entries = self.entries();
        let mut due = Vec::new();
        while due.len() < most && entries.first().is_some_and(|first| first <= now) {
            due.extend(entries.take_first());
        }
        due
    }

    /// When the next task of any queue is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.entries().first()
    }

    /// Waits until something was noted that is due before all else.
    pub(crate) async fn noted(&self) {
        self.earlier.notified().await;
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Answers whether that is earlier than what was known.
    fn put(&mut self, queue: &str, due: Time) -> bool {
        let queue = match self.times.get_key_value(queue) {
            Some((_, known)) if *known <= due => return false,
            Some((queue, known)) => {
                let queue = Arc::clone(queue);
                self.order.remove(&(*known, Arc::clone(&queue)));
                queue
            }
            None => queue.into(),
        };
        self.times.insert(Arc::clone(&queue), due);
        self.order.insert((due, queue))
    }

    fn is_first(&self, queue: &str) -> bool {
        self.order.first().is_some_and(|(_, first)| **first == *queue)
    }

    fn first(&self) -> Option<Timestamp> {
        self.order.first().map(|(due, _)| due.0)
    }

    fn take_first(&mut self) -> Option<Arc<str>> {
        let (_, queue) = self.order.pop_first()?;
        self.times.remove(&queue);
        Some(queue)
    }
}

/// A time with an order. Scores of Redis are never NaN.
#[derive(Clone, Copy)]
struct Time(Timestamp);

impl Ord for Time {
    fn cmp(&self, other: &Time) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Time) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Time {
    fn eq(&self, other: &Time) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Time {}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(agenda: &Agenda, now: Timestamp, most: usize) -> Vec<String> {
        agenda.take_due(now, most).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_earliest_time_of_a_queue_counts() {
        let agenda = Agenda::default();
        agenda.note("a", 5.0);
        agenda.note("a", 9.0);
        agenda.note("b", 7.0);
        agenda.note("b", 6.0);
        assert_eq!(agenda.next_due(), Some(5.0));
        assert_eq!(taken(&agenda, 5.0, 9), ["a"]);
        assert_eq!(agenda.next_due(), Some(6.0));
        assert_eq!(taken(&agenda, 9.0, 9), ["b"]);
        assert_eq!(agenda.next_due(), None);
    }

    #[test]
    fn no_more_are_taken_than_asked_for_and_the_longest_due_go_first() {
        let agenda = Agenda::default();
        for (queue, due) in [("c", 3.0), ("a", 2.0), ("b", 2.0), ("d", 9.0)] {
            agenda.note(queue, due);
        }
        assert_eq!(taken(&agenda, 5.0, 2), ["a", "b"]);
        assert_eq!(taken(&agenda, 5.0, 2), ["c"]);
        assert!(taken(&agenda, 5.0, 2).is_empty());
        agenda.note("a", 4.0);
        assert_eq!(taken(&agenda, 5.0, 2), ["a"], "what was taken may come again");
    }

    #[test]
    fn a_queue_can_be_noted_with_any_time() {
        let agenda = Agenda::default();
        for due in [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY] {
            agenda.note("a", due);
        }
        assert_eq!(taken(&agenda, 0.0, 9), ["a"]);
        assert_eq!(agenda.next_due(), None);
    }
}
