//! Several kinds of worker on one keyspace: who takes what.

use queue::State;
use serde_json::json;
use test_support::guest;

use crate::harness::{PROBE, Site, call_in};

#[tokio::test]
async fn tasks_of_modules_that_are_not_deployed_are_left_to_others_until_they_are() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let theirs = site.enqueue(call_in("theirs", "later:echo", json!([1]))).await;
    let mixed = ["later:echo", "probe:echo", "later:echo", "probe:echo"];
    let mixed = site.enqueue_all(mixed.map(|func| call_in("mixed", func, json!([2])))).await;
    let mut worker = site.worker(&[]).await;
    for queue in ["theirs", "mixed"] {
        worker.says_with("left to other workers", "queue", queue).await;
    }
    for id in [&mixed[1], &mixed[3]] {
        assert_eq!(site.ended(id).await.outcome, "finished");
    }
    for id in [&theirs, &mixed[0], &mixed[2]] {
        let found = site.find(id).await;
        assert_eq!((found.state, found.executions.len()), (State::Queued, 0));
        assert_eq!(found.task.expect("a payload").margay.redeliveries, 0);
    }
    let [first, second] = [&mixed[0], &mixed[2]].map(async |id| site.find(id).await.score);
    assert!(first.await <= second.await, "they are where they were");

    site.deploy_file(&guest(PROBE), "later").await;
    for id in [&theirs, &mixed[0], &mixed[2]] {
        let ended = site.ended(id).await;
        assert_eq!((ended.outcome.as_str(), ended.attempts), ("finished", 1));
    }
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn a_worker_with_queues_of_its_own_takes_what_another_leaves() {
    let site = Site::start().await;
    site.configure("module_grace = \"300ms\"");
    let task = site.enqueue(call_in("theirs", "later:echo", json!([1]))).await;
    let mut general = site.worker(&[]).await;
    general.says_with("left to other workers", "queue", "theirs").await;
    let special = site.worker(&["-q", "theirs"]).await;
    assert_eq!(site.ended(&task).await.error.as_deref(), Some("margay:UnknownFunction"));
    general.stop().await;
    special.stop().await;
    site.is_consistent().await;
}
