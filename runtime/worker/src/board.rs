//! The board: which queues have work, as far as this worker knows.
//!
//! It is filled by messages and by looking, and emptied by claims that found nothing more. A queue is drawn
//! from it at random, so that a customer with a million tasks does not hold up one with a single task.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use tokio::sync::Notify;

use crate::Filter;

/// The queues that have work.
pub(crate) struct Board {
    filter: Filter,
    known: Mutex<Known>,
    news: Notify,
}

#[derive(Default)]
struct Known {
    /// Each queue, with the time on the board's own clock at which it was last heard of.
    queues: IndexMap<Arc<str>, u64>,
    clock: u64,
    /// Queues with tasks that are not for this worker.
    parked: HashMap<String, Parked>,
    /// With how many of them those are forgotten that have not been heard of since.
    sweep_at: usize,
}

/// Until when a queue is not put up, and how long that is.
struct Parked {
    until: Instant,
    pause: Duration,
}

/// A queue of others is looked at after one second, and then less and less often: what is in it may change.
const PARKED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Some queues, as the board stood at one time.
pub(crate) struct Draw {
    pub(crate) queues: Vec<Arc<str>>,
    at: u64,
}

impl Board {
    pub(crate) fn new(filter: Filter) -> Board {
        Board { filter, known: Mutex::default(), news: Notify::new() }
    }

    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    /// A queue has work.
    pub(crate) fn hear(&self, queue: &str) {
        let mut known = self.known();
        known.clock += 1;
        let now = known.clock;
        if let Some(heard) = known.queues.get_mut(queue) {
            *heard = now;
            return;
        }
        if known.parked.get(queue).is_some_and(|parked| Instant::now() < parked.until) {
            return;
        }
        if self.filter.admits(queue) {
            known.queues.insert(queue.into(), now);
            drop(known);
            self.news.notify_one();
        }
    }

    /// Draws up to `most` queues, in random order.
    pub(crate) fn draw(&self, most: usize) -> Draw {
        let known = self.known();
        let n = known.queues.len();
        let places = rand::seq::index::sample(&mut rand::rng(), n, most.min(n));
        let queue = |place| known.queues.get_index(place).map(|(queue, _)| Arc::clone(queue));
        Draw { queues: places.iter().filter_map(queue).collect(), at: known.clock }
    }

    /// A claim found a queue empty. It is kept if it was heard of since it was drawn: the news may be of a
    /// task that came after the claim.
    pub(crate) fn found_empty(&self, queue: &str, draw_at: u64) {
        let mut known = self.known();
        if known.queues.get(queue).is_some_and(|heard| *heard <= draw_at) {
            known.queues.swap_remove(queue);
        }
    }

    /// A queue gave tasks that are not for this worker. Answers whether that is news.
    pub(crate) fn park(&self, queue: &str) -> bool {
        let (least, most) = PARKED;
        let now = Instant::now();
        let mut known = self.known();
        known.queues.swap_remove(queue);
        let parked = known.parked.get(queue);
        if parked.is_some_and(|parked| now < parked.until) {
            return false;
        }
        // One that gave nothing foreign for long begins anew.
        let lately = parked.filter(|parked| now < parked.until + most);
        let pause = lately.map_or(least, |parked| (2 * parked.pause).min(most));
        let is_news = parked.is_none();
        if known.parked.len() >= known.sweep_at {
            known.parked.retain(|_, parked| now < parked.until + most);
            known.sweep_at = 2 * known.parked.len().max(1024);
        }
        known.parked.insert(queue.to_owned(), Parked { until: now + pause, pause });
        is_news
    }

    /// Whether a queue has lately given tasks that are not for this worker.
    pub(crate) fn is_parked(&self, queue: &str) -> bool {
        self.known().parked.get(queue).is_some_and(|parked| Instant::now() < parked.until)
    }

    /// What is deployed has changed: queues of others may be this worker's.
    pub(crate) fn unpark(&self) {
        self.known().parked.clear();
    }

    /// Waits until there may be a queue that was not there before.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Draw {
    /// Queues that were not drawn from the board.
    pub(crate) fn of(queues: Vec<Arc<str>>) -> Draw {
        Draw { queues, at: u64::MAX }
    }

    pub(crate) fn at(&self) -> u64 {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_heard_of_after_the_draw_is_not_forgotten() {
        let board = Board::new(Filter::default());
        board.hear("a");
        let draw = board.draw(9);
        board.hear("a");
        board.found_empty("a", draw.at());
        assert_eq!(board.draw(9).queues.len(), 1);
        board.found_empty("a", board.draw(9).at());
        assert!(board.draw(9).queues.is_empty());
    }

    #[test]
    fn a_parked_queue_is_not_put_up_until_something_is_deployed() {
        let board = Board::new(Filter::default());
        board.hear("a");
        assert!(board.park("a"));
        assert!(!board.park("a"), "it is known by now");
        board.hear("a");
        assert!(board.draw(9).queues.is_empty());
        board.unpark();
        board.hear("a");
        assert_eq!(board.draw(9).queues.len(), 1);
    }

    #[test]
    fn queues_of_others_are_not_put_up() {
        let board = Board::new(Filter { only: vec!["a".to_owned()], exclude: Vec::new() });
        board.hear("b");
        assert!(board.draw(9).queues.is_empty());
    }
}
