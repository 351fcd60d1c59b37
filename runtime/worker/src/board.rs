//! The board: which queues have work, as far as this worker knows.
//!
//! It is filled by messages and by looking, and emptied by claims that found nothing more. A queue is drawn
//! from it at random, so that a customer with a million tasks does not hold up one with a single task.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
}

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

    /// Waits until there may be a queue that was not there before.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Draw {
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
    fn queues_of_others_are_not_put_up() {
        let board = Board::new(Filter { only: vec!["a".to_owned()], exclude: Vec::new() });
        board.hear("b");
        assert!(board.draw(9).queues.is_empty());
    }
}
