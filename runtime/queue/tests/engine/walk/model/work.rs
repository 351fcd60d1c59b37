//! What workers do with what they hold: claim, lock, say that they are there.

use queue::{Lease, Lock, NotRenewed, Seat, Source, State};

use super::{Model, claim};

/// A queue to claim from.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub queue: String,
    pub seats: Option<usize>,
    pub batch: usize,
}

impl Wanted {
    pub fn source(&self) -> Source<'_> {
        Source { queue: &self.queue, seats: self.seats, batch: self.batch }
    }
}

/// What a queue gave.
#[derive(Debug)]
pub struct Taken {
    pub queue: String,
    pub claimed: Vec<String>,
    pub missing: Vec<String>,
}

impl Model {
    /// Each queue gives its share first, then those that have more fill what is left.
    pub fn claim(
        &mut self,
        worker: &str,
        wanted: &[Wanted],
        batches: usize,
        due_again: f64,
        seat_s: f64,
    ) -> Vec<Taken> {
        let share = batches.div_ceil(wanted.len());
        let (mut left, mut answer) = (batches, Vec::new());
        for from in wanted {
            if left == 0 {
                break;
            }
            let most = share.min(left).min(self.admitted(from).unwrap_or(left));
            let taken = self.take(worker, from, most, due_again, &mut left);
            for first in taken.claimed.iter().step_by(from.batch).filter(|_| from.seats.is_some()) {
                self.seats
                    .entry(from.queue.clone())
                    .or_default()
                    .insert(format!("{worker}:{first}"), self.now + seat_s);
            }
            answer.push(taken);
        }
        for at in 0..answer.len() {
            let from = &wanted[at];
            if left > 0 && from.seats.is_none() && self.admitted(from).is_none() {
                let more = self.take(worker, from, left, due_again, &mut left);
                answer[at].claimed.extend(more.claimed);
                answer[at].missing.extend(more.missing);
            }
        }
        answer
    }

    /// How many batches a queue admits; `None` for any number. Seats whose time is over are free.
    fn admitted(&mut self, from: &Wanted) -> Option<usize> {
        if self.is_closed(&from.queue) {
            return Some(0);
        }
        let (seats, now) = (from.seats?, self.now);
        let taken = self.seats.entry(from.queue.clone()).or_default();
        taken.retain(|_, until| *until > now);
        Some(seats.saturating_sub(taken.len()))
    }

    pub fn is_drained(&self, from: &Wanted) -> bool {
        self.size(State::Queued, &from.queue) == 0
    }

    /// Whether a claim must say that this queue has more that can be had.
    pub fn has_more(&mut self, from: &Wanted) -> bool {
        !self.is_drained(from) && self.admitted(from) != Some(0)
    }

    fn take(
        &mut self,
        worker: &str,
        from: &Wanted,
        batches: usize,
        due_again: f64,
        left: &mut usize,
    ) -> Taken {
        let queue = &from.queue;
        let mut taken = Taken { queue: queue.clone(), claimed: Vec::new(), missing: Vec::new() };
        let popped = self.in_order(State::Queued, queue).into_iter().take(batches * from.batch);
        for (n, (_, id)) in popped.enumerate() {
            *left -= usize::from(n % from.batch == 0);
            self.take_out(State::Queued, queue, &id);
            if self.score(State::Active, queue, &id).is_some() {
                self.put_earlier(State::Scheduled, queue, &id, due_again);
            } else if self.payloads.contains_key(&id) {
                self.put(State::Active, queue, &id, self.now);
                self.workers.insert(worker.to_owned());
                self.claims.entry(worker.to_owned()).or_default().insert(claim(queue, &id), self.now);
                taken.claimed.push(id);
            } else {
                self.drop_without_payload(State::Queued, queue, &id);
                taken.missing.push(id);
            }
        }
        taken
    }

    /// Whoever meets a lock waits, and is noted as a waiter.
    pub fn lock(&mut self, worker: &str, wanted: &[(Lock, Lease)], due: f64) -> Vec<bool> {
        wanted.iter().map(|(lock, lease)| self.lock_one(worker, lock, lease, due)).collect()
    }

    fn lock_one(&mut self, worker: &str, lock: &Lock, lease: &Lease, due: f64) -> bool {
        let Lease { queue, id, score } = lease;
        let waiter = claim(queue, id);
        if !self.holds(lease) {
            self.drop_claim(worker, queue, id, *score);
            return false;
        }
        if self.takes(lock) {
            self.waiters.entry(lock.id.clone()).or_default().remove(&waiter);
            return true;
        }
        self.take_out(State::Active, queue, id);
        self.claims.entry(worker.to_owned()).or_default().remove(&waiter);
        self.put_earlier(State::Scheduled, queue, id, due);
        self.waiters.entry(lock.id.clone()).or_default().insert(waiter, due);
        false
    }

    /// Takes a lock that is free. Answers whether it is this holder's now.
    fn takes(&mut self, lock: &Lock) -> bool {
        self.locks.entry(lock.id.clone()).or_insert_with(|| lock.token.clone()) == &lock.token
    }

    pub(super) fn holds(&self, lease: &Lease) -> bool {
        self.score(State::Active, &lease.queue, &lease.id) == Some(lease.score)
    }

    pub fn heartbeat(
        &mut self,
        worker: &str,
        leases: &[Lease],
        locks: &[Lock],
        seats: &[Seat],
        repeated: bool,
        seat_s: f64,
    ) -> NotRenewed {
        self.present.insert(worker.to_owned());
        self.workers.insert(worker.to_owned());
        let mut not_renewed = NotRenewed::default();
        for (place, lease) in leases.iter().enumerate() {
            let Lease { queue, id, score } = lease;
            let renewed = Lease { score: self.now, ..lease.clone() };
            if self.holds(lease) || (repeated && self.holds(&renewed)) {
                self.put(State::Active, queue, id, self.now);
                self.claims.entry(worker.to_owned()).or_default().insert(claim(queue, id), self.now);
            } else {
                self.drop_claim(worker, queue, id, *score);
                not_renewed.leases.push(place);
            }
        }
        for (place, lock) in locks.iter().enumerate() {
            if !self.takes(lock) {
                not_renewed.locks.push(place);
            }
        }
        for seat in seats {
            self.seats.entry(seat.queue.clone()).or_default().insert(seat.name.clone(), self.now + seat_s);
        }
        not_renewed
    }
}
