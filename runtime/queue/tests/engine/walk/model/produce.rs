//! What producers do: enqueue, plan, plan anew.

use std::collections::BTreeSet;

use queue::{NewTask, Running, State};
use task::Task;

use super::Model;

/// A queue that has no room: its name, its size, its limit.
pub type Full = (String, u64, u32);

impl Model {
    /// All of them, or none. What a limit counts is what waits and runs; what is in its place already needs no room.
    pub fn enqueue(&mut self, tasks: &[NewTask]) -> Result<u64, Full> {
        let before = self.clone();
        let mut added = 0;
        for new in tasks {
            let (task, state, score) = noted(new, self.now);
            if !self.has_room(state, new) {
                let full = (new.queue.clone(), before.used(&new.queue), limit(new).unwrap_or(0));
                *self = before;
                return Err(full);
            }
            added += u64::from(self.put_new(state, &new.queue, &task.id, score));
            self.payloads.insert(task.id.clone(), task);
        }
        Ok(added)
    }

    pub fn has_room(&self, state: State, new: &NewTask) -> bool {
        let in_place = self.score(state, &new.queue, &new.task.id).is_some();
        in_place || limit(new).is_none_or(|most| self.used(&new.queue) < u64::from(most))
    }

    fn used(&self, queue: &str) -> u64 {
        let counted = [State::Queued, State::Active, State::Scheduled];
        counted.into_iter().map(|state| self.size(state, queue) as u64).sum()
    }

    /// One that waits already is left alone. Answers which were scheduled.
    pub fn plan(&mut self, tasks: &[NewTask], running: Running) -> Vec<bool> {
        tasks.iter().map(|new| self.plan_one(new, running)).collect()
    }

    fn plan_one(&mut self, new: &NewTask, running: Running) -> bool {
        let (task, _, due) = noted(new, self.now);
        let is_in = |state| self.score(state, &new.queue, &new.task.id).is_some();
        let planned = is_in(State::Queued)
            || is_in(State::Scheduled)
            || (running == Running::IsPlanned && is_in(State::Active));
        if planned {
            self.payloads.entry(task.id.clone()).or_insert(task);
        } else {
            self.put(State::Scheduled, &new.queue, &task.id, due);
            self.payloads.insert(task.id.clone(), task);
        }
        !planned
    }

    /// Brings planned runs to their new time, or takes them back. Answers how many were changed.
    pub fn replan(&mut self, tasks: &[NewTask]) -> u64 {
        let mut changed = BTreeSet::new();
        for new in tasks {
            let (queue, id) = (&new.queue, &new.task.id);
            let Some(known) = self.score(State::Scheduled, queue, id) else { continue };
            match new.due {
                None => {
                    self.take_out(State::Scheduled, queue, id);
                    self.remove_all_of(queue, id, true);
                }
                Some(due) if due == known || self.executions.contains_key(id) => continue,
                Some(due) => {
                    self.put(State::Scheduled, queue, id, due);
                    self.payloads.insert(id.clone(), noted(new, self.now).0);
                }
            }
            changed.insert(id);
        }
        changed.len() as u64
    }
}

/// The task with its times noted, where it goes, and its score there. What is not due later is due at once.
pub fn noted(new: &NewTask, now: f64) -> (Task, State, f64) {
    let due = new.due.filter(|due| *due > now);
    let state = if due.is_some() { State::Scheduled } else { State::Queued };
    let score = due.unwrap_or(now);
    (Task { time_last_queued: Some(now), scheduled_at: Some(score), ..new.task.clone() }, state, score)
}

/// As in TaskTiger, 0 is no limit.
fn limit(new: &NewTask) -> Option<u32> {
    new.task.max_queue_size.filter(|most| *most > 0)
}
