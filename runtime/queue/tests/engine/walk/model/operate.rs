//! What operators do: retry, delete, purge, reschedule, close queues.

use queue::{Place, Rescheduled, State};
use task::Filter;

use super::Model;

/// Retried tasks keep their order by scores this far apart.
const APART: f64 = 1e-6;

const SYSTEM_LOCK: &str = "SYSTEM_LOCK";

impl Model {
    fn is_there(&self, place: &Place) -> bool {
        self.score(place.state, &place.queue, &place.id) == Some(place.score)
    }

    /// Failed tasks go back into their queues where they still are as they were found, and are forgiven, but a twin
    /// that waits or runs keeps its payload.
    pub fn retry(&mut self, places: &[Place]) -> u64 {
        let mut retried = 0;
        let failed = places.iter().filter(|place| place.state == State::Error);
        for (at, place) in failed.enumerate() {
            let Place { id, queue, .. } = place;
            if !self.is_there(place) {
                continue;
            }
            let waits = |state| self.score(state, queue, id).is_some();
            let waits = waits(State::Queued) || waits(State::Scheduled) || waits(State::Active);
            self.take_out(State::Error, queue, id);
            if let Some(task) = self.payloads.get_mut(id).filter(|_| !waits) {
                task.margay.redeliveries = 0;
            }
            self.put(State::Queued, queue, id, self.now + at as f64 * APART);
            retried += 1;
        }
        retried
    }

    /// What runs is its worker's.
    pub fn delete(&mut self, places: &[Place]) -> u64 {
        let mut deleted = 0;
        for place in places.iter().filter(|place| place.state != State::Active) {
            if self.is_there(place) {
                self.take_out(place.state, &place.queue, &place.id);
                self.remove_all_of(&place.queue, &place.id, true);
                deleted += 1;
            }
        }
        deleted
    }

    /// The tasks of a state that are meant: queue by queue, in each from the earliest on.
    pub fn select(&self, state: State, queues: &Filter, before: f64, limit: usize) -> Vec<Place> {
        let mut places = Vec::new();
        for (_, queue) in self.places.keys().filter(|(its, queue)| *its == state && is_meant(queues, queue)) {
            let due = self.in_order(state, queue).into_iter().filter(|(score, _)| *score <= before);
            places.extend(due.map(|(score, id)| Place { id, queue: queue.clone(), state, score }));
        }
        places.truncate(limit);
        places
    }

    pub fn purge(&mut self, queues: &Filter, before: f64, limit: usize) -> u64 {
        let failed = self.select(State::Error, queues, before, limit);
        self.delete(&failed)
    }

    pub fn reschedule(&mut self, place: &Place, due: f64) -> Rescheduled {
        if self.score(State::Scheduled, &place.queue, &place.id).is_none() {
            return Rescheduled::Gone;
        }
        let due = due.max(self.now);
        self.put(State::Scheduled, &place.queue, &place.id, due);
        if let Some(task) = self.payloads.get_mut(&place.id) {
            task.scheduled_at = Some(due);
        }
        Rescheduled::Done
    }

    pub fn is_closed(&self, queue: &str) -> bool {
        self.seats.get(queue).and_then(|seats| seats.get(SYSTEM_LOCK)).is_some_and(|until| *until > self.now)
    }

    pub fn lock_queue(&mut self, queue: &str, until: f64) {
        self.seats.entry(queue.to_owned()).or_default().insert(SYSTEM_LOCK.to_owned(), until);
        self.locked_queues.insert(queue.to_owned());
    }

    pub fn unlock_queue(&mut self, queue: &str) -> bool {
        let was_closed = self.is_closed(queue);
        self.seats.entry(queue.to_owned()).or_default().remove(SYSTEM_LOCK);
        self.locked_queues.remove(queue);
        was_closed
    }
}

/// The most specific name decides, and what is left out beats what is meant.
fn is_meant(filter: &Filter, queue: &str) -> bool {
    let mut name = queue;
    loop {
        let is_in = |names: &[String]| names.iter().any(|one| one == name);
        if is_in(&filter.exclude) || is_in(&filter.only) {
            return !is_in(&filter.exclude);
        }
        match name.rfind('.') {
            Some(dot) => name = &name[..dot],
            None => return filter.only.is_empty(),
        }
    }
}
