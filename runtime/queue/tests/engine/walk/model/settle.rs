//! How runs end: settled or released, and with them their locks and seats.

use queue::{Lease, Lock, Seat, Settled, Settlement, State};
use task::Verdict;

use super::{Model, claim, noted, sorted};

impl Model {
    pub fn settle(&mut self, worker: &str, settlements: &[Settlement]) -> Vec<Settled> {
        settlements.iter().map(|settlement| self.settle_one(worker, settlement)).collect()
    }

    fn settle_one(&mut self, worker: &str, settlement: &Settlement) -> Settled {
        let Lease { queue, id, score } = &settlement.lease;
        let settled = if self.holds(&settlement.lease) {
            if self.clone().enqueue(&settlement.follow_ups).is_err() {
                return Settled::QueueFull;
            }
            self.take_out(State::Active, queue, id);
            self.claims.entry(worker.to_owned()).or_default().remove(&claim(queue, id));
            self.apply(settlement);
            for new in &settlement.follow_ups {
                let (task, state, score) = noted(new, self.now);
                self.put_new(state, &new.queue, &task.id, score);
                self.payloads.insert(task.id.clone(), task);
            }
            Settled::Done
        } else {
            self.drop_claim(worker, queue, id, *score);
            Settled::Lost
        };
        settlement.lock.iter().for_each(|lock| self.unlock(lock));
        settlement.seat.iter().for_each(|seat| self.leave_seat(seat));
        settled
    }

    fn apply(&mut self, settlement: &Settlement) {
        let Lease { queue, id, .. } = &settlement.lease;
        let unique = settlement.unique;
        match &settlement.verdict {
            Verdict::Done { .. } | Verdict::Forget { .. } => self.remove_all_of(queue, id, unique),
            Verdict::Retry { at, .. } => {
                self.record(id, settlement.kept_executions);
                match unique {
                    true => self.put_earlier(State::Scheduled, queue, id, *at),
                    false => self.put(State::Scheduled, queue, id, *at),
                }
            }
            Verdict::Error { .. } => {
                self.record(id, settlement.kept_executions);
                self.put(State::Error, queue, id, self.now);
            }
            Verdict::Requeue { at, redeliveries } => {
                self.count_redeliveries(queue, id, settlement, *redeliveries);
                match at {
                    Some(at) => self.put_earlier(State::Scheduled, queue, id, *at),
                    None => drop(self.put_new(State::Queued, queue, id, self.now)),
                }
            }
            Verdict::Defer { at } => self.put_earlier(State::Scheduled, queue, id, *at),
            Verdict::Leave { queued } => drop(self.put_new(State::Queued, queue, id, *queued)),
        }
        if settlement.record.is_some() {
            self.results.insert(id.clone());
        }
    }

    fn record(&mut self, id: &str, most: u32) {
        let (count, kept) = self.executions.get(id).copied().unwrap_or_default();
        let kept = if most > 0 { most.min(kept + 1) } else { kept + 1 };
        self.executions.insert(id.to_owned(), (count + 1, kept));
    }

    /// The payload that was claimed comes back with a new count; a twin that waits keeps the newer one.
    fn count_redeliveries(&mut self, queue: &str, id: &str, settlement: &Settlement, redeliveries: u32) {
        let Some(payload) = &settlement.payload else { return };
        let waits = |state| self.score(state, queue, id).is_some();
        if waits(State::Queued) || waits(State::Scheduled) {
            return;
        }
        let task = task::Task::parse(id, payload).expect("a payload of this test");
        assert_eq!(task.margay.redeliveries, redeliveries);
        self.payloads.insert(id.to_owned(), task);
    }

    pub fn release(&mut self, locks: &[Lock], seats: &[Seat]) {
        locks.iter().for_each(|lock| self.unlock(lock));
        seats.iter().for_each(|seat| self.leave_seat(seat));
    }

    /// Only the holder frees a lock: the run, or, where no run is named, its worker.
    fn unlock(&mut self, lock: &Lock) {
        let any_run = lock.token.ends_with(':');
        let frees = |holder: &str| holder == lock.token || (any_run && holder.starts_with(&lock.token));
        if self.locks.get(&lock.id).is_some_and(|holder| frees(holder)) {
            self.locks.remove(&lock.id);
            self.wake_next(&lock.id);
        }
    }

    /// Whoever has waited longest and still does goes to the head of its queue.
    fn wake_next(&mut self, lock: &str) {
        for (until, waiter) in sorted(self.waiters.get(lock)) {
            self.waiters.entry(lock.to_owned()).or_default().remove(&waiter);
            let (queue, id) = waiter.rsplit_once(':').expect("a waiter is queue:id");
            if self.score(State::Scheduled, queue, id) == Some(until) {
                self.take_out(State::Scheduled, queue, id);
                let head = self.in_order(State::Queued, queue).first().map_or(self.now, |head| head.0);
                self.put_new(State::Queued, queue, id, head);
                return;
            }
        }
    }

    fn leave_seat(&mut self, seat: &Seat) {
        self.seats.entry(seat.queue.clone()).or_default().remove(&seat.name);
    }
}
