//! The reclaimer: takes back what vanished workers held. Any worker may; the lease decides who does. Where it is told
//! to, it also applies TaskTiger's rule: an active task that nobody was heard of for a minute is lost, whoever
//! claimed it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use queue::{Claim, Client, Error, Incarnation, Lock, Orphans, Seat, Settled, Settlement};
use task::{Facts, Interruption, Options, Outcome, Task, Timestamp, decide, refuse};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use crate::Settings;
use crate::library::Library;
use crate::record::record;
use crate::report::{Reports, TaskFailure};

pub(crate) struct Reclaimer {
    pub(crate) client: Client,
    pub(crate) incarnation: Incarnation,
    pub(crate) settings: Settings,
    pub(crate) library: watch::Receiver<Arc<Library>>,
    pub(crate) host: String,
    pub(crate) reports: Reports,
}

impl Reclaimer {
    pub(crate) async fn run(self) {
        let mut reaped = Instant::now();
        loop {
            // Workers that started together need not all look together.
            let poll = self.settings.poll;
            let jitter = poll.mul_f64(rand::random_range(0.0..0.5));
            sleep(poll + jitter).await;
            let reap = self.settings.reap && reaped.elapsed() >= self.settings.reap_interval;
            if reap {
                reaped = Instant::now();
            }
            if let Err(error) = self.take_back(reap).await {
                warn!(%error, "could not look for what vanished workers held; trying again");
                // Redis was away, and with it the presence of everybody: let the living come back first.
                sleep(self.settings.presence).await;
            }
        }
    }

    /// Takes back what vanished workers held and, where asked to, what has expired.
    pub(crate) async fn take_back(&self, reap: bool) -> Result<(), Error> {
        for Orphans { worker, claims } in self.client.orphans(&self.incarnation).await? {
            let judged = claims.iter().map(|claim| self.judge(claim, Some(&worker))).collect();
            let tasks = self.settle(&worker, judged).await?;
            if tasks > 0 {
                warn!(vanished = %worker, tasks, "took back the tasks of a vanished worker");
            }
        }
        if reap {
            self.reap().await?;
        }
        Ok(())
    }

    /// TaskTiger's rule. Full batches follow each other at once.
    async fn reap(&self) -> Result<(), Error> {
        loop {
            let before = queue::now() - self.settings.active_timeout.as_secs_f64();
            let claims = self.client.expired(before, self.settings.reap_batch).await?;
            let found = claims.len();
            let judged = claims.iter().map(|claim| self.judge(claim, None)).collect();
            let tasks = self.settle(&Incarnation::fresh(), judged).await?;
            if tasks > 0 {
                warn!(tasks, "took back active tasks that nobody was heard of for the active timeout");
            }
            if found < self.settings.reap_batch || tasks == 0 {
                return Ok(());
            }
        }
    }

    /// Settles in the name of whoever claimed the tasks, and answers how many were still there.
    async fn settle(&self, worker: &Incarnation, judged: Vec<Judged>) -> Result<usize, Error> {
        let (mut settlements, failures): (Vec<Settlement>, Vec<_>) = judged.into_iter().unzip();
        let settled = match self.client.settle(worker, &mut settlements, queue::now()).await {
            Err(error) if !error.is_connection() => self.settle_each(worker, &mut settlements).await,
            settled => settled?,
        };
        let done = failures.into_iter().zip(&settled).filter(|(_, settled)| **settled == Settled::Done);
        let mut tasks = 0;
        for (failure, _) in done {
            tasks += 1;
            failure.into_iter().for_each(|failure| self.reports.send(*failure));
        }
        Ok(tasks)
    }

    /// One that Redis refuses must not keep the others from coming back.
    async fn settle_each(&self, worker: &Incarnation, settlements: &mut [Settlement]) -> Vec<Settled> {
        let mut answers = Vec::new();
        for settlement in settlements {
            match self.client.settle(worker, std::slice::from_mut(settlement), queue::now()).await {
                Ok(settled) => answers.extend(settled),
                Err(error) => {
                    warn!(task_id = settlement.lease.id, %error, "Redis refuses to take this task back");
                    answers.push(Settled::Lost);
                }
            }
        }
        answers
    }

    /// What happens to a task whose worker is gone: one of ours, whose locks and seats can be told, or nobody knows
    /// whose.
    fn judge(&self, claim: &Claim, worker: Option<&Incarnation>) -> Judged {
        let library = Arc::clone(&self.library.borrow());
        let policy = &self.settings.policy;
        let mut facts = self.facts(claim.executions, claim.lease.score);
        let task = match &claim.task {
            Ok(task) => task,
            Err(bad) => {
                let verdict = refuse(bad, facts, policy);
                let failure =
                    TaskFailure::of(&claim.lease, None, &verdict, claim.executions, || bad.to_string());
                return (Settlement::new(claim.lease.clone(), None, verdict), failure);
            }
        };
        facts.options = library.catalog.resolve(&task.func).ok().map(|resolved| &resolved.function.options);
        let outcome = match worker {
            Some(_) => Outcome::Interrupted(Interruption::WorkerVanished),
            None => expired(task, facts.options, self.settings.active_timeout),
        };
        let verdict = decide(task, &outcome, facts, policy);
        let record = record(task, &outcome, &verdict, facts);
        let lock = worker.and_then(|worker| {
            let id = task.lock_id(facts.options).ok().flatten()?;
            Some(Lock::of_worker(id, worker))
        });
        let seat = worker.map(|worker| Seat { queue: claim.lease.queue.clone(), name: worker.all_seats() });
        let failure =
            TaskFailure::of(&claim.lease, Some(task), &verdict, claim.executions, || outcome.message());
        let kept = task.max_stored_executions.or(facts.options.and_then(|own| own.max_stored_executions));
        let mut settlement = Settlement::new(claim.lease.clone(), Some(task), verdict);
        settlement.kept_executions = kept.unwrap_or(0);
        (Settlement { record, lock, seat, ..settlement }, failure)
    }

    fn facts(&self, executions: u32, started: Timestamp) -> Facts<'_> {
        let (now, chance) = (queue::now(), rand::random());
        Facts { executions, started, now, host: &self.host, options: None, chance, custom_delay: None }
    }
}

/// What happens to a task, and what is reported of it.
type Judged = (Settlement, Option<Box<TaskFailure>>);

/// TaskTiger runs an expired task again if its failures by timeout are retried, and else fails it.
fn expired(task: &Task, own: Option<&Options>, limit: Duration) -> Outcome {
    let traceback = "Nobody was heard of who runs it.".to_owned();
    let timed_out = Outcome::TimedOut { limit: limit.as_secs_f64(), traceback };
    let of_function = own.filter(|_| task.retry_method.is_none() && task.retry_on.is_empty());
    let names = of_function.map_or(&task.retry_on, |own| &own.retry_on);
    if names.iter().any(|name| timed_out.matches(name)) {
        return Outcome::Interrupted(Interruption::WorkerVanished);
    }
    Outcome::Refused { kind: "margay:Expired", message: timed_out.message() }
}
