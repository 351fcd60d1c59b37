//! Failures that are tried again: when, how often, and what stays of them.

use queue::NewTask;
use serde_json::{Value, json};
use task::RetryMethod;

use crate::harness::{PROBE, Site, call};

/// A failing call with a retry method of its own.
fn retried_by(function: &str, args: &Value) -> NewTask {
    let mut new = call("probe:fail", json!([{ "kind": "smtp" }]));
    let args = serde_json::value::to_raw_value(args).expect("JSON");
    new.task.retry_method = Some(RetryMethod::Custom { function: function.to_owned(), args });
    new
}

#[tokio::test]
async fn a_function_says_when_to_retry_and_when_to_stop() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let worker = site.worker(&[]).await;
    let of_function = call("probe:fail_custom", json!([{ "kind": "smtp" }]));
    for (new, step) in [(of_function, 0.05), (retried_by("probe:backoff", &json!([0.1])), 0.1)] {
        let mut dues = site.dues().await;
        let id = site.enqueue(new).await;
        let due = [dues.of("default").await, dues.of("default").await];
        let ended = site.ended(&id).await;
        assert_eq!((ended.error.as_deref(), ended.attempts), (Some("smtp"), 3));
        let (executions, count) = site.executions(&id).await;
        assert_eq!(count, 3);
        for (n, due) in due.into_iter().enumerate() {
            let delay = due - executions[n]["time_failed"].as_f64().expect("a time");
            let wanted = step * (n + 1) as f64;
            assert!((delay - wanted).abs() < 1e-3, "retry {} after {delay} s", n + 1);
        }
    }
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn a_task_whose_retry_method_nobody_knows_is_not_retried() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let mut worker = site.worker(&[]).await;
    let id = site.enqueue(retried_by("shop.retry:slowly", &json!([]))).await;
    let ended = site.ended(&id).await;
    assert_eq!((ended.error.as_deref(), ended.attempts), (Some("smtp"), 1));
    assert_eq!(site.find(&id).await.state, queue::State::Error);
    let said = worker.says_of(&id, "the retry method could not be asked").await;
    assert!(said["reason"].as_str().is_some_and(|reason| reason.contains("`shop.retry:slowly`")), "{said}");
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn jitter_spreads_retries() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let worker = site.worker(&[]).await;
    let mut delays = Vec::new();
    for _ in 0..5 {
        let mut dues = site.dues().await;
        let id = site.enqueue(call("probe:jitter_fail", json!([{ "kind": "smtp" }]))).await;
        let due = dues.of("default").await;
        assert_eq!(site.ended(&id).await.attempts, 2);
        let (executions, _) = site.executions(&id).await;
        delays.push(due - executions[0]["time_failed"].as_f64().expect("a time"));
    }
    for delay in &delays {
        assert!((0.0999..0.1501).contains(delay), "{delays:?}");
    }
    assert!(delays.iter().any(|delay| (delay - delays[0]).abs() > 1e-4), "all the same: {delays:?}");
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn only_so_many_failures_are_kept_as_the_function_or_the_task_says() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let worker = site.worker(&[]).await;
    let by_function = call("probe:keep_one", json!([{ "kind": "smtp" }]));
    let mut by_task = by_function.clone();
    by_task.task.id = queue::new_id();
    by_task.task.max_stored_executions = Some(2);
    for (new, kept) in [(by_function, 1), (by_task, 2)] {
        let id = site.enqueue(new).await;
        assert_eq!(site.ended(&id).await.attempts, 3);
        let (executions, count) = site.executions(&id).await;
        assert_eq!((executions.len(), count), (kept, 3));
    }
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn a_failure_that_is_not_to_be_logged_leaves_nothing() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let worker = site.worker(&[]).await;
    let failure = json!([{ "kind": "gone", "retry": "never", "log_error": false }]);
    let id = site.enqueue(call("probe:fail", failure)).await;
    let ended = site.ended(&id).await;
    assert_eq!((ended.outcome.as_str(), ended.error.as_deref()), ("failed", Some("gone")));
    assert_eq!(site.executions(&id).await, (Vec::new(), 0));
    worker.stop().await;
    site.is_empty().await;
}
