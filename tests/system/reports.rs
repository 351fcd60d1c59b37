//! Reports of tasks that have failed for good: what is told, to whom, and that nobody waits for it.

use queue::NewTask;
use serde_json::{Value, json};
use task::RetryMethod;

use crate::harness::{PROBE, Receiver, Site, call};

fn failing(kind: &str) -> NewTask {
    let mut new = call("probe:fail", json!([{ "kind": kind, "message": "no route", "retry": "never" }]));
    new.queue = "mail.acme.eu".to_owned();
    new
}

/// A site that reports to the webhook of a receiver.
async fn site(receiver: &Receiver, more: &str) -> Site {
    let site = Site::start().await;
    let webhook = format!("http://127.0.0.1:{}/hook", receiver.port);
    site.configure(&format!("{more}\n[errors]\nwebhook = \"{webhook}\""));
    site.deploy(PROBE).await;
    site
}

#[tokio::test]
async fn a_webhook_is_told_of_failures_but_not_of_successes_and_retries() {
    let mut receiver = Receiver::start().await;
    let site = Site::start().await;
    site.configure(&format!(
        "[errors]\nwebhook = \"http://127.0.0.1:{}/hook\"\nwebhook_headers = {{ x-key = \"secret\" }}\n\
         environment = \"staging\"\nprefix = \"Mail\"",
        receiver.port
    ));
    site.deploy(PROBE).await;
    let mut worker = site.worker(&[]).await;

    let mut late = call("probe:read", json!(["/signals/go"]));
    late.task.retry_method = Some(RetryMethod::Fixed { delay: 0.05, max: 1000 });
    let late = site.enqueue(late).await;
    worker.says_with("No such file", "verdict", "retry").await;
    site.release();
    assert_eq!(site.ended(&late).await.outcome, "finished");
    let quiet = json!([{ "kind": "quiet", "retry": "never", "log_error": false }]);
    let quiet = site.enqueue(call("probe:fail", quiet)).await;
    assert_eq!(site.ended(&quiet).await.error.as_deref(), Some("quiet"));
    let id = site.enqueue(failing("smtp")).await;

    // Reports come in order: the others would have come first.
    let post = receiver.next().await;
    assert!(post.head.starts_with("post /hook http/1.1\r\n"), "{}", post.head);
    assert!(post.head.contains("x-key: secret") && post.head.contains("application/json"), "{}", post.head);
    let report = post.json();
    assert_eq!(report["title"], "Mail: task error func=probe:fail exception_name=smtp queue=mail");
    assert_eq!(report["fingerprint"], json!(["mail", "probe:fail", "smtp"]));
    assert_eq!((&report["task_id"], &report["queue"]), (&json!(id), &json!("mail.acme.eu")));
    assert_eq!((&report["message"], &report["executions"]), (&json!("no route"), &json!(1)));
    assert_eq!((&report["level"], &report["environment"]), (&json!("error"), &json!("staging")));
    assert_eq!((&report["args"][0]["kind"], &report["kwargs"]), (&json!("smtp"), &json!({})));
    assert_eq!(report["traceback"], "smtp: no route");
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn a_report_is_sent_again_where_its_receiver_is_in_trouble() {
    let mut receiver = Receiver::answering(&[503]).await;
    let site = site(&receiver, "").await;
    let worker = site.worker(&[]).await;
    let id = site.enqueue(failing("smtp")).await;
    assert_eq!(receiver.next().await.json()["task_id"], json!(id));
    assert_eq!(receiver.next().await.json()["task_id"], json!(id));
    worker.stop().await;
}

#[tokio::test]
async fn a_report_that_is_refused_is_said_in_the_log() {
    let mut receiver = Receiver::answering(&[403]).await;
    let site = site(&receiver, "").await;
    let mut worker = site.worker(&[]).await;
    let id = site.enqueue(failing("smtp")).await;
    receiver.next().await;
    let line = worker.says_of(&id, "could not send an error report").await;
    assert!(line["reason"].as_str().is_some_and(|reason| reason.contains("403")), "{line}");
    worker.stop().await;
}

#[tokio::test]
async fn sentry_is_sent_an_event_with_its_fingerprint() {
    let mut receiver = Receiver::start().await;
    let site = Site::start().await;
    site.configure(&format!("[errors]\nsentry_dsn = \"http://key@127.0.0.1:{}/1\"", receiver.port));
    site.deploy(PROBE).await;
    let worker = site.worker(&[]).await;
    let id = site.enqueue(failing("smtp")).await;
    let post = receiver.next().await;
    assert!(post.head.starts_with("post /api/1/envelope/ http/1.1\r\n"), "{}", post.head);
    assert!(post.head.contains("sentry_key=key"), "{}", post.head);
    let lines: Vec<Value> =
        post.body.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let [_, item, event] = lines.as_slice() else { panic!("no event in {}", post.body) };
    assert_eq!(item["type"], "event");
    assert_eq!(event["level"].as_str().unwrap_or("error"), "error");
    assert_eq!(event["fingerprint"], json!(["mail", "probe:fail", "smtp"]));
    assert_eq!(event["exception"]["values"][0]["type"], "smtp");
    assert_eq!(event["exception"]["values"][0]["value"], "no route");
    assert_eq!((&event["tags"]["func"], &event["extra"]["task_id"]), (&json!("probe:fail"), &json!(id)));
    worker.stop().await;
}

#[tokio::test]
async fn a_task_that_its_finder_gives_up_is_reported() {
    let mut receiver = Receiver::start().await;
    let site = site(&receiver, "presence = \"1s\"\nmax_redeliveries = 0").await;
    let mut unlucky = site.worker(&[]).await;
    let id = site.enqueue(call("probe:hold", json!(["/signals/go"]))).await;
    unlucky.says_of(&id, "holding").await;
    unlucky.kill().await;
    let next = site.worker(&[]).await;
    let report = receiver.next().await.json();
    assert_eq!((&report["task_id"], &report["exception_name"]), (&json!(id), &json!("margay:Poison")));
    next.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn a_receiver_that_hangs_or_is_away_holds_up_neither_tasks_nor_the_stop() {
    let receiver = Receiver::hanging().await;
    let site = Site::start().await;
    // Nobody listens on port 1.
    site.configure(&format!(
        "[errors]\nwebhook = \"http://127.0.0.1:{}/\"\nsentry_dsn = \"http://key@127.0.0.1:1/1\"",
        receiver.port
    ));
    site.deploy(PROBE).await;
    let mut worker = site.worker(&[]).await;
    // To report them all would take many minutes.
    let ids = site.enqueue_all((0..100).map(|_| failing("smtp"))).await;
    for id in &ids {
        assert_eq!(site.ended(id).await.error.as_deref(), Some("smtp"));
    }
    let honest = site.enqueue(call("probe:noop", json!([]))).await;
    assert_eq!(site.ended(&honest).await.outcome, "finished");
    worker.terminate();
    worker.says("stopped before all error reports were sent").await;
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    site.is_consistent().await;
}
