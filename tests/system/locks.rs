//! Tasks that run one after the other. Whoever meets a lock would look again in ten minutes; only being woken
//! explains that it runs in time.

use queue::{NewTask, State};
use serde_json::json;

use crate::harness::{PROBE, Running, Site, call, call_in};

/// A site whose locks neither expire nor are asked for again while a test runs.
async fn site() -> Site {
    let site = Site::start().await;
    site.configure("lock_retry = \"10m\"\nactive_timeout = \"10m\"\npresence = \"1s\"");
    site.deploy(PROBE).await;
    site
}

/// A call that holds its lock until the site releases it. What else it is told does not count for the lock of a user.
fn of_user(user: u32, note: &str) -> NewTask {
    let mut new = call("probe:locked_by_user", json!(["/signals/go"]));
    let kwargs = json!({ "user": user, "note": note });
    new.task.kwargs = Some(serde_json::value::to_raw_value(&kwargs).expect("JSON"));
    new
}

async fn no_lock_is_left(site: &Site) {
    for pattern in ["t:lockv2:*", "t:waiters:*"] {
        let left = site.redis_says(&["KEYS", pattern]).await;
        assert!(left.is_empty(), "{left:?}");
    }
}

/// The first holds the lock, and the second waits for it until the first has ended.
async fn one_after_the_other(
    site: &Site,
    worker: &mut Running,
    signal: &str,
    enqueue: impl AsyncFn(&str) -> String,
) {
    let path = format!("/{signal}");
    let first = enqueue(&path).await;
    worker.says_of(&first, "holding").await;
    let mut dues = site.dues().await;
    let second = enqueue(&path).await;
    dues.of("default").await;
    assert_eq!(site.find(&second).await.state, State::Scheduled);
    assert_eq!(worker.said_of(&second, "holding"), 0);
    site.write(signal, "");
    worker.says_of(&second, "holding").await;
}

#[tokio::test]
async fn tasks_under_one_lock_run_one_after_the_other_and_the_next_is_woken() {
    let site = site().await;
    let by_function = async |path: &str| site.enqueue(call("probe:locked", json!([path]))).await;
    let by_payload = async |path: &str| {
        let mut new = call("probe:hold", json!([path]));
        new.task.lock = true;
        site.enqueue(new).await
    };
    let by_flag = async |path: &str| {
        let args = json!([path]).to_string();
        site.margay(&["enqueue", "probe:hold", &args, "--lock"]).await.ok().trim().to_owned()
    };
    let mut worker = site.worker(&[]).await;
    one_after_the_other(&site, &mut worker, "signals/1", by_function).await;
    one_after_the_other(&site, &mut worker, "signals/2", by_payload).await;
    one_after_the_other(&site, &mut worker, "signals/3", by_flag).await;
    worker.stop().await;
    no_lock_is_left(&site).await;
    site.is_empty().await;
}

#[tokio::test]
async fn the_tasks_of_one_user_run_one_after_the_other_and_those_of_another_beside_them() {
    let site = site().await;
    let mut worker = site.worker(&[]).await;
    let flags = async |kwargs: &str| {
        let lock = ["enqueue", "probe:locked_by_user", r#"["/signals/go"]"#, "--lock-key", "user"];
        site.margay(&[lock.as_slice(), &["--kwargs", kwargs]].concat()).await.ok().trim().to_owned()
    };
    let first = site.enqueue(of_user(1, "a")).await;
    worker.says_of(&first, "holding").await;
    let mut dues = site.dues().await;
    // The function's own key and one that is given make the same lock.
    let next = [site.enqueue(of_user(1, "b")).await, flags(r#"{"user": 1, "note": "c"}"#).await];
    for _ in &next {
        dues.of("default").await;
    }
    let others = [site.enqueue(of_user(2, "d")).await, flags(r#"{"user": 3, "note": "e"}"#).await];
    for other in &others {
        worker.says_of(other, "holding").await;
    }
    for id in &next {
        assert_eq!((site.find(id).await.state, worker.said_of(id, "holding")), (State::Scheduled, 0));
    }
    site.release();
    for id in &next {
        worker.says_of(id, "holding").await;
    }
    worker.stop().await;
    no_lock_is_left(&site).await;
    site.is_empty().await;
}

#[tokio::test]
async fn the_lock_of_a_killed_worker_is_free_when_its_task_is_taken_back() {
    let site = site().await;
    let mut unlucky = site.worker(&[]).await;
    let held = site.enqueue(of_user(1, "held")).await;
    unlucky.says_of(&held, "holding").await;
    let mut dues = site.dues().await;
    let waiting = site.enqueue(of_user(1, "waiting")).await;
    dues.of("default").await;
    unlucky.kill().await;
    site.release();

    let next = site.worker(&[]).await;
    for id in [&waiting, &held] {
        assert_eq!(site.ended(id).await.outcome, "finished");
    }
    next.stop().await;
    no_lock_is_left(&site).await;
    site.is_empty().await;
}

#[tokio::test]
async fn a_run_that_a_stopping_worker_gives_back_frees_its_lock() {
    let site = site().await;
    let mut worker = site.worker(&["--shutdown-grace", "100ms"]).await;
    let held = site.enqueue(of_user(1, "held")).await;
    worker.says_of(&held, "holding").await;
    let mut dues = site.dues().await;
    let waiting = site.enqueue(of_user(1, "waiting")).await;
    dues.of("default").await;
    worker.terminate();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    for id in [&held, &waiting] {
        assert_eq!(site.find(id).await.state, State::Queued);
    }
    no_lock_is_left(&site).await;
    site.is_consistent().await;
}

#[tokio::test]
async fn tasks_of_one_batch_share_their_lock_and_only_who_meets_anothers_is_left_out() {
    let site = Site::start().await;
    site.configure("lock_retry = \"200ms\"");
    site.deploy(PROBE).await;
    let locked = |text: &str| {
        let mut new = call_in("batches", "probe:batch", json!([text]));
        new.task.lock = true;
        new
    };
    let tasks = ["same", "taken", "same", "other"].map(locked);
    let taken = tasks[1].task.lock_id(None).expect("arguments").expect("a lock");
    let key = format!("t:lockv2:{taken}");
    site.redis_says(&["SET", &key, "somebody"]).await;
    let ids = site.enqueue_all(tasks).await;
    let mut dues = site.dues().await;
    let worker = site.worker(&["--batch", "batches=50"]).await;

    let mut started = Vec::new();
    for id in [&ids[0], &ids[2], &ids[3]] {
        let ended = site.ended(id).await;
        assert_eq!(ended.outcome, "finished");
        started.push(ended.started);
    }
    assert!(started.iter().all(|time| *time == started[0]), "one run: {started:?}");
    dues.of("batches").await;
    assert_eq!(site.find(&ids[1]).await.executions.len(), 0);
    site.redis_says(&["DEL", &key]).await;
    let ended = site.ended(&ids[1]).await;
    assert_eq!((ended.outcome.as_str(), ended.attempts), ("finished", 1));
    worker.stop().await;
    no_lock_is_left(&site).await;
    site.is_empty().await;
}
