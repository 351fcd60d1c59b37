//! The `#[task]` attribute of margay-sdk, which documents it from a user's side.
//!
//! A use of the attribute is read in three steps: what the options say (`options`), what the function looks
//! like (`signature`), and what follows from both (`expand`). Every mistake is a compile error at the place
//! where it was made, and all mistakes of one function are reported together.

mod expand;

mod hook;
mod options;
mod retry;
mod schedule;
mod values;

mod date;
mod duration;
mod nearest;

mod parameters;
mod returns;
mod signature;

mod schema;

use proc_macro::TokenStream;

/// Makes a function a task. See the crate's page for how arguments, results and failures work.
///
/// The function stays as it is and can be called as before. Its doc comment becomes the description that
/// operators see. Durations are texts such as `"500ms"`, `"30s"`, `"5m"`, `"1h30m"` or `"2d"`.
///
/// | option | meaning |
/// |---|---|
/// | `queue = "email"` | the queue its tasks go to where the producer names none |
/// | `hard_timeout = "30s"` | the longest a run may take |
/// | `unique` | tasks with the same arguments are one task |
/// | `unique_key = ["user"]` | tasks with the same values of these arguments are one task |
/// | `lock` | tasks with the same arguments run one after the other |
/// | `lock_key = ["user"]` | tasks with the same values of these arguments run one after the other |
/// | `max_queue_size = 1000` | how many of its tasks may wait and run in one queue |
/// | `retry` | failures are retried by the worker's default method |
/// | `retry = fixed("60s", 3)` | the same delay before each of at most 3 retries |
/// | `retry = linear("1s", "2s", 5)` | a delay that grows by 2 s each time |
/// | `retry = exponential("1s", 2.0, 5)` | a delay that doubles each time |
/// | `retry = custom(backoff)` | the task `backoff` is given the number of the retry and answers the delay in seconds, or nothing to stop |
/// | `retry_on = ["smtp"]` | which kinds of failure are retried; alone, it implies `retry` |
/// | `max_stored_executions = 10` | how many failed executions are kept |
/// | `batch` | one run takes many calls: `Vec<Call<A>>` |
/// | `schedule = periodic("5m")` | it runs by itself; `start = ".."` and `end = ".."` take RFC 3339 times |
/// | `schedule = cron("0 4 * * 0")` | at the times of a cron expression; with `time_zone = "Europe/Berlin"`, `start`, `end` |
/// | `schedule = custom(next)` | the task `next` is given the current time and answers the next one |
/// | `runner = "audit"` | the module whose hooks are called around its runs; its own module's, where none is given |
/// | `hook = before` | it is called before each run, and never enqueued: `fn check(run: HookedRun)`; the run begins if it succeeds |
/// | `hook = after` | it is called after each run, however it ended |
/// | `hook = on_permanent_error` | it is called when a task has failed for good |
/// | `priority = 10` | higher runs first inside a queue |
/// | `deadline = "1h"` | not run again when not finished this long after its enqueue |
/// | `expires = "10m"` | dropped when not started this long after its enqueue |
/// | `result_ttl = "1d"` | how long a result is kept |
/// | `jitter = "5s"` | a random addition to each retry's delay, at most this long |
/// | `on_worker_lost = requeue` | or `fail`: what happens when its worker vanishes |
///
/// The parameter attribute `#[default(value)]` makes an argument one that may be left out.
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::task(options.into(), item.into()).into()
}
