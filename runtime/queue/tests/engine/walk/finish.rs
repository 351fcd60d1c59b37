//! The end of a walk: everything comes back, is run, and leaves nothing behind.

use queue::{Settlement, State};
use task::{Filter, Verdict};

use crate::bench::{a_unique_task, done};
use crate::walk::draw::QUEUES;
use crate::walk::keyspace;
use crate::walk::model::Wanted;
use crate::walk::step::Step;
use crate::walk::walker::Walker;

type Checked = Result<(), String>;

impl Walker {
    /// Every worker vanishes and what they held comes back; then the keyspace must be sound. Once every task is
    /// run or deleted, nothing may be left of them.
    pub async fn finish(mut self) -> Checked {
        self.give_everything_back().await?;
        self.restore_payloads().await;
        self.compare().await?;
        test_support::check_invariants(&self.bench.client).await;
        self.drain().await?;
        self.compare().await?;
        let left = keyspace::read(&self.bench).await.into_keys();
        let may_stay = ["t:waiters:", "t:qslock:", "t:locked_queues"];
        let of_tasks =
            |key: &String| !may_stay.iter().any(|start| key.starts_with(start)) && !key.ends_with(":result");
        let left: Vec<String> = left.filter(of_tasks).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("left over: {left:?}")) }
    }

    async fn give_everything_back(&mut self) -> Checked {
        for worker in self.known.clone() {
            if self.model.workers.contains(worker.as_str()) {
                self.go(&Step::Vanish { worker }).await?;
            }
        }
        self.held.clear();
        let finder = self.newcomer();
        self.go(&Step::Reclaim { finder }).await?;
        self.settle_held(Verdict::Requeue { at: None, redeliveries: 1 }).await?;
        self.go(&Step::Expire { before: self.model.now, most: 320 }).await?;
        self.settle_held(Verdict::Requeue { at: None, redeliveries: 1 }).await?;
        let finder = self.newcomer();
        self.go(&Step::Reclaim { finder }).await
    }

    async fn settle_held(&mut self, verdict: Verdict) -> Checked {
        for held in self.held.clone() {
            let settlement = Settlement::new(held.lease, held.task.as_ref(), verdict.clone());
            let settlements = vec![Settlement { lock: held.lock, seat: held.seat, ..settlement }];
            self.go(&Step::Settle { worker: held.worker, settlements }).await?;
        }
        Ok(())
    }

    /// Those that somebody else has lost, or a twin in another queue took along.
    async fn restore_payloads(&mut self) {
        for place in self.model.everything() {
            if !self.model.payloads.contains_key(&place.id) {
                let task = a_unique_task(&place.id);
                self.bench.set_payload(&place.id, &task.to_json()).await;
                self.model.payloads.insert(place.id, task);
            }
        }
    }

    async fn drain(&mut self) -> Checked {
        let locks =
            self.model.locks.iter().map(|(id, token)| queue::Lock { id: id.clone(), token: token.clone() });
        let (locks, seats) = (locks.collect(), Vec::new());
        self.go(&Step::Release { locks, seats }).await?;
        self.go(&Step::Pass { seconds: 10_000.0 }).await?;
        let queues: Vec<String> = QUEUES.map(str::to_owned).to_vec();
        self.go(&Step::Promote { queues: queues.clone() }).await?;
        let (worker, all) = (self.newcomer(), Filter::default());
        while self.model.everything().iter().any(|place| place.state == State::Queued) {
            let from = |queue: &String| Wanted { queue: queue.clone(), seats: None, batch: 1 };
            let (wanted, worker) = (queues.iter().map(from).collect(), worker.clone());
            self.go(&Step::Claim { worker, wanted, batches: 50, due_again: self.model.now }).await?;
            self.settle_held(done()).await?;
        }
        let (before, limit) = (self.model.now, 1000);
        self.go(&Step::Purge { queues: all, before, limit }).await?;
        self.go(&Step::Leave { worker }).await
    }
}
