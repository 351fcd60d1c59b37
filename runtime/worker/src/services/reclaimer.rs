//! The reclaimer: takes back what vanished workers held. Any worker may; the lease decides who does.

use std::sync::Arc;
use std::time::Duration;

use queue::{Client, Error, Orphans, Settled, Settlement};
use task::{Facts, Interruption, Outcome, Policy, decide, refuse};
use tokio::sync::watch;
use tracing::warn;

use crate::library::Library;

pub(crate) struct Reclaimer {
    pub(crate) client: Client,
    pub(crate) policy: Policy,
    pub(crate) library: watch::Receiver<Arc<Library>>,
    pub(crate) host: String,
    pub(crate) poll: Duration,
}

impl Reclaimer {
    pub(crate) async fn run(self) {
        loop {
            // Workers that started together need not all look together.
            let jitter = self.poll.mul_f64(rand::random_range(0.0..0.5));
            tokio::time::sleep(self.poll + jitter).await;
            if let Err(error) = self.reclaim().await {
                warn!(%error, "could not look for what vanished workers held; trying again");
            }
        }
    }

    async fn reclaim(&self) -> Result<(), Error> {
        for Orphans { worker, claims } in self.client.orphans().await? {
            let mut settlements: Vec<Settlement> = claims.iter().map(|claim| self.judge(claim)).collect();
            let settled = self.client.settle(&worker, &mut settlements, queue::now()).await?;
            let tasks = settled.iter().filter(|settled| **settled == Settled::Done).count();
            if tasks > 0 {
                warn!(vanished = %worker, tasks, "took back the tasks of a vanished worker");
            }
        }
        Ok(())
    }

    fn judge(&self, claim: &queue::Claim) -> Settlement {
        let library = Arc::clone(&self.library.borrow());
        let mut facts = Facts {
            executions: claim.executions,
            started: claim.lease.score,
            now: queue::now(),
            host: &self.host,
            options: None,
        };
        let task = match &claim.task {
            Ok(task) => task,
            Err(bad) => return Settlement::new(claim.lease.clone(), None, refuse(bad, facts, &self.policy)),
        };
        facts.options = library.resolve(&task.func).ok().map(|(_, function)| &function.options);
        let verdict = decide(task, &Outcome::Interrupted(Interruption::WorkerVanished), facts, &self.policy);
        Settlement::new(claim.lease.clone(), Some(task), verdict)
    }
}
