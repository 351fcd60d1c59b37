//! Manage: what an operator does to tasks that do not run.

use redis::Value;
use task::{Task, Timestamp};

use crate::script::{DELETE, RETRY};
use crate::{Client, Error, Found};

impl Client {
    /// Puts a failed task back into its queue. Answers whether it was in `error`.
    pub async fn retry(&self, queue: &str, id: &str, now: Timestamp) -> Result<bool, Error> {
        let mut call = RETRY.call(self);
        call.arg(queue).arg(id).arg(now);
        Ok(RETRY.run(self, &call).await? == Value::Int(1))
    }

    /// Deletes a task from the place where it was found. Answers whether it was still there. A task that runs
    /// cannot be deleted: it is its worker's.
    pub async fn delete(&self, found: &Found) -> Result<bool, Error> {
        let unique = found.task.as_ref().is_ok_and(Task::is_unique);
        let mut call = DELETE.call(self);
        call.arg(&found.queue).arg(&found.id).arg(found.state.as_str()).arg(u8::from(unique));
        Ok(DELETE.run(self, &call).await? == Value::Int(1))
    }
}
