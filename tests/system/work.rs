//! Tasks that come together, one after the other, or later.

use std::collections::HashSet;

use queue::State;
use serde_json::json;

use crate::harness::{PROBE, Site, call};

#[tokio::test]
async fn a_batch_function_gets_many_tasks_and_each_fails_for_itself() {
    let site = Site::start().await;
    site.deploy("examples/wordcount").await;
    let texts = (0..20).map(|n| if n == 7 { String::new() } else { "word ".repeat(n + 1) });
    let tasks = texts
        .map(|text| queue::NewTask { queue: "words".to_owned(), ..call("wordcount:count", json!([text])) });
    let ids = site.enqueue_all(tasks).await;
    let worker = site.worker(&["-c", "32", "--batch", "words=50"]).await;

    let mut runs = HashSet::new();
    for (n, id) in ids.iter().enumerate() {
        let ended = site.ended(id).await;
        runs.insert(ended.started.to_bits());
        if n == 7 {
            assert_eq!(ended.error.as_deref(), Some("empty-text"));
            continue;
        }
        let result: serde_json::Value =
            serde_json::from_str(ended.result.expect("a result").get()).expect("JSON");
        assert_eq!(result["words"], n + 1);
    }
    assert_eq!(runs.len(), 1, "all were there at once, so that they ran at once");
    assert_eq!(site.count("words", State::Error).await, 1);
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn a_follow_up_waits_for_its_parents_success() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let mut worker = site.worker(&[]).await;
    let follow_up = json!({ "function": "probe:log", "args": r#"["after"]"#, "hold": "/signals/go" });
    let parent = site.enqueue(call("probe:follow_up", json!([follow_up]))).await;
    worker.says_of(&parent, "holding").await;
    assert_eq!(site.count("default", State::Queued).await, 0);
    assert_eq!(site.count("default", State::Active).await, 1, "the parent is alone");

    site.release();
    let ended = site.ended(&parent).await;
    let child = ended.result.expect("the follow-up's id");
    worker.says_of(child.get().trim_matches('"'), "after").await;
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn a_parent_that_fails_has_no_follow_up() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let worker = site.worker(&[]).await;
    let parent = site.enqueue(call("probe:follow_up_and_fail", json!([{ "function": "probe:log" }]))).await;
    assert_eq!(site.ended(&parent).await.error.as_deref(), Some("after"));
    worker.stop().await;
    let queues = site.client.queues().await.expect("Redis answers");
    let counts = queues.values().map(|counts| (counts.queued, counts.scheduled, counts.error));
    assert_eq!(counts.collect::<Vec<_>>(), [(0, 0, 1)], "only the parent is left");
    site.is_consistent().await;
}

#[tokio::test]
async fn a_scheduled_task_starts_at_its_time() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let worker = site.worker(&[]).await;
    let ended = site.margay(&["enqueue", "probe:noop", "--in", "300ms", "--wait", "--json"]).await.json();
    let time = |field: &str| ended[field].as_f64().expect("a time");
    assert!(time("due") >= time("enqueued") + 0.29, "{ended}");
    // How late it is on an idle machine, the benchmarks say.
    let late = time("started") - time("due");
    assert!((0.0..1.0).contains(&late), "it started {late} s after its time");
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn a_unique_task_is_queued_once_and_its_id_is_tasktigers() {
    let site = Site::start().await;
    let enqueue = async |more: &[&str]| {
        let arguments =
            [&["enqueue", "tests.tasks:unique_task", "--kwargs", r#"{"value": 1}"#], more].concat();
        site.margay(&arguments).await.ok().trim().to_owned()
    };
    let theirs = "cddce980c194b1e8a5f38b0d1a476c51d73e3f30f6cc846ffb07c551c1328513";
    assert_eq!(enqueue(&["--unique"]).await, theirs);
    assert_eq!(enqueue(&["--unique"]).await, theirs);
    assert_eq!(site.count("default", State::Queued).await, 1);
    assert_ne!(enqueue(&["--unique-key", "value"]).await, theirs);
    assert_ne!(enqueue(&[]).await, theirs);
    assert_eq!(site.count("default", State::Queued).await, 3);
    site.is_consistent().await;
}

#[tokio::test]
async fn a_unique_task_queued_again_while_it_runs_runs_once_more() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let mut worker = site.worker(&[]).await;
    let enqueue = async || {
        let arguments = ["enqueue", "probe:hold", r#"["/signals/go"]"#, "--unique"];
        site.margay(&arguments).await.ok().trim().to_owned()
    };
    let id = enqueue().await;
    worker.says_of(&id, "holding").await;
    for _ in 0..3 {
        assert_eq!(enqueue().await, id);
    }
    site.release();
    worker.says_so_often(&id, "holding", 2).await;
    worker.stop().await;
    site.is_empty().await;
}
