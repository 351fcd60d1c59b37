//! Steps whose answers tell workers what they hold.

use queue::{Asked, Beat, Claim, Incarnation, Lease, Locking, Seat, Settled, Settlement, Source};

use super::{Checked, said, same};
use crate::bench::presence;
use crate::walk::model::Wanted;
use crate::walk::step::Step;
use crate::walk::walker::{HOLD, Held, Walker};

impl Walker {
    pub(super) async fn claim(
        &mut self,
        worker: &Incarnation,
        wanted: &[Wanted],
        batches: usize,
        due_again: f64,
    ) -> Checked {
        let sources: Vec<Source<'_>> = wanted.iter().map(Wanted::source).collect();
        let asked = Asked { batches, due_again, seat: HOLD };
        let claimed = self.bench.client.claim(worker, &sources, asked, self.bench.now).await.map_err(said)?;
        let model = self.model.claim(worker.as_str(), wanted, batches, due_again, HOLD.as_secs_f64());
        let expected: Vec<&String> = model.iter().map(|taken| &taken.queue).collect();
        same("queues", expected, claimed.iter().map(|claimed| &claimed.queue).collect())?;
        for ((taken, claimed), from) in model.into_iter().zip(claimed).zip(wanted) {
            same("missing", taken.missing, claimed.missing.clone())?;
            let ids = claimed.claims.iter().map(|claim| claim.lease.id.clone()).collect();
            same("claimed", taken.claimed, ids)?;
            // It may say that there is more where all seats are taken now.
            let (is_empty, has_more) = (self.model.is_drained(from), self.model.has_more(from));
            if (is_empty && claimed.more) || (has_more && !claimed.more) {
                return Err(format!("`{}` has more: {has_more}, but the claim says otherwise", from.queue));
            }
            if !claimed.missing.is_empty() {
                self.count("claim: missing");
            }
            for (n, claim) in claimed.claims.into_iter().enumerate() {
                self.is_as_stored(&claim)?;
                let seat = Seat { queue: from.queue.clone(), name: worker.seat(&claim.lease.id) };
                let begins_batch = from.seats.is_some() && n.is_multiple_of(from.batch);
                self.hold(worker, claim, begins_batch.then_some(seat));
            }
        }
        Ok(())
    }

    /// A claim comes with the payload and the number of failures.
    fn is_as_stored(&self, claim: &Claim) -> Checked {
        let id = &claim.lease.id;
        let json = |task: &task::Task| task.to_json();
        let payload = claim.task.as_ref().map(json).map_err(ToString::to_string)?;
        same("payload", self.model.payloads.get(id).map(json), Some(payload))?;
        let failures = self.model.executions.get(id).map_or(0, |executions| executions.0);
        same("executions", failures, claim.executions)
    }

    fn hold(&mut self, worker: &Incarnation, claim: Claim, seat: Option<Seat>) {
        let Claim { lease, task, .. } = claim;
        self.held.push(Held { worker: worker.clone(), lease, task: task.ok(), lock: None, seat });
    }

    pub(super) async fn lock(&mut self, step: &Step) -> Checked {
        let Step::Lock { worker, wanted, due, twice } = step else { return Ok(()) };
        let locking = Locking { hold: HOLD, due_again: *due };
        let asked: Vec<_> = wanted.iter().map(|(lock, lease)| (lock.clone(), lease)).collect();
        for _ in 0..1 + usize::from(*twice) {
            let answer = self.bench.client.lock(worker, &asked, locking).await.map_err(said)?;
            same("locked", self.model.lock(worker.as_str(), wanted, *due), answer.clone())?;
            for ((lock, lease), taken) in wanted.iter().zip(answer) {
                if let Some(held) = self.held.iter_mut().find(|held| held.lease == *lease && taken) {
                    held.lock = Some(lock.clone());
                }
                if !taken {
                    self.count("lock: waits");
                    self.is_stale(lease);
                }
            }
        }
        Ok(())
    }

    /// What is held no more is kept in mind, to be too late with it.
    fn is_stale(&mut self, lease: &Lease) {
        if let Some(at) = self.held.iter().position(|held| held.lease == *lease) {
            let held = self.held.swap_remove(at);
            self.stale.push(held);
        }
    }

    pub(super) async fn heartbeat(&mut self, step: &Step) -> Checked {
        let Step::Heartbeat { worker, leases, locks, seats, twice } = step else { return Ok(()) };
        let presence = presence();
        for repeated in [false, true].into_iter().take(1 + usize::from(*twice)) {
            let beat =
                Beat { presence: &presence, present: HOLD, leases, locks, seats, hold: HOLD, repeated };
            let answer = self.bench.client.heartbeat(worker, beat, self.bench.now).await.map_err(said)?;
            let (name, hold) = (worker.as_str(), HOLD.as_secs_f64());
            let expected = self.model.heartbeat(name, leases, locks, seats, repeated, hold);
            let lost = answer.leases.clone();
            same("not renewed", expected, answer)?;
            for lease in lost.into_iter().map(|place| &leases[place]) {
                self.count("heartbeat: lost");
                self.is_stale(lease);
            }
        }
        for lease in leases {
            if let Some(held) = self.held.iter_mut().find(|held| held.lease == *lease) {
                self.stale.push(held.clone());
                held.lease.score = self.bench.now;
            }
        }
        Ok(())
    }

    pub(super) async fn settle(&mut self, worker: &Incarnation, settlements: &[Settlement]) -> Checked {
        let mut sent = settlements.to_vec();
        let answer = self.bench.client.settle(worker, &mut sent, self.bench.now).await.map_err(said)?;
        same("settled", self.model.settle(worker.as_str(), settlements), answer.clone())?;
        for (settlement, settled) in settlements.iter().zip(answer) {
            self.count(format!("settle {}: {settled:?}", settlement.verdict.word()));
            if settled != Settled::QueueFull {
                self.is_stale(&settlement.lease);
            }
        }
        Ok(())
    }

    /// Finds what vanished workers held; it is settled in a later step, or by somebody else.
    pub(super) async fn reclaim(&mut self, finder: &Incarnation) -> Checked {
        let workers = self.bench.says(&["SMEMBERS", "t:workers"]).await;
        let mut found = self.bench.client.orphans(finder).await.map_err(said)?;
        let leases = |claims: &[Claim]| claims.iter().map(|claim| claim.lease.clone()).collect::<Vec<_>>();
        let answer: Vec<_> =
            found.iter().map(|one| (one.worker.as_str().to_owned(), leases(&one.claims))).collect();
        same("orphans", self.model.orphans(finder.as_str(), &workers), answer)?;
        // A set of Redis has no order, but a walk that is repeated must have one.
        found.sort_by_key(|orphans| self.known.iter().position(|known| *known == orphans.worker));
        for orphans in found {
            for claim in orphans.claims {
                self.count("reclaim: found");
                self.is_as_stored(&claim)?;
                self.found(&orphans.worker, claim, true);
            }
        }
        Ok(())
    }

    pub(super) async fn expire(&mut self, before: f64, most: usize) -> Checked {
        let queues = self.bench.says(&["SMEMBERS", "t:active"]).await;
        let mut found = self.bench.client.expired(before, most).await.map_err(said)?;
        let leases = found.iter().map(|claim| claim.lease.clone()).collect();
        same("expired", self.model.expired(before, most, &queues), leases)?;
        found.sort_by(|one, other| by_name(&one.lease).cmp(&by_name(&other.lease)));
        let nobody = self.newcomer();
        for claim in found {
            self.count("expire: found");
            self.is_as_stored(&claim)?;
            self.found(&nobody, claim, false);
        }
        Ok(())
    }
}

fn by_name(lease: &Lease) -> (&str, &str) {
    (&lease.queue, &lease.id)
}
