//! Batch functions: many tasks in one run.

use std::collections::BTreeMap;

use queue::State;
use serde_json::json;

use crate::harness::{PROBE, Site, call_in};

/// How many tasks of a queue each run had.
async fn runs_of(site: &Site, ids: &[String]) -> Vec<usize> {
    let mut runs = BTreeMap::<u64, usize>::new();
    for id in ids {
        *runs.entry(site.ended(id).await.started.to_bits()).or_default() += 1;
    }
    runs.into_values().collect()
}

#[tokio::test]
async fn one_slot_runs_a_whole_batch_and_each_task_fails_for_itself() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let text = |n: usize| if n == 7 { json!(["fail"]) } else { json!([n]) };
    let tasks = (0..50).map(|n| call_in("batches", "probe:batch", text(n)));
    let ids = site.enqueue_all(tasks).await;
    let worker = site.worker(&["-c", "1", "--batch", "batches=50"]).await;
    assert_eq!(runs_of(&site, &ids).await, [50]);
    for (n, id) in ids.iter().enumerate() {
        let ended = site.ended(id).await;
        match n {
            7 => assert_eq!(ended.error.as_deref(), Some("one")),
            n => assert_eq!(ended.result.expect("a result").get(), n.to_string()),
        }
    }
    assert_eq!(site.count("batches", State::Error).await, 1);
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn a_batch_function_that_fails_as_a_whole_fails_all_its_tasks() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    for (word, error) in [("all", "all"), ("short", "batch-length")] {
        let tasks = ["a", word, "c"].map(|text| call_in("batches", "probe:batch", json!([text])));
        let ids = site.enqueue_all(tasks).await;
        let worker = site.worker(&["--batch", "batches=50"]).await;
        assert_eq!(runs_of(&site, &ids).await, [3]);
        for id in &ids {
            assert_eq!(site.ended(id).await.error.as_deref(), Some(error));
        }
        worker.stop().await;
    }
    assert_eq!(site.count("batches", State::Error).await, 6);
    site.is_consistent().await;
}

#[tokio::test]
async fn the_batch_size_of_the_most_specific_name_holds_and_a_flag_beats_the_file() {
    let site = Site::start().await;
    site.configure("[batch_queues]\n\"a\" = 50\n\"a.b\" = 50");
    site.deploy(PROBE).await;
    let six = |queue: &'static str| (0..6).map(move |n| call_in(queue, "probe:batch", json!([n])));
    let mut ids = Vec::new();
    for queue in ["a", "a.x", "a.b", "a.b.c", "z"] {
        ids.push(site.enqueue_all(six(queue)).await);
    }
    let worker = site.worker(&["--batch", "a.b=2", "-c", "64"]).await;
    let sizes: [&[usize]; 4] = [&[6], &[6], &[2, 2, 2], &[2, 2, 2]];
    for (ids, sizes) in ids.iter().zip(sizes) {
        assert_eq!(runs_of(&site, ids).await, sizes);
    }
    assert_eq!(runs_of(&site, &ids[4]).await, [1; 6]);
    worker.stop().await;
    site.is_empty().await;
}
