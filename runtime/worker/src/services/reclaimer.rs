//! The reclaimer: takes back what vanished workers held. Any worker may; the lease decides who does.

use std::sync::Arc;
use std::time::Duration;

use queue::{Client, Error, Incarnation, Orphans, Settled, Settlement};
use task::{Facts, Interruption, Outcome, Policy, decide, refuse};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use crate::library::Library;
use crate::record::record;

pub(crate) struct Reclaimer {
    pub(crate) client: Client,
    pub(crate) incarnation: Incarnation,
    pub(crate) policy: Policy,
    pub(crate) library: watch::Receiver<Arc<Library>>,
    pub(crate) host: String,
    pub(crate) poll: Duration,
    pub(crate) presence: Duration,
}

impl Reclaimer {
    pub(crate) async fn run(self) {
        loop {
            // Workers that started together need not all look together.
            let jitter = self.poll.mul_f64(rand::random_range(0.0..0.5));
            sleep(self.poll + jitter).await;
            if let Err(error) = self.reclaim().await {
                warn!(%error, "could not look for what vanished workers held; trying again");
                // Redis was away, and with it the presence of everybody: let the living come back first.
                sleep(self.presence).await;
            }
        }
    }

    async fn reclaim(&self) -> Result<(), Error> {
        for Orphans { worker, claims } in self.client.orphans(&self.incarnation).await? {
            let mut settlements: Vec<Settlement> = claims.iter().map(|claim| self.judge(claim)).collect();
            let settled = match self.client.settle(&worker, &mut settlements, queue::now()).await {
                Err(error) if !error.is_connection() => self.settle_each(&worker, &mut settlements).await,
                settled => settled?,
            };
            let tasks = settled.iter().filter(|settled| **settled == Settled::Done).count();
            if tasks > 0 {
                warn!(vanished = %worker, tasks, "took back the tasks of a vanished worker");
            }
        }
        Ok(())
    }

    /// One that Redis refuses must not keep the others from coming back.
    async fn settle_each(&self, worker: &Incarnation, settlements: &mut [Settlement]) -> Vec<Settled> {
        let mut answers = Vec::new();
        for settlement in settlements {
            match self.client.settle(worker, std::slice::from_mut(settlement), queue::now()).await {
                Ok(settled) => answers.extend(settled),
                Err(error) => {
                    warn!(task_id = settlement.lease.id, %error, "Redis refuses to take this task back")
                }
            }
        }
        answers
    }

    fn judge(&self, claim: &queue::Claim) -> Settlement {
        let library = Arc::clone(&self.library.borrow());
        let mut facts = Facts {
            executions: claim.executions,
            started: claim.lease.score,
            now: queue::now(),
            host: &self.host,
            options: None,
            chance: 0.0,
            custom_delay: None,
        };
        let task = match &claim.task {
            Ok(task) => task,
            Err(bad) => return Settlement::new(claim.lease.clone(), None, refuse(bad, facts, &self.policy)),
        };
        facts.options = library.resolve(&task.func).ok().map(|(_, function)| &function.options);
        let outcome = Outcome::Interrupted(Interruption::WorkerVanished);
        let verdict = decide(task, &outcome, facts, &self.policy);
        let record = record(task, &outcome, &verdict, facts);
        Settlement { record, ..Settlement::new(claim.lease.clone(), Some(task), verdict) }
    }
}
