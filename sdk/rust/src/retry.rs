//! How a failure, or a follow-up's failures, should be retried.

use std::time::Duration;

use crate::bindings::margay::task::types::{ExponentialRetry, FixedRetry, LinearRetry, RetryMethod};

/// How long to wait before each retry, and how often to retry. A task that may be retried `max` times runs
/// at most `max + 1` times. Delays are kept to the millisecond.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry(RetryMethod);

impl Retry {
    /// The method that the worker's configuration names as its default.
    pub fn by_default() -> Retry {
        Retry(RetryMethod::Default)
    }

    /// The same delay before every retry.
    pub fn fixed(delay: Duration, max: u32) -> Retry {
        Retry(RetryMethod::Fixed(FixedRetry { delay: millis(delay), max_retries: max }))
    }

    /// A delay that grows by `increment` each time.
    pub fn linear(delay: Duration, increment: Duration, max: u32) -> Retry {
        let (delay, increment) = (millis(delay), millis(increment));
        Retry(RetryMethod::Linear(LinearRetry { delay, increment, max_retries: max }))
    }

    /// A delay that is multiplied by `factor` each time.
    pub fn exponential(delay: Duration, factor: f64, max: u32) -> Retry {
        Retry(RetryMethod::Exponential(ExponentialRetry { delay: millis(delay), factor, max_retries: max }))
    }

    /// As this function of the module says: it is given the number of the retry, and answers the delay in
    /// seconds, or nothing to stop.
    pub fn custom(function: impl Into<String>) -> Retry {
        Retry(RetryMethod::Custom(function.into()))
    }
}

impl From<Retry> for RetryMethod {
    fn from(retry: Retry) -> RetryMethod {
        retry.0
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
