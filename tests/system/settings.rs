//! What a site is told in its margay.toml and by flags.

use std::time::Duration;

use queue::State;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::harness::{PATIENCE, PROBE, Site, call};

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_by_name() {
    let site = Site::start().await;
    let cases = [
        ("active_timeout = \"15s\"", "`active_timeout` must be at least twice `heartbeat`"),
        ("max_workers_per_queue = 0", "`max_workers_per_queue` must be at least 1"),
        ("[batch_queues]\nwords = 0", "`batch_queues`: the size of `words` is 0"),
        ("[batch_queues]\nwords = 321", "it must be between 1 and 320"),
        ("[batch_queues]\n\"a:b\" = 2", "`batch_queues`: the queue name `a:b` contains `:`"),
        ("default_queue = \"a:b\"", "`default_queue`: the queue name `a:b` contains `:`"),
        ("poll = \"1s\"\nbatch_wait = \"2s\"", "`batch_wait` must not be longer than `poll`"),
        ("single_worker_queues = [\"a/b\"]", "`a/b` contains `/`"),
        ("reap_interval = \"often\"", "`often` is not a duration"),
        ("reap = \"yes\"", "reap"),
    ];
    for (settings, needle) in cases {
        site.configure(settings);
        let answer = site.margay(&["worker"]).await;
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{settings} said {}", answer.stderr);
        assert!(answer.stderr.contains(needle), "{settings} said {}", answer.stderr);
    }
    site.configure("default_queue = \"a:b\"");
    let answer = site.margay(&["enqueue", "m:f"]).await;
    assert_eq!((answer.code, answer.stdout.as_str()), (2, ""));
    assert!(answer.stderr.contains("`default_queue`"), "{}", answer.stderr);
    let flags: [(&[&str], &str); 4] = [
        (&["-M", "0"], "`max_workers_per_queue` must be at least 1"),
        (&["--batch", "words=0"], "`words=0` is not a batch size"),
        (&["--single-worker-queues", "a:b"], "`a:b` contains `:`"),
        (&["--passes", "2"], "--once"),
    ];
    site.configure("");
    for (flags, needle) in flags {
        let answer = site.margay(&[&["worker"], flags].concat()).await;
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{flags:?} said {}", answer.stderr);
        assert!(answer.stderr.contains(needle), "{flags:?} said {}", answer.stderr);
    }
    site.is_empty().await;
}

#[tokio::test]
async fn tracebacks_are_kept_unless_somebody_says_otherwise() {
    let site = Site::start().await;
    site.configure("store_tracebacks = false");
    site.deploy(PROBE).await;
    for (flags, kept) in
        [(&[][..], false), (&["--store-tracebacks"], true), (&["--no-store-tracebacks"], false)]
    {
        let id = site.enqueue(call("probe:panic", json!(["oh no"]))).await;
        let once = [&["--once"], flags].concat();
        site.worker(&once).await.exits_well().await;
        let (executions, _) = site.executions(&id).await;
        assert_eq!(executions[0]["exception_name"], "margay:Trapped");
        assert_eq!(executions[0].get("traceback").is_some(), kept, "{flags:?} left {}", executions[0]);
    }
    site.is_consistent().await;
}

#[tokio::test]
async fn a_task_for_which_nobody_names_a_queue_goes_to_the_default_queue() {
    let site = Site::start().await;
    site.configure("default_queue = \"misc\"");
    site.deploy(PROBE).await;
    site.margay(&["enqueue", "probe:noop"]).await.ok();
    site.write("one.jsonl", r#"{"func":"probe:noop"}"#);
    site.margay(&["enqueue", "--bulk", "one.jsonl"]).await.ok();
    site.margay(&["enqueue", "probe:noop", "--queue", "named"]).await.ok();
    site.margay(&["enqueue", "probe:batch"]).await.ok();
    for (queue, tasks) in [("misc", 2), ("named", 1), ("batches", 1), ("default", 0)] {
        assert_eq!(site.count(queue, State::Queued).await, tasks, "{queue}");
    }
    site.worker(&["--once"]).await.exits_well().await;
    site.is_empty().await;
}

#[tokio::test]
async fn queues_are_listed_with_what_was_done_lately_and_until_when_they_are_locked() {
    let site = Site::start().await;
    site.configure("presence = \"1s\"");
    site.deploy(PROBE).await;
    let worker = site.worker(&["-e", "still"]).await;
    site.margay(&["enqueue", "probe:noop", "--queue", "still"]).await.ok();
    site.margay(&["queues", "lock", "still", "--for", "1h"]).await.ok();
    let listed = async || site.margay(&["queues", "list", "--json"]).await.json();
    let still = listed().await["still"].take();
    assert_eq!((&still["queued"], &still["rate"]), (&json!(1), &json!(null)));
    assert!(still["locked_until"].as_f64() > Some(queue::now() + 3500.0), "{still}");

    let good = (0..20).map(|_| call("probe:noop", json!([])));
    let bad = (0..5).map(|_| call("probe:fail", json!([{ "kind": "smtp", "retry": "never" }])));
    let ids = site.enqueue_all(good.chain(bad)).await;
    site.ends().await.of(&site, &ids).await;
    // A rate is known when its ten seconds are over, and nobody tells.
    let rate = async {
        loop {
            let rate = listed().await["default"]["rate"].take();
            if !rate.is_null() {
                return rate;
            }
            sleep(Duration::from_millis(300)).await;
        }
    };
    let rate = timeout(PATIENCE, rate).await.expect("the rate is told");
    let [done, failed] = ["done", "failed"].map(|field| rate[field].as_f64().expect("a number"));
    assert!(done + failed > 0.0 && done <= 2.0 && failed <= 0.5, "{rate}");
    worker.stop().await;
    site.is_consistent().await;
}
