//! How single tasks end, and what stays of them.

use serde_json::{Value, json};
use task::RetryMethod;

use crate::harness::{PROBE, Site, call};

#[tokio::test]
async fn a_result_comes_back_to_the_one_who_waits() {
    let site = Site::start().await;
    site.deploy("examples/markdown").await;
    let worker = site.worker(&[]).await;
    let answer = site.margay(&["enqueue", "markdown:render", r##"["# Hello"]"##, "--wait"]).await;
    assert_eq!(answer.ok(), "\"<h1>Hello</h1>\\n\"\n");
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn one_who_waits_for_a_failure_is_told_its_kind() {
    let site = Site::start().await;
    site.deploy("examples/markdown").await;
    let worker = site.worker(&[]).await;
    let answer = site.margay(&["enqueue", "markdown:render", "[1]", "--wait"]).await;
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""));
    assert!(answer.stderr.contains("invalid-arguments"), "{}", answer.stderr);
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn every_bad_guest_ends_as_it_must_and_honest_tasks_go_on() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let worker = site.worker(&["-c", "4"]).await;
    let mut spinning = call("probe:spin", json!([]));
    let mut sleeping = call("probe:sleep", json!([3_600_000]));
    spinning.task.hard_timeout = Some(0.3);
    sleeping.task.hard_timeout = Some(0.3);
    let timeout = "tasktiger.exceptions:JobTimeoutException";
    let bad = [
        (spinning, "timed-out", timeout, "in <probe::Probe as "),
        (sleeping, "timed-out", timeout, "hard timeout of 0.3 s"),
        (call("probe:fill", json!([1 << 30])), "out-of-memory", "margay:OutOfMemory", "bytes of memory"),
        (call("probe:panic", json!(["oh no"])), "trapped", "margay:Trapped", "oh no"),
        (call("probe:recurse", json!([0])), "trapped", "margay:Trapped", "recurse"),
        (call("probe:fail", json!([{ "kind": "smtp", "retry": "never" }])), "failed", "smtp", "as asked"),
    ];
    for (task, outcome, exception, traceback) in bad {
        let id = site.enqueue(task).await;
        let honest = site.enqueue(call("probe:echo", json!([outcome]))).await;
        let ended = site.ended(&id).await;
        assert_eq!((ended.outcome.as_str(), ended.error.as_deref()), (outcome, Some(exception)));
        assert_eq!(site.find(&id).await.state, queue::State::Error);
        let (executions, _) = site.executions(&id).await;
        let text = executions[0]["traceback"].as_str().expect("a text");
        assert!(text.contains(traceback), "{text}");
        assert_eq!(site.ended(&honest).await.outcome, "finished");
    }
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn a_failure_is_retried_as_often_as_asked_and_leaves_tasktigers_records() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let worker = site.worker(&[]).await;
    let mut task = call("probe:fail", json!([{ "kind": "smtp", "message": "no route" }]));
    task.task.retry_method = Some(RetryMethod::Fixed { delay: 0.2, max: 2 });
    let id = site.enqueue(task).await;
    let ended = site.ended(&id).await;
    assert_eq!((ended.error.as_deref(), ended.attempts), (Some("smtp"), 3));
    assert_eq!(site.find(&id).await.state, queue::State::Error);

    let (executions, count) = site.executions(&id).await;
    assert_eq!((executions.len(), count), (3, 3));
    let time = |execution: &Value, field: &str| execution[field].as_f64().expect("a time");
    for execution in &executions {
        assert!(time(execution, "time_failed") >= time(execution, "time_started"));
        assert_eq!(execution["exception_name"], "smtp");
        assert_eq!(execution["success"], false);
        assert!(!execution["host"].as_str().expect("a text").is_empty());
        assert_eq!(execution["traceback"], "smtp: no route");
    }
    for pair in executions.windows(2) {
        let pause = time(&pair[1], "time_started") - time(&pair[0], "time_failed");
        assert!(pause >= 0.2, "retried after {pause} s");
    }
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn payloads_that_cannot_be_read_go_to_error_and_the_worker_goes_on() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let mut worker = site.worker(&["-q", "default"]).await;
    let payloads = [
        ("nonsense", "not json at all", "cannot be read"),
        ("without-func", r#"{"id":"without-func"}"#, "`func`"),
        ("other-id", r#"{"id":"somebody-else","func":"probe:noop"}"#, "`somebody-else`"),
    ];
    for (id, payload, _) in payloads {
        site.redis_says(&["SET", &site.client.keys().payload(id), payload]).await;
        site.redis_says(&["ZADD", "t:queued:default", "1", id]).await;
        site.redis_says(&["SADD", "t:queued", "default"]).await;
        site.redis_says(&["PUBLISH", "t:activity", "default"]).await;
    }
    for (id, _, reason) in payloads {
        worker.says_of(id, "failed").await;
        assert_eq!(site.find(id).await.state, queue::State::Error);
        let (executions, _) = site.executions(id).await;
        assert_eq!(executions[0]["exception_name"], "margay:BadPayload");
        let text = executions[0]["traceback"].as_str().expect("a text");
        assert!(text.contains(reason), "{text}");
    }
    let honest = site.enqueue(call("probe:echo", json!([7]))).await;
    assert_eq!(site.ended(&honest).await.outcome, "finished");
    worker.stop().await;
    site.is_consistent().await;
}
