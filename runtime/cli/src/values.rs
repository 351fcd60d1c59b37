//! Values that people type, on the command line and in files.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use queue::Expiry;
use serde::{Deserialize, Deserializer, de};

/// Reads a duration, down to milliseconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("`{text}` is not a duration: {error}; write it as `500ms`, `30s` or `5m`"))
}

/// Reads a duration, or a plain number of seconds as TaskTiger's own tools take it.
pub fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(number) => Duration::try_from_secs_f64(number)
            .map_err(|_| format!("`{text}` is not a number of seconds; write it as `0.5`, `30` or `5m`")),
        Err(_) => duration(text),
    }
}

/// Reads when keys expire. Nothing at all is refused: Redis would delete the keys at once.
pub fn expiry(text: &str) -> Result<Expiry, String> {
    if matches!(text, "none" | "-1") {
        return Ok(Expiry::Never);
    }
    let time = seconds(text)?;
    if !(MILLISECOND..LONGEST).contains(&time) {
        return Err(format!(
            "`{text}` is too short or too long for an expiry; write it as `300`, `5m` or `none`"
        ));
    }
    Ok(Expiry::After(time))
}

/// Redis counts expiries in milliseconds.
const MILLISECOND: Duration = Duration::from_millis(1);
/// Ten thousand years: more than anybody means, and far from what Redis refuses.
const LONGEST: Duration = Duration::from_secs(10_000 * 365 * 86_400);

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

/// A duration that is written as text.
#[derive(Clone, Copy)]
pub struct Length(pub Duration);

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Length, String> {
        duration(text).map(Length)
    }
}

/// A time that is written as text, as seconds since the epoch.
#[derive(Clone, Copy)]
pub struct Time(pub f64);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Time, String> {
        time(text).map(Time)
    }
}

/// Reads a value that is written as text in a file.
pub fn text<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(de::Error::custom)
}
