//! A task module for the tests: its functions do what their input says.
//!
//! It is written against the contract itself, not with the SDK, so that it can break every rule there is.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{fs, hint, thread};

use serde_json::{Value, json};

use exports::margay::task::tasks::Guest;
use margay::task::types::{
    Call, ExponentialRetry, Failure, FixedRetry, FunctionOptions, FunctionSpec, LogLevel, Retry, RetryMethod,
};
use margay::task::{context, log};

wit_bindgen::generate!({ path: "../../../wit", world: "task-module" });

struct Probe;

export!(Probe);

/// All functions, and whether they take batches.
const FUNCTIONS: [(&str, bool); 44] = [
    ("noop", false),
    ("version", false),
    ("echo", false),
    ("kwargs", false),
    ("fail", false),
    ("panic", false),
    ("trap", false),
    ("exit", false),
    ("spin", false),
    ("spin_for", false),
    ("sleep", false),
    ("hold", false),
    ("grow", false),
    ("try_grow", false),
    ("recurse", false),
    ("fill", false),
    ("print", false),
    ("chatter", false),
    ("log", false),
    ("progress", false),
    ("write", false),
    ("read", false),
    ("list", false),
    ("follow_up", false),
    ("follow_up_and_fail", false),
    ("save_result", false),
    ("big_result", false),
    ("bad_result", false),
    ("env", false),
    ("remember", false),
    ("current", false),
    ("time_left", false),
    ("cancelled", false),
    ("backoff", false),
    ("fail_custom", false),
    ("keep_one", false),
    ("jitter_fail", false),
    ("locked", false),
    ("locked_by_user", false),
    ("unique_one", false),
    ("few", false),
    ("adopted", false),
    ("watched", false),
    ("batch", true),
];

/// What `version` answers. Tests make a second version by changing the number in the component's bytes.
static VERSION: &str = "the probe in version 1";

impl Guest for Probe {
    fn describe() -> Vec<FunctionSpec> {
        FUNCTIONS.iter().map(|(name, batch)| spec(name, *batch)).collect()
    }

    fn run(function: String, call: Call) -> Result<String, Failure> {
        let args: Value = serde_json::from_str(&call.args).expect("args are JSON");
        let first = &args[0];
        match function.as_str() {
            "noop" => Ok("null".to_owned()),
            "version" => Ok(version()),
            "echo" => Ok(first.to_string()),
            "kwargs" => Ok(call.kwargs),
            "fail" | "fail_custom" | "keep_one" | "jitter_fail" => Err(failure(first)),
            "backoff" => Ok(backoff(first, &args[1])),
            "watched" => match first.get("kind") {
                Some(_) => Err(failure(first)),
                None => Ok(first.to_string()),
            },
            "panic" => panic!("{}", text(first)),
            "trap" => core::arch::wasm32::unreachable(),
            "exit" => std::process::exit(number(first) as i32),
            "spin" => loop {
                hint::spin_loop();
            },
            "spin_for" => Ok(spin_for(number(first)).to_string()),
            "sleep" => {
                thread::sleep(Duration::from_millis(number(first)));
                Ok("null".to_owned())
            }
            "hold" => {
                hold(&text(first));
                Ok(version())
            }
            "locked" | "locked_by_user" | "unique_one" | "few" | "adopted" => {
                if let Some(path) = first.as_str() {
                    hold(path);
                }
                Ok("null".to_owned())
            }
            "grow" => Ok(vec![1u8; number(first) as usize].len().to_string()),
            "try_grow" => Ok(Vec::<u8>::new().try_reserve(number(first) as usize).is_ok().to_string()),
            "recurse" => Ok(recurse(number(first)).to_string()),
            "fill" => {
                let mut block = vec![0u8; number(first) as usize];
                block.fill(hint::black_box(7));
                Ok(u64::from(block[block.len() - 1]).to_string())
            }
            "print" => {
                print!("{}", text(&args[0]));
                eprint!("{}", text(&args[1]));
                use std::io::Write;
                std::io::stdout().flush().expect("stdout takes everything");
                Ok("null".to_owned())
            }
            "chatter" => {
                for line in 0..number(first) {
                    println!("line {line} of a guest that talks too much");
                }
                Ok("null".to_owned())
            }
            "log" => {
                let fields = [("user".to_owned(), "7".to_owned())];
                log::write(LogLevel::Warn, &text(first), &fields);
                Ok("null".to_owned())
            }
            "progress" => {
                context::progress(first.as_f64().unwrap_or(0.0), args[1].as_str());
                Ok("null".to_owned())
            }
            "write" => file(fs::write(text(&args[0]), text(&args[1]))).map(|()| "null".to_owned()),
            "read" => file(fs::read_to_string(text(first))).map(|content| json!(content).to_string()),
            "list" => file(list(&text(first))),
            "follow_up" => {
                let id = follow_up(first)?;
                if let Some(path) = first["hold"].as_str() {
                    hold(path);
                }
                Ok(id)
            }
            "follow_up_and_fail" => {
                follow_up(first)?;
                context::save_result(0, "1").expect("a small result is saved");
                Err(failure(&json!({ "kind": "after" })))
            }
            "save_result" => match context::save_result(number(&args[0]) as u32, &text(&args[1])) {
                Ok(()) => Ok("null".to_owned()),
                Err(message) => Err(failure(&json!({ "kind": "save", "message": message }))),
            },
            "big_result" => Ok(json!("x".repeat(number(first) as usize)).to_string()),
            "bad_result" => Ok(text(first)),
            "env" => {
                let vars: Vec<_> = std::env::vars().collect();
                let args: Vec<_> = std::env::args().collect();
                let mut line = String::new();
                let read = std::io::stdin().read_line(&mut line).unwrap_or(0);
                Ok(json!({ "vars": vars, "args": args, "stdin": read }).to_string())
            }
            "remember" => {
                static RUNS: AtomicU32 = AtomicU32::new(0);
                Ok(RUNS.fetch_add(1, Ordering::Relaxed).to_string())
            }
            "current" => {
                let info = &context::current()[0];
                Ok(json!({
                    "id": info.id, "function": info.function, "queue": info.queue, "attempt": info.attempt,
                    "enqueued_at": info.enqueued_at, "scheduled_at": info.scheduled_at,
                })
                .to_string())
            }
            "time_left" => Ok(context::time_left().to_string()),
            "cancelled" => Ok(context::cancelled().to_string()),
            other => Err(failure(&json!({ "kind": "unknown-function", "message": other }))),
        }
    }

    fn run_batch(function: String, calls: Vec<Call>) -> Result<Vec<Result<String, Failure>>, Failure> {
        if function != "batch" {
            return Err(failure(&json!({ "kind": "unknown-function", "message": function })));
        }
        let inputs: Vec<Value> =
            calls.iter().map(|call| serde_json::from_str(&call.args).expect("args are JSON")).collect();
        if inputs.iter().any(|args| args[0] == "all") {
            return Err(failure(&json!({ "kind": "all" })));
        }
        let short = inputs.iter().any(|args| args[0] == "short");
        let answers = inputs.iter().skip(usize::from(short)).enumerate().map(|(index, args)| {
            if args[0] == "fail" {
                return Err(failure(&json!({ "kind": "one" })));
            }
            if args[0] == "save" {
                context::save_result(index as u32, "\"saved\"").expect("a small result is saved");
            }
            Ok(args[0].to_string())
        });
        Ok(answers.collect())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn failure(input: &Value) -> Failure {
    let retry = match input["retry"].as_str() {
        Some("never") => Retry::Never,
        Some("default") => Retry::ByMethod(RetryMethod::Default),
        Some("fixed") => Retry::ByMethod(RetryMethod::Fixed(FixedRetry { delay: 1500, max_retries: 2 })),
        Some("custom") => Retry::ByMethod(RetryMethod::Custom("backoff".to_owned())),
        _ => Retry::ByPolicy,
    };
    Failure {
        kind: text(&input["kind"]),
        message: input["message"].as_str().unwrap_or("as asked").to_owned(),
        detail: input.get("detail").map(text),
        retry,
        log_error: input["log_error"] != json!(false),
    }
}

/// Retries after one step and after two, and then no more.
fn backoff(retry: &Value, step: &Value) -> String {
    match number(retry) {
        retry @ 0..=2 => json!(retry as f64 * step.as_f64().unwrap_or(0.05)).to_string(),
        _ => "null".to_owned(),
    }
}

fn file<T>(result: std::io::Result<T>) -> Result<T, Failure> {
    result.map_err(|error| failure(&json!({ "kind": "io", "message": error.to_string() })))
}

fn version() -> String {
    json!(hint::black_box(VERSION)).to_string()
}

/// Says that it waits, then waits until somebody makes the file.
fn hold(path: &str) {
    log::write(LogLevel::Info, "holding", &[]);
    while !fs::exists(path).is_ok_and(|exists| exists) {
        thread::sleep(Duration::from_millis(10));
    }
}

fn list(path: &str) -> std::io::Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(json!(names).to_string())
}

fn follow_up(input: &Value) -> Result<String, Failure> {
    let times = input["times"].as_u64().unwrap_or(1);
    let mut id = String::new();
    for _ in 0..times {
        let task = context::FollowUp {
            function: input["function"].as_str().unwrap_or("mail:send").to_owned(),
            args: input["args"].as_str().unwrap_or("[]").to_owned(),
            kwargs: input["kwargs"].as_str().unwrap_or("{}").to_owned(),
            queue: input["queue"].as_str().map(str::to_owned),
            delay: input["delay"].as_u64(),
            hard_timeout: input["hard_timeout"].as_u64(),
            retry_method: match input["retry"].as_str() {
                Some("default") => Some(RetryMethod::Default),
                Some("exponential") => Some(RetryMethod::Exponential(ExponentialRetry {
                    delay: 1000,
                    factor: 2.0,
                    max_retries: 5,
                })),
                _ => None,
            },
            retry_on: Vec::new(),
        };
        id = context::enqueue(&task)
            .map_err(|message| failure(&json!({ "kind": "enqueue", "message": message })))?;
    }
    Ok(json!(id).to_string())
}

/// Computes for so many rounds: work that ends.
fn spin_for(rounds: u64) -> u64 {
    (0..rounds).fold(1, |sum, round| hint::black_box(sum * 31 + round))
}

#[expect(unconditional_recursion, reason = "it is meant to use up the stack")]
fn recurse(depth: u64) -> u64 {
    let block = hint::black_box([depth; 64]);
    block[0] + recurse(depth + 1)
}

fn spec(name: &str, batch: bool) -> FunctionSpec {
    FunctionSpec {
        name: name.to_owned(),
        doc: format!("Does what `{name}` says."),
        input: Some(r#"{"type":"object"}"#.to_owned()),
        output: None,
        batch,
        hook: None,
        options: options(name),
    }
}

fn options(name: &str) -> FunctionOptions {
    let none = FunctionOptions {
        queue: None,
        hard_timeout: None,
        unique: false,
        unique_key: Vec::new(),
        lock: false,
        lock_key: Vec::new(),
        max_queue_size: None,
        retry_method: None,
        retry_on: Vec::new(),
        max_stored_executions: None,
        schedule: None,
        runner: None,
        priority: None,
        deadline: None,
        expires: None,
        result_ttl: None,
        jitter: None,
        on_worker_lost: None,
    };
    let fixed = |delay, max_retries| Some(RetryMethod::Fixed(FixedRetry { delay, max_retries }));
    match name {
        "batch" => FunctionOptions { queue: Some("batches".to_owned()), ..none },
        "spin" => FunctionOptions { hard_timeout: Some(1500), ..none },
        "fail" => FunctionOptions { retry_method: Some(RetryMethod::Default), ..none },
        "fail_custom" => {
            FunctionOptions { retry_method: Some(RetryMethod::Custom("backoff".to_owned())), ..none }
        }
        "keep_one" => FunctionOptions { retry_method: fixed(100, 2), max_stored_executions: Some(1), ..none },
        "jitter_fail" => FunctionOptions { retry_method: fixed(100, 1), jitter: Some(50), ..none },
        "locked" => FunctionOptions { lock: true, ..none },
        "locked_by_user" => FunctionOptions { lock_key: vec!["user".to_owned()], ..none },
        "unique_one" => FunctionOptions { unique: true, ..none },
        "few" => FunctionOptions { max_queue_size: Some(2), ..none },
        "adopted" => FunctionOptions {
            queue: Some("adopted".to_owned()),
            unique: true,
            max_queue_size: Some(9),
            ..none
        },
        "watched" => FunctionOptions { runner: Some("clockwork".to_owned()), ..none },
        _ => none,
    }
}
