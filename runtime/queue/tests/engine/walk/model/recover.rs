//! What happens by itself: what is due is promoted, what vanished workers held is found.

use queue::{Lease, Promoted, State};

use super::{Model, sorted};

impl Model {
    /// A task that is queued already keeps its place.
    pub fn promote(&mut self, queue: &str) -> Promoted {
        let due: Vec<_> =
            self.in_order(State::Scheduled, queue).into_iter().filter(|(due, _)| *due <= self.now).collect();
        for (_, id) in &due {
            self.take_out(State::Scheduled, queue, id);
            self.put_new(State::Queued, queue, id, self.now);
        }
        let next_due = self.in_order(State::Scheduled, queue).first().map(|next| next.0);
        Promoted { tasks: due.len() as u64, next_due }
    }

    /// A worker that holds nothing is forgotten at once.
    pub fn leave(&mut self, worker: &str) {
        self.present.remove(worker);
        self.forget_if_idle(worker);
    }

    pub fn vanish(&mut self, worker: &str) {
        self.present.remove(worker);
    }

    /// What vanished workers left behind, worker by worker, in the order in which they are looked at.
    pub fn orphans(&mut self, finder: &str, workers: &[String]) -> Vec<(String, Vec<Lease>)> {
        let mut orphans = Vec::new();
        for worker in workers {
            if worker == finder || self.present.contains(worker) {
                continue;
            }
            let mut found = Vec::new();
            for (lease, claim) in sorted(self.claims.get(worker)) {
                let (queue, id) = claim.rsplit_once(':').expect("a claim is queue:id");
                let lease = Lease { queue: queue.to_owned(), id: id.to_owned(), score: lease };
                if self.is_orphan(worker, &lease) {
                    found.push(lease);
                }
            }
            if !found.is_empty() {
                orphans.push((worker.clone(), found));
            }
            self.forget_if_idle(worker);
        }
        orphans
    }

    /// A claim whose lease does not hold is forgotten, and a task without a payload dropped. One that is in `error`
    /// since is taken to have been put there by TaskTiger's rule.
    fn is_orphan(&mut self, worker: &str, lease: &Lease) -> bool {
        let Lease { queue, id, score } = lease;
        let mut active = self.score(State::Active, queue, id);
        if active.is_none() && self.score(State::Error, queue, id).is_some_and(|failed| failed >= *score) {
            self.take_out(State::Error, queue, id);
            self.put(State::Active, queue, id, *score);
            active = Some(*score);
        }
        if active == Some(*score) && self.payloads.contains_key(id) {
            return true;
        }
        self.drop_claim(worker, queue, id, *score);
        if active == Some(*score) {
            self.drop_without_payload(State::Active, queue, id);
        }
        false
    }

    fn forget_if_idle(&mut self, worker: &str) {
        if self.claims.get(worker).is_none_or(|claims| claims.is_empty()) {
            self.workers.remove(worker);
        }
    }

    /// Active tasks that nobody was heard of, queue by queue, in the order in which they are looked at.
    pub fn expired(&mut self, before: f64, most: usize, queues: &[String]) -> Vec<Lease> {
        let (mut left, mut found) = (most, Vec::new());
        for queue in queues {
            for (score, id) in self.in_order(State::Active, queue) {
                if left == 0 || score > before {
                    break;
                }
                left -= 1;
                if self.payloads.contains_key(&id) {
                    found.push(Lease { queue: queue.clone(), id, score });
                } else {
                    self.drop_without_payload(State::Active, queue, &id);
                }
            }
        }
        found
    }
}
