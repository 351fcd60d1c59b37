//! What workers do next.

use std::collections::BTreeSet;

use queue::{Ended, Incarnation, Kept, Lease, Lock, Seat, Settlement};
use rand::RngExt;
use rand::seq::IndexedRandom;
use task::Verdict;

use super::{Drawn, LOCKS};
use crate::bench::{an_execution, done};
use crate::walk::model::Wanted;
use crate::walk::step::Step;
use crate::walk::walker::{HOLD, Held, Walker};

impl Walker {
    pub(super) fn draw_claim(&mut self) -> Drawn {
        let mut wanted = Vec::new();
        for queue in self.queues() {
            let seats = if self.chance(0.3) { Some(self.rng.random_range(1..=3)) } else { None };
            let batch = if self.chance(0.3) { self.rng.random_range(2..=4) } else { 1 };
            wanted.push(Wanted { queue, seats, batch });
        }
        let (worker, batches) = (self.a_worker(), self.rng.random_range(1..=6));
        Some(Step::Claim { worker, wanted, batches, due_again: self.model.now + 1.0 })
    }

    /// What one worker holds, and with a small chance something that it held once.
    fn held_by(&mut self, worker: &Incarnation, most: usize) -> Vec<Held> {
        let of = |all: &[Held]| all.iter().filter(|held| held.worker == *worker).cloned().collect::<Vec<_>>();
        let (held, stale) = (of(&self.held), of(&self.stale));
        let mut some = if held.is_empty() { Vec::new() } else { self.some_of(&held, most) };
        if self.chance(0.2) {
            some.extend(self.one_of(&stale));
        }
        let mut seen = BTreeSet::new();
        some.retain(|held| seen.insert((held.lease.queue.clone(), held.lease.id.clone())));
        some
    }

    /// A worker that holds something, if there is one.
    fn a_holder(&mut self) -> Option<Incarnation> {
        let held = self.held.choose(&mut self.rng).or(self.stale.choose(&mut self.rng))?;
        Some(held.worker.clone())
    }

    pub(super) fn draw_lock(&mut self) -> Drawn {
        let worker = self.a_holder()?;
        let mut wanted = Vec::new();
        for held in self.held_by(&worker, 3) {
            let run = self.runs.entry(worker.to_string()).or_default();
            *run += 1;
            let run = *run;
            let new = Lock::of_run(self.one_of(&LOCKS)?.to_owned(), &worker, run);
            wanted.push((held.lock.unwrap_or(new), held.lease));
        }
        let (due, twice) = (self.model.now + 1.0, self.chance(0.2));
        (!wanted.is_empty()).then_some(Step::Lock { worker, wanted, due, twice })
    }

    pub(super) fn draw_heartbeat(&mut self) -> Drawn {
        let worker = self.a_worker();
        let mut held = self.held_by(&worker, 5);
        if self.chance(0.4) {
            held = self.held.iter().filter(|held| held.worker == worker).cloned().collect();
            held.dedup_by(|one, other| one.lease == other.lease);
        }
        let (locks, seats) = (self.locks_of(&held), seats_of(&held));
        let leases = held.into_iter().map(|held| held.lease).collect();
        Some(Step::Heartbeat { worker, leases, locks, seats, twice: self.chance(0.2) })
    }

    /// The locks of these runs; those of runs that are over now only now and then.
    fn locks_of(&mut self, held: &[Held]) -> Vec<Lock> {
        let too_late = self.chance(0.1);
        let is_held = |lease: &Lease| self.held.iter().any(|held| held.lease == *lease);
        let of_run = |held: &&Held| too_late || is_held(&held.lease);
        held.iter().filter(of_run).filter_map(|held| held.lock.clone()).collect()
    }

    pub(super) fn draw_settle(&mut self) -> Drawn {
        let worker = self.a_holder()?;
        let held = self.held_by(&worker, 5);
        let settlements: Vec<_> = held.into_iter().map(|held| self.a_settlement(held)).collect();
        (!settlements.is_empty()).then_some(Step::Settle { worker, settlements })
    }

    fn a_settlement(&mut self, held: Held) -> Settlement {
        let verdict = self.a_verdict(&held);
        let Held { lease, task, lock, seat, .. } = held;
        let mut settlement = Settlement::new(lease, task.as_ref(), verdict);
        if settlement.unique && self.chance(0.1) {
            settlement.record = Some(a_record(&settlement.lease.id));
        }
        if self.chance(0.1) {
            let many = self.rng.random_range(1..=2);
            settlement.follow_ups = (0..many).map(|_| self.a_new_task()).collect();
        }
        Settlement { lock, seat, ..settlement }
    }

    fn a_verdict(&mut self, held: &Held) -> Verdict {
        let redeliveries = held.task.as_ref().map_or(0, |task| task.margay.redeliveries);
        let most = if self.crowded() { 160 } else { 100 };
        match self.rng.random_range(0..most) {
            0..18 => Verdict::Retry { at: self.later(), execution: an_execution() },
            18..32 => Verdict::Error { execution: an_execution() },
            32..36 => Verdict::Forget { execution: an_execution() },
            36..44 => Verdict::Requeue { at: None, redeliveries: redeliveries + 1 },
            44..50 => Verdict::Requeue { at: Some(self.later()), redeliveries: redeliveries + 1 },
            50..52 => Verdict::Requeue { at: None, redeliveries },
            52..57 => Verdict::Defer { at: self.later() },
            57..62 => Verdict::Leave { queued: self.model.now - 5.0 },
            _ => done(),
        }
    }

    /// What a worker gives back without settling, and what operators free for those that are gone.
    pub(super) fn draw_release(&mut self) -> Drawn {
        let worker = self.a_worker();
        let held = self.held_by(&worker, 2);
        let taken: Vec<Lock> = self.model.locks.iter().map(|(id, token)| lock(id, token)).collect();
        let mut locks = if taken.is_empty() { Vec::new() } else { self.some_of(&taken, 2) };
        if self.chance(0.5) {
            let earlier = self.one_of(&taken).and_then(|lock| self.an_earlier_run(lock));
            locks = earlier.into_iter().collect();
        }
        if self.chance(0.3) {
            locks.push(Lock::of_worker(self.one_of(&LOCKS)?.to_owned(), &worker));
        }
        Some(Step::Release { locks, seats: seats_of(&held) })
    }

    /// Another run of the worker that holds a lock believes that it does.
    fn an_earlier_run(&mut self, lock: Lock) -> Option<Lock> {
        let (worker, _) = lock.token.rsplit_once(':')?;
        let runs = *self.runs.get(worker)?;
        let token = format!("{worker}:{}", self.rng.random_range(1..=runs));
        Some(Lock { token, ..lock })
    }

    /// Whoever finds a task takes it for its own to settle. Of a worker of ours the locks and seats are known.
    pub fn found(&mut self, worker: &Incarnation, claim: queue::Claim, ours: bool) {
        let queue::Claim { lease, task, .. } = claim;
        let known = self.held.iter().chain(&self.stale).find(|held| held.lease == lease);
        let lock = known.and_then(|held| held.lock.clone()).filter(|_| ours);
        let lock = lock.map(|lock| Lock::of_worker(lock.id, worker));
        let seat = ours.then(|| Seat { queue: lease.queue.clone(), name: worker.seat(&lease.id) });
        if !self.held.iter().any(|held| held.lease == lease && held.worker == *worker) {
            self.held.push(Held { worker: worker.clone(), lease, task: task.ok(), lock, seat });
        }
    }
}

fn seats_of(held: &[Held]) -> Vec<Seat> {
    held.iter().filter_map(|held| held.seat.clone()).collect()
}

fn lock(id: &str, token: &str) -> Lock {
    Lock { id: id.to_owned(), token: token.to_owned() }
}

fn a_record(id: &str) -> Kept {
    let record = Ended {
        id: id.to_owned(),
        func: "mail:send".to_owned(),
        outcome: "finished".to_owned(),
        result: None,
        error: None,
        message: None,
        enqueued: None,
        due: None,
        started: 1.0,
        ended: 2.0,
        attempts: 1,
    };
    Kept { record, ttl: HOLD }
}
