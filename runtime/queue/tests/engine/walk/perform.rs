//! Takes a step: the same call to the client and to the model, whose answers must be the same.

mod work;

use std::fmt::Debug;

use queue::{Error, NewTask, Place, Selection, State};
use task::Filter;

use crate::walk::step::Step;
use crate::walk::walker::Walker;

type Checked = Result<(), String>;

impl Walker {
    pub async fn perform(&mut self, step: &Step) -> Checked {
        match step {
            Step::Pass { seconds } => self.pass(*seconds),
            Step::Enqueue(tasks) => self.enqueue(tasks).await?,
            Step::Claim { worker, wanted, batches, due_again } => {
                self.claim(worker, wanted, *batches, *due_again).await?
            }
            Step::Lock { .. } => self.lock(step).await?,
            Step::Heartbeat { .. } => self.heartbeat(step).await?,
            Step::Settle { worker, settlements } => self.settle(worker, settlements).await?,
            Step::Reclaim { finder } => self.reclaim(finder).await?,
            Step::Expire { before, most } => self.expire(*before, *most).await?,
            Step::LosePayload { id } => self.lose_payload(id).await,
            _ => self.perform_short(step).await?,
        }
        Ok(())
    }

    /// Steps that tell a worker nothing.
    async fn perform_short(&mut self, step: &Step) -> Checked {
        let (client, model, now) = (&self.bench.client, &mut self.model, self.bench.now);
        match step {
            Step::Plan(tasks, running) => {
                let planned = client.plan(&mut tasks.clone(), *running, now).await.map_err(said)?;
                same("planned", model.plan(tasks, *running), planned)
            }
            Step::Replan(tasks) => {
                let changed = client.replan(&mut tasks.clone(), now).await.map_err(said)?;
                same("changed", model.replan(tasks), changed)
            }
            Step::Release { locks, seats } => {
                model.release(locks, seats);
                client.release(locks, seats, now).await.map_err(said)
            }
            Step::Promote { queues } => {
                let promoted = client.promote(queues, now).await.map_err(said)?;
                same("promoted", queues.iter().map(|queue| model.promote(queue)).collect(), promoted)
            }
            Step::Leave { worker } => {
                model.leave(worker.as_str());
                client.leave(worker).await.map_err(said)
            }
            Step::Vanish { worker } => {
                model.vanish(worker.as_str());
                self.bench.says(&["DEL", &client.keys().worker(worker.as_str())]).await;
                Ok(())
            }
            Step::Purge { queues, before, limit } => {
                let purged = client.purge(queues.clone(), Some(*before), *limit).await.map_err(said)?;
                same("purged", model.purge(queues, *before, *limit), purged)
            }
            Step::LockQueue { queue, until } => {
                model.lock_queue(queue, *until);
                client.lock_queue(queue, *until, now).await.map_err(said)
            }
            Step::UnlockQueue { queue } => {
                let was_locked = client.unlock_queue(queue, now).await.map_err(said)?;
                same("unlocked", model.unlock_queue(queue), was_locked)
            }
            Step::Select { state, queues, before, limit } => {
                self.select(*state, queues, *before, *limit).await
            }
            _ => self.operate(step).await,
        }
    }

    /// What operators do to tasks where they were found.
    async fn operate(&mut self, step: &Step) -> Checked {
        let (client, model, now) = (&self.bench.client, &mut self.model, self.bench.now);
        match step {
            Step::Retry(places) => {
                same("retried", model.retry(places), client.retry_all(places, now).await.map_err(said)?)
            }
            Step::Delete(places) => {
                same("deleted", model.delete(places), client.delete_all(places).await.map_err(said)?)
            }
            Step::Cancel(place) => {
                let found = client.load(vec![place.clone()], 0).await.map_err(said)?;
                let scheduled = place.state == State::Scheduled;
                let cancelled = scheduled && model.delete(std::slice::from_ref(place)) == 1;
                same("cancelled", cancelled, client.cancel(&found[0]).await.map_err(said)?)
            }
            Step::Reschedule(place, due) => {
                let found = client.load(vec![place.clone()], 0).await.map_err(said)?;
                let done = client.reschedule(&found[0], *due, now).await.map_err(said)?;
                same("rescheduled", model.reschedule(place, *due), done)
            }
            other => unreachable!("{other} is performed elsewhere"),
        }
    }

    async fn enqueue(&mut self, tasks: &[NewTask]) -> Checked {
        let answer = match self.bench.client.enqueue(tasks.to_vec(), self.bench.now).await {
            Ok(added) => Ok(added),
            Err(Error::QueueFull { queue, size, limit }) => Err((queue, size, limit)),
            Err(error) => return Err(said(error)),
        };
        if answer.is_err() {
            self.count("enqueue: full");
        }
        same("enqueued", self.model.enqueue(tasks), answer)
    }

    async fn select(&mut self, state: State, queues: &Filter, before: f64, limit: usize) -> Checked {
        let selection =
            Selection { queues: queues.clone(), before: Some(before), limit, ..Selection::of(state) };
        let mut walk = self.bench.client.select(selection).await.map_err(said)?;
        let mut answer: Vec<Place> = Vec::new();
        while let Some(places) = walk.next().await.map_err(said)? {
            answer.extend(places);
        }
        same("selected", self.model.select(state, queues, before, limit), answer)
    }

    /// Somebody else's mistake.
    async fn lose_payload(&mut self, id: &str) {
        self.model.payloads.remove(id);
        self.bench.says(&["DEL", &self.bench.client.keys().payload(id)]).await;
    }
}

pub fn same<T: PartialEq + Debug>(what: &str, model: T, redis: T) -> Checked {
    if model == redis {
        return Ok(());
    }
    Err(format!("{what}\n    model: {model:?}\n    Redis: {redis:?}"))
}

pub fn said(error: Error) -> String {
    format!("the call failed: {error}")
}
