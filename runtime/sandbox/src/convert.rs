//! Between the contract's values and the runtime's: calls, failures, follow-ups, retry methods.
//!
//! What comes from a guest is checked here, so that a queue never holds what nobody can read.

use std::time::Duration;

use serde_json::value::RawValue;
use task::{FunctionName, RetryMethod, RetryWish, Task, Timestamp};
use uuid::Uuid;

use crate::bindings::margay::task::{context, types as wit};
use crate::{Call, FollowUp, Functions, Limits, TaskInfo};

/// How much is kept of a failure's kind and message.
const KIND_BYTES: usize = 200;
const MESSAGE_BYTES: usize = 16 << 10;

pub(crate) fn call(call: Call) -> wit::Call {
    wit::Call { task: task_info(call.info), args: call.args, kwargs: call.kwargs }
}

fn task_info(info: TaskInfo) -> wit::TaskInfo {
    wit::TaskInfo {
        id: info.id,
        function: info.function,
        queue: info.queue,
        attempt: info.attempt,
        enqueued_at: info.enqueued_at.map(milliseconds),
        scheduled_at: info.scheduled_at.map(milliseconds),
    }
}

/// A failure as the guest returned it. `function` is the full name of the task's function.
pub(crate) fn failure(failure: wit::Failure, function: &str, limits: &Limits) -> task::Failure {
    let retry = match failure.retry {
        wit::Retry::ByPolicy => RetryWish::ByPolicy,
        wit::Retry::Never => RetryWish::Never,
        wit::Retry::ByMethod(method) => match retry_method(method, Some(function)) {
            Ok(method) => RetryWish::ByMethod(method),
            Err(_) => RetryWish::ByMethod(None),
        },
    };
    task::Failure {
        kind: cut(failure.kind, KIND_BYTES),
        message: cut(failure.message, MESSAGE_BYTES),
        detail: failure.detail.map(|detail| self::detail(detail, limits.result_bytes)),
        retry,
        log_error: failure.log_error,
    }
}

/// The detail as it came; where it is not JSON, as a JSON string.
fn detail(detail: String, limit_bytes: u64) -> Box<RawValue> {
    let text = match detail.len() as u64 > limit_bytes {
        true => format!("left out: larger than the limit of {limit_bytes} bytes"),
        false => match RawValue::from_string(detail.clone()) {
            Ok(json) => return json,
            Err(_) => detail,
        },
    };
    serde_json::value::to_raw_value(&text).expect("a string is JSON")
}

/// Checks a follow-up and makes the task it will be.
pub(crate) fn follow_up(
    wished: context::FollowUp,
    running: &str,
    functions: &dyn Functions,
) -> Result<FollowUp, String> {
    let func = FunctionName::parse(wished.function).map_err(|error| error.to_string())?;
    if let Some(queue) = &wished.queue {
        task::check_queue_name(queue).map_err(|error| error.to_string())?;
    }
    if wished.hard_timeout == Some(0) {
        return Err("the hard timeout is 0 ms; give it at least 1, or leave it out".to_owned());
    }
    let default_retry = matches!(wished.retry_method, Some(wit::RetryMethod::Default));
    let retry_method = match wished.retry_method {
        Some(method) => retry_method(method, Some(running))?,
        None => None,
    };
    // Time-ordered, so that ids of one run stand together wherever they are sorted.
    let id = Uuid::now_v7().simple().to_string();
    let mut task = Task {
        args: container(wished.args, '[', "args", "array")?,
        kwargs: container(wished.kwargs, '{', "kwargs", "object")?,
        hard_timeout: wished.hard_timeout.map(seconds),
        retry_method,
        retry_on: wished.retry_on,
        ..Task::new(id, func)
    };
    let mut queue = wished.queue;
    if let Some(own) = functions.options(&task.func) {
        task.adopt(own).map_err(|error| {
            format!("`{}` is unique, and no id can be made of its arguments: {error}", task.func)
        })?;
        queue = queue.or_else(|| own.queue.clone());
    }
    let delay = wished.delay.map(Duration::from_millis);
    Ok(FollowUp { task, queue, delay, default_retry })
}

/// JSON that opens with this character; `None` where it is empty, as a task holds it.
fn container(text: String, opens: char, field: &str, word: &str) -> Result<Option<Box<RawValue>>, String> {
    let json = RawValue::from_string(text).map_err(|error| format!("`{field}` is not JSON: {error}"))?;
    if !json.get().starts_with(opens) {
        return Err(format!("`{field}` is not a JSON {word}"));
    }
    let is_empty = json.get()[1..json.get().len() - 1].trim().is_empty();
    Ok((!is_empty).then_some(json))
}

/// `None` for the configuration's default. A custom method is a function of the module that names it: its
/// name is made a full one where the name of the running function is known.
pub(crate) fn retry_method(
    method: wit::RetryMethod,
    running: Option<&str>,
) -> Result<Option<RetryMethod>, String> {
    Ok(Some(match method {
        wit::RetryMethod::Default => return Ok(None),
        wit::RetryMethod::Fixed(fixed) => {
            RetryMethod::Fixed { delay: seconds(fixed.delay), max: fixed.max_retries }
        }
        wit::RetryMethod::Linear(linear) => RetryMethod::Linear {
            delay: seconds(linear.delay),
            increment: seconds(linear.increment),
            max: linear.max_retries,
        },
        wit::RetryMethod::Exponential(exponential) => {
            if !exponential.factor.is_finite() || exponential.factor < 0.0 {
                return Err(format!("the factor of its retries is {}", exponential.factor));
            }
            RetryMethod::Exponential {
                delay: seconds(exponential.delay),
                factor: exponential.factor,
                max: exponential.max_retries,
            }
        }
        wit::RetryMethod::Custom(function) => {
            let module = running.and_then(|name| FunctionName::parse(name).ok());
            let function = match module {
                Some(name) if !function.contains(':') => format!("{}:{function}", name.module()),
                _ => function,
            };
            let args = RawValue::from_string("[]".to_owned()).expect("an empty array is JSON");
            RetryMethod::Custom { function, args }
        }
    }))
}

/// The contract counts in milliseconds.
pub(crate) fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

fn milliseconds(time: Timestamp) -> u64 {
    (time * 1000.0).round() as u64
}

fn cut(mut text: String, limit_bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(limit_bytes));
    text
}
