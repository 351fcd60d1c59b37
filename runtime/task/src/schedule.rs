//! When a function runs by itself.

use std::time::Duration;

use cronexpr::{Crontab, MakeTimestamp, parse_crontab};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Timestamp;

/// When a periodic function runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Every `period` seconds, counted from `start`.
    Periodic {
        /// Seconds between two runs.
        period: f64,
        /// The first time; 2000-01-01T00:00:00Z where none is given, as in TaskTiger.
        start: Option<Timestamp>,
        /// No run is due after this time.
        end: Option<Timestamp>,
    },
    /// At every match of a cron expression.
    Cron {
        /// Minute, hour, day of month, month, day of week.
        expression: String,
        /// An IANA time zone; UTC where none is given.
        time_zone: Option<String>,
        /// No run is due before this time.
        start: Option<Timestamp>,
        /// No run is due after this time.
        end: Option<Timestamp>,
    },
    /// When a function says: it gets the time in milliseconds since 1970, and answers the next one or null.
    Custom(String),
}

/// When a periodic function runs next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NextRun<'a> {
    /// At this time.
    At(Timestamp),
    /// Not any more.
    Never,
    /// When this function says.
    Ask(&'a str),
}

/// A schedule that cannot be followed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BadSchedule {
    /// No time passes between two runs.
    #[error("the period of its schedule must be longer than nothing")]
    Period,
    /// It is over before it begins.
    #[error("its schedule ends before it starts")]
    Bounds,
    /// Not a cron expression.
    #[error("`{expression}` is not a cron expression: {reason}; write five fields, such as `0 4 * * 0`")]
    Cron {
        /// As given.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Not a time zone.
    #[error("`{0}` is not a time zone; use an IANA name, such as `Europe/Berlin`")]
    TimeZone(String),
}

/// TaskTiger's: 2000-01-01T00:00:00Z, a Saturday.
const START: Timestamp = 946_684_800.0;

impl Schedule {
    /// When the function runs next, strictly after `now`. A run that is late is not made up for: the next one
    /// counts from now.
    pub fn next(&self, now: Timestamp) -> NextRun<'_> {
        let (start, end) = match self {
            Schedule::Custom(function) => return NextRun::Ask(function),
            Schedule::Periodic { start, end, .. } | Schedule::Cron { start, end, .. } => (*start, *end),
        };
        let next = match self {
            Schedule::Periodic { period, .. } => next_period(*period, start.unwrap_or(START), now),
            // One microsecond earlier, so that a start that matches is a match.
            Schedule::Cron { expression, time_zone, .. } => crontab(expression, time_zone.as_deref())
                .ok()
                .and_then(|crontab| next_match(&crontab, start.map_or(now, |start| now.max(start - 1e-6)))),
            Schedule::Custom(_) => None,
        };
        let in_bounds = |next: &Timestamp| next.is_finite() && end.is_none_or(|end| *next <= end);
        next.filter(in_bounds).map_or(NextRun::Never, NextRun::At)
    }

    /// Whether it can be followed. What a custom function will say is not known.
    pub fn check(&self) -> Result<(), BadSchedule> {
        let (start, end) = match self {
            Schedule::Custom(_) => return Ok(()),
            Schedule::Periodic { period, start, end } => {
                // Also what is no number.
                if !(*period > 0.0 && Duration::try_from_secs_f64(*period).is_ok()) {
                    return Err(BadSchedule::Period);
                }
                (start, end)
            }
            Schedule::Cron { expression, time_zone, start, end } => {
                let crontab = crontab(expression, time_zone.as_deref())?;
                if next_match(&crontab, START).is_none() {
                    let (expression, reason) = (expression.clone(), "it never matches".to_owned());
                    return Err(BadSchedule::Cron { expression, reason });
                }
                (start, end)
            }
        };
        match (start, end) {
            (Some(start), Some(end)) if end < start => Err(BadSchedule::Bounds),
            _ => Ok(()),
        }
    }
}

fn next_period(period: f64, start: Timestamp, now: Timestamp) -> Option<Timestamp> {
    if now < start {
        return Some(start);
    }
    let next = start + ((now - start) / period).floor().mul_add(period, period);
    // Rounding must not answer the time that has just come.
    Some(if next > now { next } else { next + period })
}

fn next_match(crontab: &Crontab, after: Timestamp) -> Option<Timestamp> {
    let after = MakeTimestamp::from_microsecond((after * 1e6) as i64).ok()?;
    let next = crontab.find_next(after).ok()?;
    Some(next.timestamp().as_microsecond() as f64 / 1e6)
}

fn crontab(expression: &str, time_zone: Option<&str>) -> Result<Crontab, BadSchedule> {
    let bad = |reason: String| BadSchedule::Cron { expression: expression.to_owned(), reason };
    let fields: Vec<&str> = expression.split_whitespace().collect();
    if fields.len() != 5 {
        return Err(bad(format!("it has {} fields", fields.len())));
    }
    if let Some(zone) = time_zone
        && (zone.contains(char::is_whitespace) || jiff::tz::TimeZone::get(zone).is_err())
    {
        return Err(BadSchedule::TimeZone(zone.to_owned()));
    }
    let text = [fields.as_slice(), &[time_zone.unwrap_or("UTC")]].concat().join(" ");
    parse_crontab(&text)
        .map_err(|error| bad(error.to_string().lines().last().unwrap_or_default().trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(time: &str) -> Timestamp {
        time.parse::<jiff::Timestamp>().expect("a time").as_microsecond() as f64 / 1e6
    }

    fn next(schedule: &Schedule, now: &str) -> Option<String> {
        match schedule.next(seconds(now)) {
            NextRun::At(time) => {
                Some(jiff::Timestamp::from_microsecond((time * 1e6) as i64).expect("a time").to_string())
            }
            NextRun::Never => None,
            NextRun::Ask(function) => panic!("asks {function}"),
        }
    }

    fn every(period: f64) -> Schedule {
        Schedule::Periodic { period, start: None, end: None }
    }

    fn cron(expression: &str, time_zone: Option<&str>) -> Schedule {
        Schedule::Cron {
            expression: expression.to_owned(),
            time_zone: time_zone.map(str::to_owned),
            start: None,
            end: None,
        }
    }

    #[test]
    fn periods_count_from_the_first_second_of_2000() {
        assert_eq!(
            next(&every(300.0), "2026-01-01T00:04:59.999999Z").as_deref(),
            Some("2026-01-01T00:05:00Z")
        );
        assert_eq!(next(&every(300.0), "2026-01-01T00:05:00Z").as_deref(), Some("2026-01-01T00:10:00Z"));
        assert_eq!(next(&every(604_800.0), "2026-01-01T00:00:00Z").as_deref(), Some("2026-01-03T00:00:00Z"));
    }

    #[test]
    fn a_period_of_a_fraction_never_answers_the_time_that_has_just_come() {
        let mut now = seconds("2026-01-01T00:00:00Z");
        for _ in 0..10_000 {
            let NextRun::At(next) = every(0.1).next(now) else { panic!("it ended") };
            assert!(next > now && next - now < 0.2, "{next} after {now}");
            now = next;
        }
    }

    #[test]
    fn a_late_run_is_not_made_up_for() {
        assert_eq!(next(&every(60.0), "2026-01-01T09:17:31Z").as_deref(), Some("2026-01-01T09:18:00Z"));
    }

    #[test]
    fn nothing_is_due_before_the_start_or_after_the_end() {
        let (start, end) = (Some(seconds("2026-01-02T04:00:30Z")), Some(seconds("2026-01-02T04:02:00Z")));
        let periodic = Schedule::Periodic { period: 60.0, start, end };
        assert_eq!(next(&periodic, "2026-01-01T00:00:00Z").as_deref(), Some("2026-01-02T04:00:30Z"));
        assert_eq!(next(&periodic, "2026-01-02T04:00:30Z").as_deref(), Some("2026-01-02T04:01:30Z"));
        assert_eq!(next(&periodic, "2026-01-02T04:01:30Z"), None);
        let cron = Schedule::Cron { expression: "* * * * *".to_owned(), time_zone: None, start, end };
        assert_eq!(next(&cron, "2026-01-01T00:00:00Z").as_deref(), Some("2026-01-02T04:01:00Z"));
        assert_eq!(next(&cron, "2026-01-02T04:02:00Z"), None);
    }

    #[test]
    fn a_start_that_matches_is_the_first_run() {
        let start = Some(seconds("2026-01-02T04:00:00Z"));
        let cron = Schedule::Cron { expression: "0 4 * * *".to_owned(), time_zone: None, start, end: None };
        assert_eq!(next(&cron, "2026-01-01T00:00:00Z").as_deref(), Some("2026-01-02T04:00:00Z"));
        assert_eq!(next(&cron, "2026-01-02T04:00:00Z").as_deref(), Some("2026-01-03T04:00:00Z"));
    }

    #[test]
    fn cron_matches_in_its_time_zone_through_both_clock_changes() {
        let daily = cron("30 2 * * *", Some("Europe/Berlin"));
        // On 2026-03-29 there is no 02:30, on 2026-10-25 there are two.
        assert_eq!(next(&daily, "2026-03-27T12:00:00Z").as_deref(), Some("2026-03-28T01:30:00Z"));
        assert_eq!(next(&daily, "2026-03-29T12:00:00Z").as_deref(), Some("2026-03-30T00:30:00Z"));
        assert_eq!(next(&daily, "2026-10-24T12:00:00Z").as_deref(), Some("2026-10-25T00:30:00Z"));
    }

    #[test]
    fn a_restricted_day_of_month_and_of_week_are_either_or() {
        let either = cron("0 0 13 * 5", None);
        assert_eq!(next(&either, "2026-01-09T12:00:00Z").as_deref(), Some("2026-01-13T00:00:00Z"));
        assert_eq!(next(&either, "2026-01-13T12:00:00Z").as_deref(), Some("2026-01-16T00:00:00Z"));
    }

    #[test]
    fn what_cannot_be_followed_is_refused_with_the_reason() {
        let message = |schedule: Schedule| schedule.check().expect_err("refused").to_string();
        assert!(message(every(0.0)).contains("period"));
        assert!(message(every(f64::NAN)).contains("period"));
        assert!(message(cron("0 25 * * *", None)).contains("`0 25 * * *` is not a cron expression"));
        assert!(message(cron("0 4 * *", None)).contains("it has 4 fields"));
        assert!(message(cron("0 4 31 2 *", None)).contains("it never matches"));
        assert!(message(cron("0 4 * * 0", Some("Mars/Base"))).contains("`Mars/Base` is not a time zone"));
        assert!(message(cron("0 4 * * 0", Some("UTC 1"))).contains("`UTC 1` is not a time zone"));
        let upside_down = Schedule::Periodic { period: 1.0, start: Some(2.0), end: Some(1.0) };
        assert!(message(upside_down).contains("ends before it starts"));
        assert_eq!(cron("0 4 * * SUN", Some("America/New_York")).check(), Ok(()));
    }
}
