//! Enqueue: a task comes into being, in `queued`, or in `scheduled` where it is due later.

use redis::Value;
use task::{Task, Timestamp, check_id, check_queue_name};

use crate::claim::{number, text};
use crate::script::ENQUEUE;
use crate::{Client, Error, MAX_BATCH, State};

/// A task, where it goes, and when it is due.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Which queue it goes to.
    pub queue: String,
    /// What to call, and how.
    pub task: Task,
    /// When it is due; at once where `None` or past.
    pub due: Option<Timestamp>,
}

impl NewTask {
    /// A task for this queue that is due at once.
    pub fn new(queue: impl Into<String>, task: Task) -> NewTask {
        NewTask { queue: queue.into(), task, due: None }
    }

    /// Where it goes and with which score; notes both in the payload, as TaskTiger does.
    pub(crate) fn place(&mut self, now: Timestamp) -> (State, Timestamp) {
        let due = self.due.filter(|due| *due > now);
        self.task.time_last_queued = Some(now);
        self.task.scheduled_at = Some(due.unwrap_or(now));
        match due {
            Some(due) => (State::Scheduled, due),
            None => (State::Queued, now),
        }
    }
}

impl Client {
    /// Enqueues tasks, in one round trip for every few hundred. Answers how many were new: a task that was
    /// queued already keeps its place and takes the new payload.
    ///
    /// Every name is checked before anything is written. Where a task has a `max_queue_size` and its queue no
    /// room, none of a round trip's tasks is enqueued, and the error is [`Error::QueueFull`].
    pub async fn enqueue(
        &self,
        tasks: impl IntoIterator<Item = NewTask>,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let mut tasks: Vec<NewTask> = tasks.into_iter().collect();
        for new in &tasks {
            check_queue_name(&new.queue)?;
            check_id(&new.task.id)?;
        }
        let mut added = 0;
        for chunk in tasks.chunks_mut(MAX_BATCH) {
            added += self.enqueue_chunk(chunk, now).await?;
        }
        Ok(added)
    }

    async fn enqueue_chunk(&self, tasks: &mut [NewTask], now: Timestamp) -> Result<u64, Error> {
        let places: Vec<_> = tasks.iter_mut().map(|new| new.place(now)).collect();
        let mut call = ENQUEUE.call(self);
        let mut from = 0;
        while from < tasks.len() {
            let (state, NewTask { queue, task, .. }) = (places[from].0, &tasks[from]);
            let most = task.max_queue_size;
            let same = |at: &usize| {
                let NewTask { queue: its_queue, task, .. } = &tasks[*at];
                places[*at].0 == state && its_queue == queue && task.max_queue_size == most
            };
            let to = (from..tasks.len()).take_while(same).count() + from;
            call.arg(state.as_str()).arg(queue).arg(limit(most)).arg(to - from);
            for at in from..to {
                call.arg(&tasks[at].task.id).arg(tasks[at].task.to_json()).arg(places[at].1);
            }
            from = to;
        }
        match ENQUEUE.run(self, &call).await? {
            Value::Int(added) => Ok(added.unsigned_abs()),
            Value::Array(full) => Err(queue_full(full)),
            answer => Err(ENQUEUE.unexpected(&answer)),
        }
    }
}

/// A limit as scripts take it: empty for none. As in TaskTiger, 0 is none.
pub(crate) fn limit(most: Option<u32>) -> String {
    most.filter(|most| *most > 0).map_or_else(String::new, |most| most.to_string())
}

fn queue_full(answer: Vec<Value>) -> Error {
    match <[Value; 3]>::try_from(answer) {
        Ok([queue, size, limit]) => Error::QueueFull {
            queue: text(queue).unwrap_or_default(),
            size: u64::from(number(&size)),
            limit: number(&limit),
        },
        Err(answer) => ENQUEUE.unexpected(&answer),
    }
}
