//! Workers that run what is there, and end.

use queue::State;
use serde_json::json;

use crate::harness::{PROBE, Site, call, call_in};

async fn site() -> Site {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    site
}

#[tokio::test]
async fn once_runs_what_is_queued_or_due_with_all_that_follows_and_leaves_what_is_not_due() {
    let site = site().await;
    let due = queue::NewTask { due: Some(queue::now() - 1.0), ..call_in("a", "probe:noop", json!([])) };
    let mut soon = call_in("b", "probe:noop", json!([]));
    soon.due = Some(queue::now() + 3600.0);
    let follow_up = json!([{ "function": "probe:noop", "queue": "c", "times": 3 }]);
    let chain = json!({ "function": "probe:follow_up", "queue": "d", "args": follow_up.to_string() });
    let mut ids = site.enqueue_all((0..100).map(|n| call_in("many", "probe:echo", json!([n])))).await;
    ids.extend(site.enqueue_all([due, call("probe:follow_up", json!([chain]))]).await);
    let later = site.enqueue(soon).await;
    // As if nobody had been there to promote it.
    let overdue = site
        .enqueue(queue::NewTask { due: Some(queue::now() + 3600.0), ..call("probe:noop", json!([])) })
        .await;
    site.redis_says(&["ZADD", "t:scheduled:default", "1", &overdue]).await;

    site.worker(&["--once", "-c", "4"]).await.exits_well().await;
    for id in ids.iter().chain([&overdue]) {
        assert_eq!(site.ended(id).await.outcome, "finished");
    }
    assert_eq!(site.find(&later).await.state, State::Scheduled);
    site.margay(&["tasks", "delete", &later]).await.ok();
    site.is_empty().await;
}

#[tokio::test]
async fn once_does_not_wait_for_a_paused_queue() {
    let site = site().await;
    site.margay(&["queues", "pause", "paused"]).await.ok();
    let paused = site.enqueue(call_in("paused", "probe:noop", json!([]))).await;
    let open = site.enqueue(call("probe:noop", json!([]))).await;
    site.worker(&["--once"]).await.exits_well().await;
    assert_eq!(site.ended(&open).await.outcome, "finished");
    assert_eq!(site.find(&paused).await.state, State::Queued);
    site.is_consistent().await;
}

#[tokio::test]
async fn each_pass_takes_one_batch_of_every_queue() {
    let site = site().await;
    let five = |queue: &'static str| (0..5).map(move |n| call_in(queue, "probe:batch", json!([n])));
    site.enqueue_all(five("one").chain(five("three"))).await;
    let left = async || (site.count("one", State::Queued).await, site.count("three", State::Queued).await);
    site.worker(&["--once", "--passes", "1", "--batch", "three=3"]).await.exits_well().await;
    assert_eq!(left().await, (4, 2));
    site.worker(&["--once", "--passes", "2", "--batch", "three=3"]).await.exits_well().await;
    assert_eq!(left().await, (2, 0));
    site.worker(&["--once"]).await.exits_well().await;
    site.is_empty().await;
}

#[tokio::test]
async fn once_takes_back_what_a_killed_worker_held() {
    let site = site().await;
    let mut unlucky = site.worker(&[]).await;
    let id = site.enqueue(call("probe:hold", json!(["/signals/go"]))).await;
    unlucky.says_of(&id, "holding").await;
    unlucky.kill().await;
    site.release();
    site.forget_presences().await;
    site.worker(&["--once"]).await.exits_well().await;
    assert_eq!(site.ended(&id).await.outcome, "finished");
    site.is_empty().await;
}

#[tokio::test]
async fn once_runs_all_it_can_have_though_others_tasks_and_locked_ones_come_first() {
    let site = site().await;
    let mut locked = call_in("locked", "probe:noop", json!([]));
    locked.task.lock = true;
    let lock = locked.task.lock_id(None).expect("arguments").expect("a lock");
    let key = format!("t:lockv2:{lock}");
    site.redis_says(&["SET", &key, "somebody"]).await;
    let named = |kind: &str, n: u32| format!("{kind}{n}");
    let mut tasks = Vec::new();
    for n in 0..8 {
        let mut locked = locked.clone();
        locked.task.id = queue::new_id();
        tasks.push(queue::NewTask { queue: named("locked", n), ..locked });
        tasks.push(call_in(&named("theirs", n), "nobody:here", json!([])));
        tasks.push(call_in(&named("ours", n), "probe:noop", json!([])));
    }
    site.enqueue_all(tasks).await;
    site.worker(&["--once", "-c", "1"]).await.exits_well().await;
    for n in 0..8 {
        assert_eq!(site.count(&named("ours", n), State::Queued).await, 0);
        assert_eq!(site.count(&named("locked", n), State::Scheduled).await, 1);
        assert_eq!(site.count(&named("theirs", n), State::Queued).await, 1);
    }
    site.is_consistent().await;
}

#[tokio::test]
async fn once_claims_nothing_more_when_it_is_asked_to_stop() {
    let site = site().await;
    for passes in [&[][..], &["--passes", "9"]] {
        let held = site.enqueue(call("probe:hold", json!(["/signals/go"]))).await;
        let waiting = site.enqueue(call("probe:noop", json!([]))).await;
        let flags = [&["--once", "-c", "1", "--shutdown-grace", "60s"], passes].concat();
        let mut worker = site.worker(&flags).await;
        worker.says_of(&held, "holding").await;
        worker.terminate();
        worker.says("stopping").await;
        site.release();
        assert_eq!(site.ended(&held).await.outcome, "finished");
        worker.exits_well().await;
        assert_eq!(site.find(&waiting).await.state, State::Queued);
        site.margay(&["tasks", "delete", &waiting]).await.ok();
        std::fs::remove_file(site.path("signals/go")).expect("it was released");
    }
    site.is_empty().await;
}
