//! Workers and Redis that die in the middle of their work. Nothing may be lost.

use queue::{Ended, NewTask};
use serde_json::json;

use crate::harness::{PROBE, Site, call};

/// Tasks that take a few milliseconds each, not all the same, so that a worker always holds some.
fn short_tasks(number: u64) -> impl Iterator<Item = NewTask> {
    (0..number).map(|n| call("probe:sleep", json!([3 + n % 7])))
}

fn all_finished(ended: &[Ended]) {
    for ended in ended {
        assert_eq!(ended.outcome, "finished", "{ended:?}");
    }
}

/// A site where a worker counts as vanished a second after it was last heard of.
async fn site() -> Site {
    let site = Site::start().await;
    site.configure("presence = \"1s\"");
    site.deploy(PROBE).await;
    site
}

#[tokio::test]
async fn killing_one_of_two_workers_in_the_middle_of_a_thousand_tasks_loses_none() {
    let site = site().await;
    let mut unlucky = site.worker(&["-c", "8"]).await;
    let other = site.worker(&["-c", "8"]).await;
    let mut ends = site.ends().await;
    let ids = site.enqueue_all(short_tasks(1000)).await;
    ends.reach(300).await;
    unlucky.kill().await;
    all_finished(&ends.of(&site, &ids).await);
    other.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn killing_the_only_worker_in_the_middle_of_a_thousand_tasks_loses_none() {
    let site = site().await;
    let mut unlucky = site.worker(&["-c", "8"]).await;
    let mut ends = site.ends().await;
    let ids = site.enqueue_all(short_tasks(1000)).await;
    ends.reach(300).await;
    unlucky.kill().await;
    // What it held is still its own, and nobody is there to take it back.
    site.is_consistent().await;

    let next = site.worker(&["-c", "8"]).await;
    all_finished(&ends.of(&site, &ids).await);
    next.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn what_a_killed_worker_ran_is_run_again_without_counting_as_a_failure() {
    let site = site().await;
    let mut unlucky = site.worker(&[]).await;
    let id = site.enqueue(call("probe:hold", json!(["/signals/go"]))).await;
    unlucky.says_of(&id, "holding").await;
    unlucky.kill().await;

    let mut next = site.worker(&[]).await;
    next.says_with("took back the tasks of a vanished worker", "tasks", 1).await;
    next.says_of(&id, "holding").await;
    let task = site.find(&id).await.task.expect("a payload");
    assert_eq!(task.margay.redeliveries, 1);
    site.release();
    let ended = site.ended(&id).await;
    assert_eq!((ended.outcome.as_str(), ended.attempts), ("finished", 1));
    next.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn a_worker_survives_a_restart_of_redis_and_settles_what_it_ran() {
    let mut site = Site::durable().await;
    site.deploy(PROBE).await;
    let mut worker = site.worker(&["-c", "8"]).await;
    let mut ends = site.ends().await;
    let mut ids = vec![site.enqueue(call("probe:hold", json!(["/signals/go"]))).await];
    worker.says_of(&ids[0], "holding").await;
    ids.extend(site.enqueue_all(short_tasks(500)).await);
    ends.reach(100).await;
    site.restart_redis().await;

    let mut ends = site.ends().await;
    site.release();
    all_finished(&ends.of(&site, &ids).await);
    worker.stop().await;
    site.is_empty().await;
}
