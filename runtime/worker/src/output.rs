//! What guests print and log, as log lines of the worker, with the task they belong to.

use sandbox::{Output, Stream};
use tracing::{Level, debug, error, info, trace, warn};

/// The lines of one run.
pub(crate) struct TaskOutput {
    /// The task's id; the first one's, in a batch.
    pub(crate) task_id: String,
    pub(crate) func: String,
}

impl Output for TaskOutput {
    fn line(&self, stream: Stream, line: &str) {
        let TaskOutput { task_id, func } = self;
        match stream {
            Stream::Stdout => info!(target: "margay::guest", %task_id, %func, stream = "stdout", "{line}"),
            Stream::Stderr => warn!(target: "margay::guest", %task_id, %func, stream = "stderr", "{line}"),
        }
    }

    fn log(&self, level: Level, message: &str, fields: &[(String, String)]) {
        let TaskOutput { task_id, func } = self;
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let fields = fields.join(" ");
        match level {
            Level::TRACE => trace!(target: "margay::guest", %task_id, %func, fields, "{message}"),
            Level::DEBUG => debug!(target: "margay::guest", %task_id, %func, fields, "{message}"),
            Level::INFO => info!(target: "margay::guest", %task_id, %func, fields, "{message}"),
            Level::WARN => warn!(target: "margay::guest", %task_id, %func, fields, "{message}"),
            Level::ERROR => error!(target: "margay::guest", %task_id, %func, fields, "{message}"),
        }
    }

    fn progress(&self, fraction: f64, message: Option<&str>) {
        let TaskOutput { task_id, func } = self;
        let message = message.unwrap_or_default();
        info!(target: "margay::guest", %task_id, %func, fraction, "progress: {message}");
    }
}
