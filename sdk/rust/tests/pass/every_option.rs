#![deny(warnings)]

use margay_sdk::{Context, Result, task};

#[task(
    queue = "email.acme",
    hard_timeout = "1h30m",
    unique,
    unique_key = ["user"],
    lock = false,
    lock_key = ["lang", "user"],
    max_queue_size = 1_000,
    retry = custom(backoff),
    retry_on = ["smtp", "std::io::Error"],
    max_stored_executions = 0,
    runner = "tracing",
    priority = -3,
    deadline = "2d",
    expires = "500ms",
    result_ttl = "0s",
    jitter = "1s",
    on_worker_lost = fail,
)]
pub fn everything(context: Context, user: u64, #[default("en")] lang: String) -> Result<String> {
    let _ = context.time_left();
    Ok(format!("{user} {lang}"))
}

#[task]
fn backoff(retry: u32) -> Option<f64> {
    (retry < 5).then(|| f64::from(retry) * 1.5)
}

#[task(retry, schedule = cron("*/5 0-6,22 1 JAN mon-fri", time_zone = "Europe/Berlin"))]
fn at_times() {}

#[task(retry = fixed("60s", 3), schedule = periodic("5m", end = "2030-01-01T00:00:00+01:00"))]
fn with_a_period(#[default] times: u32, name: Option<String>) -> (u32, Option<String>) {
    (times, name)
}

#[task(schedule = custom(next))]
fn now_and_then() {}

#[task(retry = linear("1s", "2s", 5))]
fn next(now: f64) -> f64 {
    now + 60.0
}

margay_sdk::export!(everything, backoff, at_times, with_a_period, now_and_then, next);

fn main() {
    assert_eq!(everything(Context::current(), 7, "de".to_owned()).expect("it cannot fail"), "7 de");
    assert_eq!(backoff(2), Some(3.0));
    at_times();
    assert_eq!(with_a_period(1, None), (1, None));
    now_and_then();
    assert_eq!(next(0.0), 60.0);
}
