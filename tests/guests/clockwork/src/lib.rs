//! A task module for the tests: functions that run by themselves, and hooks that say what they are told.
//!
//! It is a module of its own, so that who deploys the probe gets neither. Like the probe it is written against
//! the contract itself.

use std::hint;

use serde_json::{Value, json};

use exports::margay::task::tasks::Guest;
use margay::task::log;
use margay::task::types::{
    Call, Failure, FunctionOptions, FunctionSpec, Hook, LogLevel, PeriodicSchedule, Retry, Schedule,
};

wit_bindgen::generate!({ path: "../../../wit", world: "task-module" });

struct Clockwork;

export!(Clockwork);

/// How often `tick` runs. Tests make another version by changing the number in the component's bytes.
static PERIOD: &str = "a tick every 0001000 ms";

/// How long after the time it is given `next_time` wants the next run, in milliseconds.
const STEP_MS: u64 = 400;

impl Guest for Clockwork {
    fn describe() -> Vec<FunctionSpec> {
        let every_second =
            Schedule::Periodic(PeriodicSchedule { period: period_ms(), start: None, end: None });
        let tick = options("ticks", Some(every_second));
        let tick_custom = options("ticks.custom", Some(Schedule::Custom("next_time".to_owned())));
        vec![
            FunctionSpec { options: tick, ..spec("tick") },
            FunctionSpec { options: tick_custom, ..spec("tick_custom") },
            spec("next_time"),
            FunctionSpec { options: options("work", None), ..spec("work") },
            FunctionSpec { batch: true, options: options("work.many", None), ..spec("work_together") },
            FunctionSpec { hook: Some(Hook::Before), ..spec("before") },
            FunctionSpec { hook: Some(Hook::After), ..spec("after") },
            FunctionSpec { hook: Some(Hook::OnPermanentError), ..spec("gone") },
        ]
    }

    fn run(function: String, call: Call) -> Result<String, Failure> {
        let args: Value = serde_json::from_str(&call.args).expect("args are JSON");
        match function.as_str() {
            "tick" | "tick_custom" => {
                log::write(LogLevel::Info, &function, &[]);
                Ok("null".to_owned())
            }
            "next_time" => Ok((args[0].as_u64().unwrap_or_default() + STEP_MS).to_string()),
            "work" => {
                obey("work", &args)?;
                Ok(args[0].to_string())
            }
            "before" | "after" | "gone" => {
                log::write(LogLevel::Info, &function, &[("run".to_owned(), args[0].to_string())]);
                let tasks = args[0]["tasks"].as_array().expect("a hook is told the tasks");
                tasks.iter().try_for_each(|task| obey(&function, &task["args"]))?;
                Ok("null".to_owned())
            }
            other => Err(failure("unknown-function", other)),
        }
    }

    fn run_batch(_function: String, calls: Vec<Call>) -> Result<Vec<Result<String, Failure>>, Failure> {
        let answer = |call: &Call| {
            let args: Value = serde_json::from_str(&call.args).expect("args are JSON");
            obey("work", &args)?;
            Ok(args[0].to_string())
        };
        Ok(calls.iter().map(answer).collect())
    }
}

fn period_ms() -> u64 {
    let words = hint::black_box(PERIOD).split(' ');
    words.filter_map(|word| word.parse().ok()).next().expect("it has a number")
}

/// Does what a task's first argument says of this stage, such as `{"before": "fail"}`.
fn obey(stage: &str, args: &Value) -> Result<(), Failure> {
    match args[0][stage].as_str() {
        Some("fail") => Err(failure(stage, "as asked")),
        Some("panic") => panic!("{stage} panics, as asked"),
        Some("spin") => loop {
            hint::spin_loop();
        },
        _ => Ok(()),
    }
}

fn failure(kind: &str, message: &str) -> Failure {
    Failure {
        kind: kind.to_owned(),
        message: message.to_owned(),
        detail: Some(json!({ "stage": kind }).to_string()),
        retry: Retry::ByPolicy,
        log_error: true,
    }
}

fn spec(name: &str) -> FunctionSpec {
    FunctionSpec {
        name: name.to_owned(),
        doc: String::new(),
        input: None,
        output: None,
        batch: false,
        hook: None,
        options: FunctionOptions { queue: None, ..options("", None) },
    }
}

fn options(queue: &str, schedule: Option<Schedule>) -> FunctionOptions {
    FunctionOptions {
        queue: Some(queue.to_owned()),
        hard_timeout: None,
        unique: false,
        unique_key: Vec::new(),
        lock: false,
        lock_key: Vec::new(),
        max_queue_size: None,
        retry_method: None,
        retry_on: Vec::new(),
        max_stored_executions: None,
        schedule,
        runner: None,
        priority: None,
        deadline: None,
        expires: None,
        result_ttl: None,
        jitter: None,
        on_worker_lost: None,
    }
}
