//! A module of tasks as the runtime sees it: described, and run by name with JSON in and out.

use margay_sdk::__private::types::{self, FunctionSpec, RetryMethod, Schedule, TaskInfo, WorkerLost};
use margay_sdk::__private::{Module, Task};
use margay_sdk::{Call, Context, Failure, FollowUp, HookedRun, Result, log, task, testing};
use serde::{Deserialize, Serialize};

/// Sends the welcome mail.
///
/// Once only.
#[task(queue = "email", hard_timeout = "1m30s", retry = exponential("1s", 2.0, 5), retry_on = ["smtp"],
       unique_key = ["user"], lock_key = ["user"], priority = -1, on_worker_lost = fail)]
fn send_welcome(
    context: &Context,
    user: u64,
    #[default("en")] lang: String,
    cc: Option<Vec<String>>,
) -> Result<String> {
    log::debug!(user = user; "sending");
    if user == 13 {
        return Err(Failure::new("smtp", "greylisted"));
    }
    context.progress(0.5, "half way");
    context.enqueue(FollowUp::new("mail:count").arg(user))?;
    Ok(format!("{user} {lang} {}", cc.map_or(0, |cc| cc.len())))
}

#[derive(Deserialize)]
struct Document {
    id: u64,
    #[serde(default)]
    boost: u8,
}

#[derive(Serialize)]
struct Indexed {
    index: u32,
    boost: u8,
}

#[task(batch, queue = "index")]
fn index_documents(documents: Vec<Call<Document>>, context: Context) -> Result<Vec<Result<Indexed>>> {
    let mut answers = Vec::new();
    for call in &documents {
        context.save_result_of(call, &call.args.id)?;
        answers.push(match call.args.id {
            0 => Err(Failure::new("no-such-document", "there is no document 0")),
            _ => Ok(Indexed { index: call.index, boost: call.args.boost }),
        });
    }
    match documents.iter().any(|call| call.args.id == 666) {
        true => Err(Failure::new("index-down", "the index is down")),
        false => Ok(answers),
    }
}

#[task(batch)]
fn forgetful(_numbers: Vec<Call<u8>>) -> Vec<Result<()>> {
    vec![Ok(())]
}

#[task(schedule = cron("0 4 * * 0", time_zone = "Europe/Berlin"), retry_on = ["std::num::ParseIntError"])]
fn weekly_report() -> std::result::Result<i32, std::num::ParseIntError> {
    "x".parse()
}

#[task]
fn tidy_up() {}

#[task(retry = custom(backoff), schedule = periodic("5m", start = "2026-01-01T00:00:00Z"))]
fn with_a_backoff() -> Vec<u8> {
    vec![1]
}

#[task]
fn backoff(retry: u32) -> Option<f64> {
    (retry < 3).then(|| f64::from(retry) * 1.5)
}

#[task(hook = on_permanent_error)]
fn mourn(run: HookedRun) -> Result<String> {
    let task = &run.tasks[0];
    let why = task.execution.as_ref().map_or("nothing", |execution| &execution.exception_name);
    Ok(format!("{} failed for good: {why}", task.function))
}

static MODULE: Module = Module::new(&[
    <mourn as Task>::FUNCTION,
    <send_welcome as Task>::FUNCTION,
    <index_documents as Task>::FUNCTION,
    <forgetful as Task>::FUNCTION,
    <weekly_report as Task>::FUNCTION,
    <tidy_up as Task>::FUNCTION,
    <with_a_backoff as Task>::FUNCTION,
    <backoff as Task>::FUNCTION,
]);

fn call(args: &str, kwargs: &str) -> types::Call {
    let task = TaskInfo {
        id: "1".to_owned(),
        function: "mail:any".to_owned(),
        queue: "email".to_owned(),
        attempt: 1,
        enqueued_at: None,
        scheduled_at: None,
    };
    types::Call { task, args: args.to_owned(), kwargs: kwargs.to_owned() }
}

/// The answer, or the failure's kind and message.
fn run(function: &str, args: &str, kwargs: &str) -> Result<String, String> {
    MODULE.run(function, call(args, kwargs)).map_err(|failure| failure.to_string())
}

fn spec(name: &str) -> FunctionSpec {
    MODULE.describe().into_iter().find(|spec| spec.name == name).expect("it is one of the module's")
}

#[test]
fn a_function_runs_by_its_name() {
    assert_eq!(run("send_welcome", "[7]", "{}").as_deref(), Ok("\"7 en 0\""));
    assert_eq!(run("send_welcome", r#"[7, "de"]"#, r#"{"cc": ["a", "b"]}"#).as_deref(), Ok("\"7 de 2\""));
    assert_eq!(run("tidy_up", "[]", "{}").as_deref(), Ok("null"));
    assert_eq!(run("backoff", "[2]", "{}").as_deref(), Ok("3.0"));
    assert_eq!(run("backoff", "[3]", "{}").as_deref(), Ok("null"));

    let effects = testing::take_effects();
    assert_eq!(effects.progress[0], (0.5, Some("half way".to_owned())));
    assert_eq!((effects.follow_ups.len(), effects.follow_ups[0].args.as_str()), (2, "[7]"));
}

#[test]
fn failures_say_what_went_wrong() {
    let failure = |function, args, kwargs| run(function, args, kwargs).expect_err("it fails");
    assert_eq!(failure("send_welcome", "[13]", "{}"), "smtp: greylisted");
    assert_eq!(failure("send_welcome", "[]", "{}"), "invalid-arguments: argument `user` is missing");
    assert_eq!(
        failure("send_welcome", "[7]", r#"{"context": 1}"#),
        "invalid-arguments: argument `context` is unknown: `send_welcome` takes `user`, `lang`, `cc`"
    );
    assert_eq!(
        failure("tidy_up", "[1]", "{}"),
        "invalid-arguments: 1 positional arguments given, but `tidy_up` takes none"
    );
    assert_eq!(
        failure("weekly_report", "[]", "{}"),
        "std::num::ParseIntError: invalid digit found in string"
    );
    assert_eq!(failure("nowhere", "[]", "{}"), "unknown-function: this module has no function `nowhere`");
}

#[test]
fn batch_answers_stay_in_line_with_their_calls() {
    let calls = [r#"{"id": 0}"#, "{}", r#"{"id": 5, "boost": 3}"#, r#"{"id": 6, "boost": 300}"#];
    let answers = MODULE.run_batch("index_documents", calls.map(|kwargs| call("[]", kwargs)).to_vec());
    let answers: Vec<Result<String, String>> = answers
        .expect("the run as a whole is fine")
        .into_iter()
        .map(|answer| answer.map_err(|failure| failure.to_string()))
        .collect();
    assert_eq!(answers[0], Err("no-such-document: there is no document 0".to_owned()));
    assert_eq!(answers[1], Err("invalid-arguments: argument `id` is missing".to_owned()));
    assert_eq!(answers[2], Ok(r#"{"index":2,"boost":3}"#.to_owned()));
    let message = "invalid-arguments: argument `boost`: expected u8, got integer `300`";
    assert_eq!(answers[3], Err(message.to_owned()));

    let saved = testing::take_effects().results;
    assert_eq!(saved, [(0, "0".to_owned()), (2, "5".to_owned())], "results are saved for the right calls");
}

#[test]
fn a_batch_can_fail_as_a_whole() {
    let failure = |function, calls: Vec<types::Call>| {
        MODULE.run_batch(function, calls).expect_err("the whole run fails").kind().to_owned()
    };
    assert_eq!(failure("index_documents", vec![call("[]", r#"{"id": 666}"#)]), "index-down");
    assert_eq!(failure("forgetful", vec![call("[1]", "{}"), call("[2]", "{}")]), "batch-length");
    assert_eq!(failure("nowhere", vec![call("[]", "{}")]), "unknown-function");
}

#[test]
fn a_batch_of_wrong_calls_never_reaches_the_function() {
    let answers = MODULE.run_batch("forgetful", vec![call("[]", "{}"), call("[\"x\"]", "{}")]);
    let answers = answers.expect("the function would have answered one");
    assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(Failure::is_permanent)));
}

#[test]
fn one_call_and_many_are_interchangeable() {
    assert_eq!(run("forgetful", "[1]", "{}").as_deref(), Ok("null"));
    let answers = MODULE.run_batch("backoff", vec![call("[1]", "{}"), call("[]", "{}")]);
    let answers = answers.expect("each call is run on its own");
    assert!(answers[0].as_ref().is_ok_and(|json| json == "1.5") && answers[1].is_err());
}

#[test]
fn the_description_tells_the_options() {
    let welcome = spec("send_welcome");
    assert_eq!(welcome.doc, "Sends the welcome mail.\n\nOnce only.");
    assert!(!welcome.batch);
    let options = welcome.options;
    assert_eq!((options.queue.as_deref(), options.hard_timeout), (Some("email"), Some(90_000)));
    assert_eq!((options.unique, options.unique_key), (true, vec!["user".to_owned()]));
    assert_eq!((options.lock, options.lock_key), (true, vec!["user".to_owned()]));
    assert_eq!((options.priority, options.on_worker_lost), (Some(-1), Some(WorkerLost::Fail)));
    let method = types::ExponentialRetry { delay: 1000, factor: 2.0, max_retries: 5 };
    assert_eq!(options.retry_method, Some(RetryMethod::Exponential(method)));
    assert_eq!(options.retry_on, ["smtp"]);

    assert!(spec("index_documents").batch);
    let plain = spec("tidy_up").options;
    assert_eq!((plain.retry_method, plain.schedule, plain.unique, plain.lock), (None, None, false, false));
}

#[test]
fn the_description_tells_schedules_and_retries() {
    let weekly = spec("weekly_report").options;
    let Some(Schedule::Cron(cron)) = weekly.schedule else { panic!("it has a schedule") };
    assert_eq!((cron.expression.as_str(), cron.time_zone.as_deref()), ("0 4 * * 0", Some("Europe/Berlin")));
    assert_eq!(weekly.retry_method, Some(RetryMethod::Default), "kinds alone imply a retry");

    let options = spec("with_a_backoff").options;
    assert_eq!(options.retry_method, Some(RetryMethod::Custom("backoff".to_owned())));
    let Some(Schedule::Periodic(every)) = options.schedule else { panic!("it has a schedule") };
    assert_eq!((every.period, every.start, every.end), (300_000, Some(1_767_225_600_000), None));
}

#[test]
fn the_description_tells_the_hooks() {
    assert_eq!(spec("mourn").hook, Some(types::Hook::OnPermanentError));
    assert_eq!(spec("tidy_up").hook, None);
}

#[test]
fn a_hook_is_told_of_its_run_by_position() {
    let run_json = r#"[{"tasks": [{"id": "1", "function": "mail:send", "queue": "email", "attempt": 4, "args": [7],
        "kwargs": {}, "execution": {"time_started": 1.0, "time_failed": 2.0, "exception_name": "smtp",
        "success": false, "host": "h"}}]}]"#;
    assert_eq!(run("mourn", run_json, "{}").as_deref(), Ok("\"mail:send failed for good: smtp\""));
    let refusal = run("mourn", "[{}]", "{}").expect_err("it is told nothing");
    assert_eq!(refusal, "invalid-arguments: argument `run`: missing field `tasks`");
}

#[test]
fn the_description_tells_the_schemas() {
    let welcome = spec("send_welcome");
    let input = concat!(
        r#"{"type":"object","properties":{"user":{"type":"integer","minimum":0},"#,
        r#""lang":{"type":"string","default":"en"},"#,
        r#""cc":{"anyOf":[{"type":"array","items":{"type":"string"}},{"type":"null"}]}},"#,
        r#""required":["user"],"additionalProperties":false}"#
    );
    assert_eq!(welcome.input.as_deref(), Some(input));
    assert_eq!(welcome.output.as_deref(), Some(r#"{"type":"string"}"#));

    let documents = spec("index_documents");
    assert_eq!((documents.input, documents.output), (None, None), "types of one's own are not known");
    assert!(spec("forgetful").input.is_some_and(|input| input.contains("_numbers")));
    assert_eq!(spec("tidy_up").output.as_deref(), Some(r#"{"type":"null"}"#));
    for spec in MODULE.describe() {
        for schema in [spec.input, spec.output].into_iter().flatten() {
            serde_json::from_str::<serde::de::IgnoredAny>(&schema).expect("a schema is JSON");
        }
    }
}
