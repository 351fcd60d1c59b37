#![allow(unused_variables)]

use margay_sdk::task;

#[task(schedule = "0 4 * * 0")]
fn a_text() {}

#[task(schedule = cron("0 4 * *"))]
fn four_fields() {}

#[task(schedule = cron("0 24 * * 0"))]
fn no_such_hour() {}

#[task(schedule = cron("0 4 * * 0", zone = "UTC"))]
fn unknown_part() {}

#[task(schedule = periodic("5 minutes"))]
fn bad_period() {}

#[task(schedule = periodic("5m", start = "tomorrow"))]
fn bad_start() {}

#[task(schedule = periodic("5m", start = "2026-01-02T00:00:00Z", end = "2026-01-01T00:00:00Z"))]
fn ends_too_early() {}

#[task(schedule = periodic("5m"))]
fn needs_an_argument(user: u64, #[default(1)] times: u32) {}

fn main() {}
