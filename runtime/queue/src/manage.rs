//! Manage: what an operator does to tasks that do not run.

use redis::Value;
use task::{Task, Timestamp};

use crate::script::{DELETE, RETRY};
use crate::{Client, Error, Found};

impl Client {
    /// Puts a failed task back into its queue, from the place where it was found. Its executions stay and count;
    /// what its workers did to it is forgiven. Answers whether it was still there.
    pub async fn retry(&self, found: &Found, now: Timestamp) -> Result<bool, Error> {
        let mut call = RETRY.call(self);
        call.arg(&found.queue).arg(&found.id).arg(now).arg(forgiven(found).unwrap_or_default());
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

/// The payload without its redeliveries, where it has any.
fn forgiven(found: &Found) -> Option<String> {
    let mut task = found.task.as_ref().ok().filter(|task| task.margay.redeliveries > 0)?.clone();
    task.margay.redeliveries = 0;
    Some(task.to_json())
}
