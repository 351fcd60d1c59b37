//! Eager mode: tasks run where they are enqueued, in the sandbox and without a worker.

use std::sync::Arc;
use std::time::Duration;

use queue::{Client, Eager, EagerError, Error, State};
use serde_json::json;
use worker::{EagerRunner, Settings};

use crate::harness::{PROBE, Site};

async fn site() -> (Site, Arc<EagerRunner>, Client) {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let runner = EagerRunner::new(site.client.clone(), Settings::default()).expect("a sandbox");
    let runner = Arc::new(runner);
    let client = site.client.clone().eager(Arc::clone(&runner) as Arc<dyn Eager>);
    (site, runner, client)
}

fn failed(answer: Result<String, Error>) -> EagerError {
    match answer {
        Err(Error::Eager(error)) => error,
        other => panic!("no failure of a task: {other:?}"),
    }
}

#[tokio::test]
async fn an_eager_task_has_run_when_it_is_enqueued() {
    let (site, runner, client) = site().await;
    let draft = client.task("probe:echo").arg("hello");
    draft.clone().enqueue().await.expect("it runs");
    let new = draft.build().expect("a task");
    assert_eq!(runner.run(&new).await.expect("it runs"), "\"hello\"");
    site.is_empty().await;
}

#[tokio::test]
async fn an_eager_tasks_failure_is_the_producers_error() {
    let (site, _, client) = site().await;
    let failure = json!({ "kind": "smtp", "message": "no route" });
    let error = failed(client.task("probe:fail").arg(failure).enqueue().await);
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("smtp", "no route"));
    assert!(error.to_string().contains("failed: smtp: no route"), "{error}");

    let error = failed(client.task("probe:panic").arg("oh no").enqueue().await);
    assert_eq!(error.kind, "margay:Trapped");
    assert!(error.traceback.contains("probe"), "{}", error.traceback);
    let spinning = client.task("probe:spin").hard_timeout(Duration::from_millis(100));
    assert_eq!(failed(spinning.enqueue().await).kind, "tasktiger.exceptions:JobTimeoutException");
    assert_eq!(failed(client.task("probe:nothing").enqueue().await).kind, "margay:UnknownFunction");
    site.is_empty().await;
}

#[tokio::test]
async fn an_eager_client_schedules_what_is_due_later() {
    let (site, _, client) = site().await;
    let id = client.task("probe:fail").delay(Duration::from_secs(60)).enqueue().await.expect("scheduled");
    assert_eq!(site.find(&id).await.state, State::Scheduled);
    site.is_consistent().await;
}

#[tokio::test]
async fn what_follows_from_an_eager_task_runs_eagerly_too() {
    let (site, _, client) = site().await;
    let after = json!({ "function": "probe:fail", "args": "[{\"kind\": \"after\"}]" });
    assert_eq!(failed(client.task("probe:follow_up").arg(after).enqueue().await).kind, "after");

    let later = json!({ "function": "probe:noop", "delay": 60_000, "times": 2, "queue": "later" });
    client.task("probe:follow_up").arg(later).enqueue().await.expect("it runs");
    assert_eq!(site.count("later", State::Scheduled).await, 2);
    site.is_consistent().await;
}
