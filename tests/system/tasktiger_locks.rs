//! Locks that Python TaskTiger and Margay share: of tasks, of queues, and the number of workers on a queue.

use queue::{Activity, Event, NewTask, State};
use serde_json::json;
use tokio::time::timeout;

use crate::harness::{PATIENCE, PROBE, Running, Site, call};

/// A call of the probe that both kinds of worker can run.
fn call_for(queue: &str, func: &str, args: serde_json::Value) -> NewTask {
    NewTask { queue: queue.to_owned(), ..call(func, args) }
}

/// A site with the probe, that asks for a taken lock five times a second.
async fn site() -> Site {
    let site = Site::start().await;
    site.configure("lock_retry = \"200ms\"");
    site.deploy(PROBE).await;
    site
}

/// What makes a worker of TaskTiger's ask for a taken lock as often.
fn patience() -> serde_json::Value {
    json!({ "LOCK_RETRY": 0.2 })
}

/// Two tasks of the same function and under the same lock: by all arguments, and by one that is named.
fn locked_pairs() -> [[NewTask; 2]; 2] {
    let by_all = |queue: &str| {
        let mut new = call_for(queue, "probe:hold", json!(["/signals/go"]));
        new.task.lock = true;
        new
    };
    let by_one = |queue: &str, text: &str| {
        let mut new = by_all(queue);
        new.task.lock_key = vec!["user".to_owned()];
        let kwargs = json!({ "user": 7, "text": text });
        new.task.kwargs = Some(serde_json::value::to_raw_value(&kwargs).expect("JSON"));
        new
    };
    [[by_all("py"), by_all("wasm")], [by_one("py", "a"), by_one("wasm", "b")]]
}

/// Waits until a task of this queue has been put off.
async fn put_off(due: &mut Activity, queue: &str) {
    let told = async { while !matches!(due.next().await, Event::Due(name, _) if name == queue) {} };
    timeout(PATIENCE, told).await.expect("a task is put off");
}

async fn listen_to_due(site: &Site) -> Activity {
    site.client.listen(vec!["t:due".to_owned()]).await.expect("Redis tells")
}

#[tokio::test]
async fn a_task_waits_for_its_lock_while_a_python_worker_has_it() {
    for [theirs, ours] in locked_pairs() {
        let site = site().await;
        let mut python = site.python_worker_with(&["-q", "py"], patience()).await;
        let mut margay = site.worker(&["-q", "wasm"]).await;
        let theirs = site.enqueue(theirs).await;
        python.says_of(&theirs, "processing").await;
        let mut due = listen_to_due(&site).await;
        let ours = site.enqueue(ours).await;
        put_off(&mut due, "wasm").await;
        assert!(!margay.log().contains("holding"), "{}", margay.log());
        assert_eq!(site.find(&ours).await.executions.len(), 0);

        site.release();
        python.says_of(&theirs, "done").await;
        let ended = site.ended(&ours).await;
        assert_eq!((ended.outcome.as_str(), ended.attempts), ("finished", 1));
        margay.says_of(&ours, "holding").await;
        python.stop_python().await;
        margay.stop().await;
        no_lock_is_left(&site).await;
        site.is_empty().await;
    }
}

#[tokio::test]
async fn a_task_of_pythons_waits_for_its_lock_while_a_run_has_it() {
    for [theirs, ours] in locked_pairs() {
        let site = site().await;
        let mut python = site.python_worker_with(&["-q", "py"], patience()).await;
        let mut margay = site.worker(&["-q", "wasm"]).await;
        let ours = site.enqueue(ours).await;
        margay.says_of(&ours, "holding").await;
        let theirs = site.enqueue(theirs).await;
        python.says_so_often(&theirs, "could not acquire lock", 2).await;
        assert_eq!(site.notes().await, [""; 0]);

        site.release();
        assert_eq!(site.ended(&ours).await.outcome, "finished");
        python.says_of(&theirs, "done").await;
        assert_eq!(site.notes().await, ["begin python", "end python"]);
        python.stop_python().await;
        margay.stop().await;
        no_lock_is_left(&site).await;
        site.is_empty().await;
    }
}

/// TaskTiger keeps locks of its own under the same name, which only expire.
async fn no_lock_is_left(site: &Site) {
    let locks = site.redis_says(&["KEYS", "t:lockv2:*"]).await;
    let left: Vec<_> = locks.iter().filter(|name| !name.contains(":queue_")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn pythons_system_lock_keeps_margay_from_a_queue() {
    let site = site().await;
    let worker = site.worker(&["-q", "wasm,free", "-M", "4"]).await;
    // The lock must not run out while the worker still compiles.
    let first = site.enqueue(call_for("free", "probe:noop", json!([]))).await;
    site.ended(&first).await;
    site.python("lock_queue", json!({ "queue": "wasm", "seconds": 5 })).await;
    let until = site.python("queue_lock", json!({ "queue": "wasm" })).await.as_f64().expect("a time");
    let locked = site.enqueue(call_for("wasm", "probe:noop", json!([]))).await;
    for _ in 0..3 {
        let free = site.enqueue(call_for("free", "probe:noop", json!([]))).await;
        site.ended(&free).await;
    }
    assert_eq!(site.find(&locked).await.state, State::Queued);
    let ended = site.ended(&locked).await;
    assert!(ended.started >= until, "it started {} s too early", until - ended.started);
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn margays_lock_of_a_queue_keeps_a_python_worker_from_it() {
    let site = site().await;
    let mut python = site.python_worker(&["-q", "py,free", "-M", "4"]).await;
    site.margay(&["queues", "lock", "py", "--for", "5s"]).await.ok();
    let until = site.python("queue_lock", json!({ "queue": "py" })).await.as_f64().expect("a time");
    let locked = site.enqueue(call_for("py", "probe:sleep", json!([0]))).await;
    for _ in 0..3 {
        let free = site.enqueue(call_for("free", "probe:sleep", json!([0]))).await;
        python.says_of(&free, "done").await;
    }
    assert_eq!(site.find(&locked).await.state, State::Queued);
    python.says_of(&locked, "done").await;
    let began = runs_of_python(&site).await.into_iter().find(|run| run.id == locked).expect("it ran").began;
    assert!(began >= until, "it started {} s too early", until - began);
    python.stop_python().await;
    site.is_empty().await;
}

#[tokio::test]
async fn two_kinds_of_worker_keep_to_one_worker_a_queue() {
    let site = site().await;
    let mut python = site.python_worker(&["-q", "shared", "-M", "1"]).await;
    let first = site.enqueue(call_for("shared", "probe:hold", json!(["/signals/go"]))).await;
    python.says_of(&first, "processing").await;
    let margay = site.worker(&["-q", "shared,free", "-M", "1"]).await;
    let short = |_| call_for("shared", "probe:sleep", json!([20]));
    let ids = site.enqueue_all((0..60).map(short)).await;
    for _ in 0..3 {
        let free = site.enqueue(call_for("free", "probe:noop", json!([]))).await;
        site.ended(&free).await;
    }
    assert_eq!(site.count("shared", State::Queued).await, 60, "Python alone is at work there");

    site.release();
    for id in &ids {
        either(&site, &mut python, id).await;
    }
    let ours = site.client.ended(&ids).await.expect("Redis answers");
    let ours: Vec<_> = ours.into_iter().flatten().collect();
    let theirs = runs_of_python(&site).await;
    assert_eq!(ours.len() + theirs.len(), 60);
    for our in &ours {
        for their in &theirs {
            let apart = our.ended <= their.began || their.ended <= our.started;
            assert!(apart, "{our:?} and {their:?} ran at the same time");
        }
    }
    python.stop_python().await;
    margay.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn python_takes_nothing_from_a_queue_where_one_margay_worker_is_enough() {
    let site = site().await;
    let mut margay = site.worker(&["-q", "shared", "-M", "1", "-c", "1"]).await;
    let held = site.enqueue(call_for("shared", "probe:hold", json!(["/signals/go"]))).await;
    margay.says_of(&held, "holding").await;
    let mut python = site.python_worker(&["-q", "shared,free", "-M", "1"]).await;
    let waiting = site.enqueue(call_for("shared", "probe:sleep", json!([0]))).await;
    for _ in 0..3 {
        let free = site.enqueue(call_for("free", "probe:sleep", json!([0]))).await;
        python.says_of(&free, "done").await;
    }
    assert_eq!(site.find(&waiting).await.state, State::Queued);
    site.release();
    assert_eq!(site.ended(&held).await.outcome, "finished");
    either(&site, &mut python, &waiting).await;
    python.stop_python().await;
    margay.stop().await;
    site.is_empty().await;
}

/// Waits until one of the two has run a task.
async fn either(site: &Site, python: &mut Running, id: &str) {
    tokio::select! {
        ended = site.ended(id) => assert_eq!(ended.outcome, "finished"),
        _ = python.says_of(id, "done") => {}
    }
}

/// One run of `probe.sleep`.
#[derive(Debug)]
struct Run {
    id: String,
    began: f64,
    ended: f64,
}

/// The runs that Python's namesake of `probe:sleep` has noted.
async fn runs_of_python(site: &Site) -> Vec<Run> {
    let runs = site.notes().await;
    let times = runs.iter().filter_map(|note| note.rsplit_once(' '));
    times
        .filter_map(|(rest, ended)| {
            let (id, began) = rest.rsplit_once(' ')?;
            Some(Run { id: id.to_owned(), began: began.parse().ok()?, ended: ended.parse().ok()? })
        })
        .collect()
}
