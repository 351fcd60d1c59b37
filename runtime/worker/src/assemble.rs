//! Assemble: from what was claimed to chains of runs. A batch function's tasks come together, each task knows the
//! lock it needs, and what is somebody else's is taken out.

use std::collections::HashMap;
use std::mem;

use queue::{Claim, Lock, Seat, Settlement};
use task::{BadPayload, Verdict};

use crate::fetch::Fetcher;
use crate::job::{Chain, ChainEnd, Job, Run};
use crate::library::Library;

impl Fetcher {
    /// The chains of one queue's claims: one for each batch, in the order of the claim.
    pub(crate) fn chains(&mut self, queue: &str, claims: Vec<Claim>, library: &Library) -> Vec<Chain> {
        let size = self.settings.batch_size(queue);
        let limited = self.settings.seats(queue).is_some();
        let mut claims = claims.into_iter().peekable();
        let mut chains = Vec::with_capacity(claims.len().div_ceil(size));
        while let Some(first) = claims.peek() {
            let name = limited.then(|| self.worker.seat(&first.lease.id));
            let batch = claims.by_ref().take(size).map(|claim| self.job(claim, library)).collect();
            let mut chain = grouped(batch, library);
            if let Some(last) = last_of(&mut chain) {
                last.seat = name.map(|name| Seat { queue: queue.to_owned(), name });
            }
            chains.push(chain);
        }
        chains
    }

    /// A job, with the lock that it needs and does not have yet.
    fn job(&mut self, claim: Claim, library: &Library) -> Job {
        self.next_ticket += 1;
        let mut job = Job::new(self.next_ticket, claim);
        if let Ok(task) = &job.task {
            let own = library.resolve(&task.func).ok().map(|(_, function)| &function.options);
            match task.lock_id(own) {
                Ok(lock) => job.lock = lock.map(|id| Lock::of_run(id, &self.worker, job.ticket)),
                Err(error) => {
                    job.task = Err(BadPayload::Unreadable(format!("its arguments name no lock: {error}")));
                }
            }
        }
        job
    }

    /// Whether a task is somebody else's: of a queue that this worker was not told to work on, it takes only
    /// functions whose module is deployed. Any other may be a Python worker's.
    pub(crate) fn is_foreign(&self, job: &Job, library: &Library) -> bool {
        let func = match &job.task {
            Ok(task) => Some(&task.func),
            Err(_) => job.seems_to_call.as_ref(),
        };
        let unknown = func.is_none_or(|func| library.catalog.module(func.module()).is_none());
        unknown && !self.settings.filter.names(&job.lease.queue)
    }
}

/// A task goes back to where it was. Its payload knows when it was due, which is about when it was queued.
pub(crate) fn left(job: Job) -> Settlement {
    let task = job.task.as_ref().ok();
    let queued = task.and_then(|task| task.scheduled_at.or(task.time_last_queued));
    let verdict = Verdict::Leave { queued: queued.unwrap_or(job.lease.score) };
    Settlement::new(job.lease, task, verdict)
}

/// Splits a batch into runs: a batch function's tasks together, all others alone. Locks of one run are one run's.
fn grouped(batch: Vec<Job>, library: &Library) -> Chain {
    let mut runs: Vec<Run> = Vec::with_capacity(1);
    let mut open: HashMap<String, usize> = HashMap::new();
    for mut job in batch {
        let func = job.task.as_ref().ok().map(|task| &task.func);
        let together = func.filter(|func| library.resolve(func).is_ok_and(|(_, function)| function.batch));
        let Some(func) = together.map(ToString::to_string) else {
            runs.push(vec![job]);
            continue;
        };
        match open.get(&func).and_then(|at| runs.get_mut(*at)) {
            Some(run) => {
                // In one run a lock is met only by those of other runs.
                if let (Some(lock), Some(token)) = (&mut job.lock, token_of(run)) {
                    lock.token = token;
                }
                run.push(job);
            }
            None => {
                open.insert(func, runs.len());
                runs.push(vec![job]);
            }
        }
    }
    runs
}

fn token_of(run: &Run) -> Option<String> {
    run.iter().find_map(|job| job.lock.as_ref()).map(|lock| lock.token.clone())
}

/// The place for what a whole chain holds.
pub(crate) fn last_of(chain: &mut Chain) -> Option<&mut ChainEnd> {
    chain.last_mut()?.last_mut().map(|job| &mut job.chain)
}

/// Takes jobs out of their chains. Answers them, and the seats of chains that have nothing left to do.
pub(crate) fn take_out(chains: &mut Vec<Chain>, mut goes: impl FnMut(&Job) -> bool) -> (Vec<Job>, Vec<Seat>) {
    let (mut out, mut seats) = (Vec::new(), Vec::new());
    chains.retain_mut(|chain| {
        let end = last_of(chain).map(mem::take).unwrap_or_default();
        for run in chain.iter_mut() {
            out.extend(run.extract_if(.., |job| goes(job)));
        }
        chain.retain(|run| !run.is_empty());
        match last_of(chain) {
            Some(last) => *last = end,
            None => seats.extend(end.seat),
        }
        !chain.is_empty()
    });
    (out, seats)
}
