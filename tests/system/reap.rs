//! TaskTiger's own rule, which a worker applies where it is told to: an active task that nobody was heard of for too
//! long is lost, whoever claimed it.

use queue::{NewTask, State};
use serde_json::json;

use crate::harness::{PROBE, Site, call_in};

/// Puts a task into `active` as a worker of TaskTiger's does, and as if that had been so many seconds ago.
async fn claimed_by_python(site: &Site, new: NewTask, ago: f64) -> String {
    let (id, queue) = (new.task.id.clone(), new.queue.clone());
    let score = (queue::now() - ago).to_string();
    site.redis_says(&["SET", &site.client.keys().payload(&id), &new.task.to_json()]).await;
    site.redis_says(&["ZADD", &format!("t:active:{queue}"), &score, &id]).await;
    site.redis_says(&["SADD", "t:active", &queue]).await;
    id
}

#[tokio::test]
async fn expired_tasks_fail_or_run_again_where_a_worker_reaps_and_are_left_alone_where_none_does() {
    let site = Site::start().await;
    site.configure("reap_interval = \"200ms\"\npoll = \"100ms\"\nreap_batch = 2");
    site.deploy(PROBE).await;
    let noop = || call_in("theirs", "probe:noop", json!([]));
    let mut patient = noop();
    patient.task.retry_on = vec!["tasktiger.exceptions:JobTimeoutException".to_owned()];
    let plain = claimed_by_python(&site, noop(), 61.0).await;
    let again = claimed_by_python(&site, patient, 61.0).await;
    let more = [claimed_by_python(&site, noop(), 300.0).await, claimed_by_python(&site, noop(), 61.0).await];
    let alive = claimed_by_python(&site, noop(), 1.0).await;

    // What it takes back of others it takes back in the same go.
    let mut unlucky = site.worker(&[]).await;
    let held = site.enqueue(call_in("ours", "probe:hold", json!(["/signals/go"]))).await;
    unlucky.says_of(&held, "holding").await;
    unlucky.kill().await;
    site.forget_presences().await;
    site.release();
    let worker = site.worker(&[]).await;
    assert_eq!(site.ended(&held).await.outcome, "finished");
    worker.stop().await;
    assert_eq!(site.count("theirs", State::Active).await, 5);

    let mut reaper = site.worker(&["--reap"]).await;
    reaper.says("took back active tasks that nobody was heard of").await;
    let ended = site.ended(&again).await;
    assert_eq!((ended.outcome.as_str(), ended.attempts), ("finished", 1));
    for id in [&plain, &more[0], &more[1]] {
        assert_eq!(site.ended(id).await.error.as_deref(), Some("margay:Expired"));
        assert_eq!(site.find(id).await.state, State::Error);
        let (executions, count) = site.executions(id).await;
        assert_eq!((executions[0]["exception_name"].as_str(), count), (Some("margay:Expired"), 1));
    }
    reaper.stop().await;
    assert_eq!(site.find(&alive).await.state, State::Active);
    site.is_consistent().await;
}
