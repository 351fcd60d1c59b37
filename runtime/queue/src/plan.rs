//! Plan: the next run of a periodic task is scheduled, once. A periodic task is a unique one without arguments.

use redis::Value;
use task::Timestamp;

use crate::script::{PLAN, REPLAN};
use crate::{Client, Error, MAX_BATCH, NewTask};

/// A task that is active counts as planned, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// Whoever runs it plans its next run before.
    IsPlanned,
    /// It is about to run, and this is its next run.
    NeedsNext,
}

impl Client {
    /// Schedules periodic tasks that do not wait already, each at its [`NewTask::due`] time. Answers for each
    /// whether it was scheduled.
    pub async fn plan(
        &self,
        tasks: &mut [NewTask],
        running: Running,
        now: Timestamp,
    ) -> Result<Vec<bool>, Error> {
        let mut planned = Vec::with_capacity(tasks.len());
        for chunk in tasks.chunks_mut(MAX_BATCH) {
            let mut call = PLAN.call(self);
            call.arg(u8::from(running == Running::IsPlanned));
            for new in chunk {
                let (_, due) = new.place(now);
                call.arg(&new.queue).arg(&new.task.id).arg(new.task.to_json()).arg(due);
            }
            let answer = PLAN.run(self, &call).await?;
            let Value::Array(flags) = answer else { return Err(PLAN.unexpected(&answer)) };
            planned.extend(flags.into_iter().map(|flag| flag == Value::Int(1)));
        }
        Ok(planned)
    }

    /// Brings planned runs to new times after a deploy; one without a [`NewTask::due`] time is taken back. Answers
    /// how many were changed.
    pub async fn replan(&self, tasks: &mut [NewTask], now: Timestamp) -> Result<u64, Error> {
        let mut changed = 0;
        for chunk in tasks.chunks_mut(MAX_BATCH) {
            let mut call = REPLAN.call(self);
            for new in chunk {
                let due = new.due.map_or_else(String::new, |due| due.to_string());
                new.place(now);
                call.arg(&new.queue).arg(&new.task.id).arg(new.task.to_json()).arg(due);
            }
            match REPLAN.run(self, &call).await? {
                Value::Int(n) => changed += n.unsigned_abs(),
                answer => return Err(REPLAN.unexpected(&answer)),
            }
        }
        Ok(changed)
    }
}
