//! Between the contract's values and the runtime's: milliseconds and seconds, options and retry methods.
//!
//! What comes from a guest is checked here, so that a queue never holds what nobody can read.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::value::RawValue;
use task::{
    FunctionName, FunctionSpec, Options, RetryMethod, RetryWish, Schedule, Task, Timestamp, WorkerLost,
};
use uuid::Uuid;

use crate::bindings::margay::task::{context, types as wit};
use crate::{Call, FollowUp, Limits, TaskInfo};

/// How many functions a module may have.
const MAX_FUNCTIONS: usize = 1_000;

/// How long the name of a function may be.
const MAX_NAME_BYTES: usize = 200;

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
pub(crate) fn follow_up(wished: context::FollowUp, running: &str) -> Result<FollowUp, String> {
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
    let task = Task {
        args: container(wished.args, '[', "args", "array")?,
        kwargs: container(wished.kwargs, '{', "kwargs", "object")?,
        hard_timeout: wished.hard_timeout.map(seconds),
        retry_method,
        retry_on: wished.retry_on,
        ..Task::new(id, func)
    };
    let delay = wished.delay.map(Duration::from_millis);
    Ok(FollowUp { task, queue: wished.queue, delay, default_retry })
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

/// Reads what a module says about itself.
pub(crate) fn description(specs: Vec<wit::FunctionSpec>) -> Result<Vec<FunctionSpec>, String> {
    if specs.is_empty() {
        return Err("it has no functions".to_owned());
    }
    if specs.len() > MAX_FUNCTIONS {
        return Err(format!("it has {} functions; {MAX_FUNCTIONS} are allowed", specs.len()));
    }
    let mut names = HashSet::new();
    for spec in &specs {
        check_function(&spec.name)?;
        if !names.insert(spec.name.as_str()) {
            return Err(format!("it names `{}` twice", spec.name));
        }
    }
    specs.into_iter().map(function_spec).collect()
}

fn check_function(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("a function has no name".to_owned());
    }
    if name.len() > MAX_NAME_BYTES {
        let start = &name[..name.floor_char_boundary(20)];
        return Err(format!("the name `{start}...` is longer than {MAX_NAME_BYTES} bytes"));
    }
    match name.chars().find(|c| *c == ':' || c.is_whitespace() || c.is_control()) {
        Some(found) => Err(format!("the function name {name:?} contains {found:?}")),
        None => Ok(()),
    }
}

fn function_spec(spec: wit::FunctionSpec) -> Result<FunctionSpec, String> {
    let name = spec.name;
    let of = |error: String| format!("`{name}`: {error}");
    let schema = |text: Option<String>, field: &str| {
        let json = text.map(RawValue::from_string).transpose();
        json.map_err(|error| of(format!("its {field} schema is not JSON: {error}")))
    };
    Ok(FunctionSpec {
        doc: spec.doc,
        input: schema(spec.input, "input")?,
        output: schema(spec.output, "output")?,
        batch: spec.batch,
        hook: None,
        options: options(spec.options).map_err(of)?,
        name,
    })
}

fn options(options: wit::FunctionOptions) -> Result<Options, String> {
    if let Some(queue) = &options.queue {
        task::check_queue_name(queue).map_err(|error| error.to_string())?;
    }
    if options.hard_timeout == Some(0) {
        return Err("its hard timeout is 0 ms".to_owned());
    }
    let retry = matches!(options.retry_method, Some(wit::RetryMethod::Default));
    let retry_method = options.retry_method.map(|method| retry_method(method, None)).transpose()?.flatten();
    Ok(Options {
        queue: options.queue,
        hard_timeout: options.hard_timeout.map(seconds),
        unique: options.unique,
        unique_key: options.unique_key,
        lock: options.lock,
        lock_key: options.lock_key,
        max_queue_size: options.max_queue_size,
        retry,
        retry_method,
        retry_on: options.retry_on,
        max_stored_executions: options.max_stored_executions,
        schedule: options.schedule.map(schedule).transpose()?,
        runner: options.runner,
        priority: options.priority,
        deadline: options.deadline.map(seconds),
        expires: options.expires.map(seconds),
        result_ttl: options.result_ttl.map(seconds),
        jitter: options.jitter.map(seconds),
        on_worker_lost: options.on_worker_lost.map(|wish| match wish {
            wit::WorkerLost::Requeue => WorkerLost::Requeue,
            wit::WorkerLost::Fail => WorkerLost::Fail,
        }),
    })
}

fn schedule(schedule: wit::Schedule) -> Result<Schedule, String> {
    Ok(match schedule {
        wit::Schedule::Periodic(wit::PeriodicSchedule { period: 0, .. }) => {
            return Err("its period is 0 ms".to_owned());
        }
        wit::Schedule::Periodic(periodic) => Schedule::Periodic {
            period: seconds(periodic.period),
            start: periodic.start.map(seconds),
            end: periodic.end.map(seconds),
        },
        wit::Schedule::Cron(cron) => Schedule::Cron {
            expression: cron.expression,
            time_zone: cron.time_zone,
            start: cron.start.map(seconds),
            end: cron.end.map(seconds),
        },
        wit::Schedule::Custom(function) => Schedule::Custom(function),
    })
}

/// `None` for the configuration's default. A custom method is a function of the module that names it: its
/// name is made a full one where the name of the running function is known.
fn retry_method(method: wit::RetryMethod, running: Option<&str>) -> Result<Option<RetryMethod>, String> {
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
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

fn milliseconds(time: Timestamp) -> u64 {
    (time * 1000.0).round() as u64
}

fn cut(mut text: String, limit_bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(limit_bytes));
    text
}
