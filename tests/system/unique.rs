//! Tasks that are there only once.

use queue::{NewTask, State};
use serde_json::json;
use task::Task;

use crate::harness::{PROBE, Site, call, call_in};

/// A unique task, with its id.
fn unique(queue: &str, func: &str, args: serde_json::Value) -> NewTask {
    let new = call_in(queue, func, args);
    let task = Task { unique: true, ..new.task };
    let id = task.unique_id().expect("the arguments make an id");
    NewTask { task: Task { id, ..task }, ..new }
}

#[tokio::test]
async fn a_follow_up_to_a_unique_function_is_unique() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let worker = site.worker(&["-e", "waiting"]).await;
    let wanted = unique("waiting", "probe:unique_one", json!([7])).task.id;
    for _ in 0..2 {
        let follow_up =
            json!({ "function": "probe:unique_one", "args": "[7]", "queue": "waiting", "times": 2 });
        let parent = site.enqueue(call("probe:follow_up", json!([follow_up]))).await;
        assert_eq!(site.ended(&parent).await.result.expect("an id").get(), format!("\"{wanted}\""));
    }
    let found = site.find(&wanted).await;
    assert_eq!((found.queue.as_str(), found.state), ("waiting", State::Queued));
    assert_eq!(site.count("waiting", State::Queued).await, 1);
    worker.stop().await;
    site.worker(&["--once"]).await.exits_well().await;
    site.is_empty().await;
}

#[tokio::test]
async fn what_is_deleted_in_one_state_keeps_its_twin_in_another() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let failing = || {
        let mut new = unique("twins", "probe:fail", json!([{ "kind": "smtp", "retry": "never" }]));
        new.task.margay.result_ttl = Some(600.0);
        new
    };
    for delete in [&["purge"][..], &["delete", "--all"]] {
        let id = site.enqueue(failing()).await;
        site.worker(&["--once"]).await.exits_well().await;
        assert_eq!(site.find(&id).await.state, State::Error);
        site.enqueue(failing()).await;
        assert_eq!(site.client.find(&id, 0).await.expect("Redis answers").len(), 2);
        site.margay(&[&["tasks"], delete].concat()).await.ok();
        let found = site.find(&id).await;
        assert_eq!((found.state, found.executions.len()), (State::Queued, 0));
        site.is_consistent().await;
        // Its payload is there, so that it runs, and fails anew.
        site.worker(&["--once"]).await.exits_well().await;
        assert_eq!(site.executions(&id).await.1, 1);

        // The other way round, the failed one stays with its execution.
        site.enqueue(failing()).await;
        site.margay(&["tasks", "delete", "--all", "--state", "queued"]).await.ok();
        let found = site.find(&id).await;
        assert_eq!((found.state, found.executions.len()), (State::Error, 1));
        site.is_consistent().await;
        site.margay(&["tasks", "delete", &id]).await.ok();
        site.is_empty().await;
    }
}
