//! Values that people type, on the command line and in files.

use std::time::Duration;

/// Reads a duration, down to milliseconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("`{text}` is not a duration: {error}; write it as `500ms`, `30s` or `5m`"))
}

/// Reads a time, as seconds since the epoch.
pub fn time(text: &str) -> Result<f64, String> {
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.map(|time| time.as_microsecond() as f64 / 1e6)
        .map_err(|_| format!("`{text}` is not a time; write it as `2026-01-31T12:00:00Z`"))
}

/// Reads a queue with its batch size.
pub fn batch(text: &str) -> Result<(String, usize), String> {
    let parts = text.split_once('=').and_then(|(queue, size)| Some((queue.to_owned(), size.parse().ok()?)));
    parts
        .filter(|(queue, size)| *size > 0 && task::check_queue_name(queue).is_ok())
        .ok_or_else(|| format!("`{text}` is not a batch size; write it as `words=50`"))
}
