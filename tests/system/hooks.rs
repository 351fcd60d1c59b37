//! What a runner's hooks see and decide.

use queue::State;
use serde_json::{Value, json};

use crate::harness::{CLOCKWORK, PROBE, Running, Site, call, call_in};

async fn site() -> Site {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    site.deploy(CLOCKWORK).await;
    site
}

/// What a hook was told about a task.
async fn told(worker: &mut Running, id: &str, hook: &str) -> Value {
    let line = worker.says_of(id, hook).await;
    let fields = line["fields"].as_str().and_then(|fields| fields.strip_prefix("run="));
    let mut told: Value = serde_json::from_str(fields.expect("what it was told")).expect("JSON");
    assert_eq!(told["tasks"].as_array().map(Vec::len), Some(1), "{told}");
    told["tasks"][0].take()
}

#[tokio::test]
async fn hooks_are_called_around_the_runs_of_their_module_and_of_functions_that_name_it() {
    let site = site().await;
    // The functions that run by themselves are others' business.
    let mut worker = site.worker(&["-q", "default"]).await;
    let mut named_by_task = call("probe:echo", json!(["hello"]));
    named_by_task.task.runner_class = Some("clockwork:Any".to_owned());
    let own = call("clockwork:work", json!(["hello"]));
    for new in [own, call("probe:watched", json!(["hello"])), named_by_task] {
        let func = new.task.func.to_string();
        let id = site.enqueue(new).await;
        assert_eq!(site.ended(&id).await.result.expect("a result").get(), r#""hello""#);
        let before = told(&mut worker, &id, "before").await;
        assert_eq!((&before["id"], &before["function"]), (&json!(id), &json!(func)));
        assert_eq!((&before["queue"], &before["attempt"]), (&json!("default"), &json!(1)));
        assert_eq!((&before["args"], &before["kwargs"]), (&json!(["hello"]), &json!({})));
        let after = told(&mut worker, &id, "after").await;
        assert_eq!(after["outcome"], json!({ "outcome": "finished", "result": "hello" }));
        assert_eq!(worker.said_of(&id, "gone"), 0);
    }
    let plain = site.enqueue(call("probe:echo", json!(["hello"]))).await;
    site.ended(&plain).await;
    assert_eq!((worker.said_of(&plain, "before"), worker.said_of(&plain, "after")), (0, 0));
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn the_hook_for_permanent_errors_is_called_once_after_the_last_try() {
    let site = site().await;
    let mut worker = site.worker(&["-q", "default"]).await;
    let mut task = call("probe:watched", json!([{ "kind": "smtp" }]));
    task.task.retry_method = Some(task::RetryMethod::Fixed { delay: 0.05, max: 1 });
    let id = site.enqueue(task).await;
    assert_eq!(site.ended(&id).await.attempts, 2);
    let gone = told(&mut worker, &id, "gone").await;
    assert_eq!((&gone["attempt"], &gone["execution"]["exception_name"]), (&json!(2), &json!("smtp")));
    let after = told(&mut worker, &id, "after").await;
    let outcome = json!({ "outcome": "failed", "error": "smtp", "message": "as asked" });
    assert_eq!(after["outcome"]["error"], outcome["error"], "{after}");
    assert_eq!(after["outcome"]["outcome"], outcome["outcome"]);
    let said = ["before", "after", "gone"].map(|hook| worker.said_of(&id, hook));
    assert_eq!(said, [2, 2, 1]);
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn a_run_does_not_begin_where_before_fails_and_has_ended_where_after_fails() {
    let site = site().await;
    let mut worker = site.worker(&["-q", "default"]).await;
    for (how, error) in [("fail", "before"), ("panic", "margay:Trapped")] {
        // Were it begun, it would say so.
        let mut task = call("probe:hold", json!([{ "before": how }]));
        task.task.runner_class = Some("clockwork:Any".to_owned());
        let id = site.enqueue(task).await;
        assert_eq!(site.ended(&id).await.error.as_deref(), Some(error));
        assert_eq!(worker.said_of(&id, "holding"), 0);
        assert_eq!(site.find(&id).await.state, State::Error);
        assert_eq!(site.executions(&id).await.1, 1);
    }
    for how in ["fail", "panic"] {
        let id = site.enqueue(call("clockwork:work", json!([{ "after": how }]))).await;
        assert_eq!(site.ended(&id).await.outcome, "finished");
        worker.says_of(&id, "a hook failed").await;
    }
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn a_follow_up_into_a_limited_queue_is_an_error_for_the_hooks_only_where_it_is_full() {
    let site = site().await;
    let mut worker = site.worker(&["-q", "default"]).await;
    let parent = || {
        let mut task = call("probe:follow_up", json!([{ "function": "probe:few", "queue": "few" }]));
        task.task.runner_class = Some("clockwork:Any".to_owned());
        task
    };
    let done = site.enqueue(parent()).await;
    assert_eq!(site.ended(&done).await.outcome, "finished");
    site.enqueue(call_in("few", "probe:noop", json!([]))).await;
    let full = site.enqueue(parent()).await;
    let error = "tasktiger.exceptions:QueueFullException";
    assert_eq!(site.ended(&full).await.error.as_deref(), Some(error));
    let gone = told(&mut worker, &full, "gone").await;
    assert_eq!(gone["execution"]["exception_name"], error);
    assert_eq!([&done, &full].map(|id| worker.said_of(id, "gone")), [0, 1]);
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn a_hook_is_nobodys_task() {
    let site = site().await;
    let mut worker = site.worker(&["-q", "default"]).await;
    let answer = site.margay(&["enqueue", "clockwork:before"]).await;
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""));
    assert!(answer.stderr.contains("`clockwork:before` is a hook"), "{}", answer.stderr);
    let id = site.enqueue(call("clockwork:before", json!([]))).await;
    assert_eq!(site.ended(&id).await.error.as_deref(), Some("margay:UnknownFunction"));
    worker.says_of(&id, "`clockwork:before` is a hook").await;
    assert_eq!(site.find(&id).await.state, State::Error);
    worker.stop().await;
    site.is_consistent().await;
}
