//! Workers that are asked to stop.

use queue::State;
use serde_json::json;

use crate::harness::{PROBE, Site, call};

#[tokio::test]
async fn a_worker_that_is_asked_to_stop_finishes_what_runs_and_takes_nothing_more() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let mut worker = site.worker(&["--shutdown-grace", "60s"]).await;
    let running = site.enqueue(call("probe:hold", json!(["/signals/go"]))).await;
    worker.says_of(&running, "holding").await;
    worker.terminate();
    worker.says("stopping").await;
    let late = site.enqueue(call("probe:noop", json!([]))).await;
    site.release();
    assert_eq!(site.ended(&running).await.outcome, "finished");
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    assert_eq!(site.find(&late).await.state, State::Queued);
    site.is_consistent().await;
}

#[tokio::test]
async fn what_does_not_finish_within_the_grace_goes_back_as_it_was() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let mut worker = site.worker(&["--shutdown-grace", "200ms"]).await;
    let functions = [("probe:sleep", json!([3_600_000])), ("probe:spin", json!([]))];
    let mut tasks = functions.map(|(function, args)| call(function, args)).to_vec();
    tasks.push(call("probe:hold", json!(["/signals/never"])));
    tasks.iter_mut().for_each(|new| new.task.hard_timeout = Some(3600.0));
    let ids = site.enqueue_all(tasks).await;
    worker.says_of(&ids[2], "holding").await;
    worker.terminate();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    for id in &ids {
        let found = site.find(id).await;
        assert_eq!((found.state, found.executions.len()), (State::Queued, 0));
        assert_eq!(found.task.expect("a payload").margay.redeliveries, 0);
    }
    let presence = site.redis_says(&["KEYS", "t:worker:*"]).await;
    assert!(presence.is_empty(), "it has left: {presence:?}");
    site.is_consistent().await;
}

#[tokio::test]
async fn a_worker_can_be_stopped_while_redis_is_away() {
    let mut site = Site::start().await;
    site.deploy(PROBE).await;
    let mut worker = site.worker(&["--shutdown-grace", "100ms"]).await;
    let running = site.enqueue(call("probe:hold", json!(["/signals/never"]))).await;
    worker.says_of(&running, "holding").await;
    site.redis.stop();
    worker.says("could not").await;
    worker.terminate();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
}
