//! What operators do next, and what goes wrong.

use queue::{Place, State};
use rand::RngExt;
use task::Filter;

use super::Drawn;
use crate::walk::step::Step;
use crate::walk::walker::Walker;

impl Walker {
    /// Where tasks are, and sometimes where they were.
    fn a_place(&mut self, state: State) -> Option<Place> {
        let mut there = self.model.everything();
        if self.chance(0.2) {
            there = self.seen.clone();
        } else if self.chance(0.9) {
            there.retain(|place| place.state == state);
        }
        let place = self.one_of(&there)?;
        self.seen.push(place.clone());
        Some(place)
    }

    fn places(&mut self, state: State) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        for _ in 0..self.rng.random_range(1..=4) {
            let place = self.a_place(state);
            places.extend(place.filter(|place| !places.contains(place)));
        }
        places
    }

    pub(super) fn draw_retry(&mut self) -> Drawn {
        Some(Step::Retry(self.places(State::Error)))
    }

    pub(super) fn draw_delete(&mut self) -> Drawn {
        let state = self.one_of(&State::ALL)?;
        Some(Step::Delete(self.places(state)))
    }

    pub(super) fn draw_cancel(&mut self) -> Drawn {
        self.a_place(State::Scheduled).map(Step::Cancel)
    }

    pub(super) fn draw_reschedule(&mut self) -> Drawn {
        let due = if self.chance(0.8) { self.later() } else { 1.0 };
        Some(Step::Reschedule(self.a_place(State::Scheduled)?, due))
    }

    fn a_filter(&mut self) -> Filter {
        let mut some = |share| if self.chance(share) { self.queues().split_off(0) } else { Vec::new() };
        Filter { only: some(0.5), exclude: some(0.3) }
    }

    pub(super) fn draw_purge(&mut self) -> Drawn {
        let (queues, before) = (self.a_filter(), self.model.now - 5.0);
        Some(Step::Purge { queues, before, limit: self.rng.random_range(0..10) })
    }

    pub(super) fn draw_select(&mut self) -> Drawn {
        let (state, queues) = (self.one_of(&State::ALL)?, self.a_filter());
        let (before, limit) = (self.later(), self.rng.random_range(0..30));
        Some(Step::Select { state, queues, before, limit })
    }

    pub(super) fn draw_queue_lock(&mut self) -> Drawn {
        let queue = self.a_queue();
        if self.chance(0.6) {
            return Some(Step::UnlockQueue { queue });
        }
        Some(Step::LockQueue { queue, until: self.later() })
    }

    pub(super) fn draw_lost_payload(&mut self) -> Drawn {
        let state = self.one_of(&State::ALL)?;
        let place = self.a_place(state)?;
        self.model.payloads.contains_key(&place.id).then_some(Step::LosePayload { id: place.id })
    }
}
