use queue::{Page, State};
use task::{Task, Verdict};

use crate::Bench;
use crate::bench::{a_task, an_execution};

#[tokio::test]
async fn queues_are_counted_by_state() {
    let bench = Bench::new().await;
    for id in ["a", "b", "c"] {
        bench.enqueue("mail", id).await;
    }
    bench.schedule("mail.acme", "d", bench.now + 9.0).await;
    bench.claim_one("mail").await;
    let queues = bench.client.queues().await.expect("queues");
    let mail = &queues["mail"];
    assert_eq!((mail.queued, mail.active, mail.oldest_queued), (2, 1, Some(bench.now)));
    assert_eq!(queues["mail.acme"].scheduled, 1);
    bench.finish().await;
}

#[tokio::test]
async fn a_page_has_a_beginning_a_size_and_a_direction() {
    let mut bench = Bench::new().await;
    for id in ["a", "b", "c", "d"] {
        bench.enqueue("mail", id).await;
        bench.now += 1.0;
    }
    let list = async |page| {
        let listing = bench.client.list("mail", State::Queued, page).await.expect("a listing");
        assert_eq!(listing.total, 4);
        listing.tasks.into_iter().map(|found| found.id).collect::<Vec<_>>()
    };
    assert_eq!(list(Page { skip: 1, limit: 2, ..Page::default() }).await, ["b", "c"]);
    assert_eq!(list(Page { limit: 2, newest_first: true, ..Page::default() }).await, ["d", "c"]);
    assert!(list(Page { limit: 0, ..Page::default() }).await.is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn a_task_is_found_in_every_state_it_is_in() {
    let bench = Bench::new().await;
    let unique = Task { unique: true, ..a_task("a") };
    bench.enqueue_task("mail", unique.clone()).await;
    bench.claim_one("mail").await;
    bench.enqueue_task("mail", unique).await;
    let places: Vec<_> =
        bench.client.find("a", 0).await.expect("found").into_iter().map(|f| f.state).collect();
    assert_eq!(places, [State::Queued, State::Active]);
    bench.finish().await;
}

#[tokio::test]
async fn a_failed_task_can_be_retried_once_and_keeps_its_executions() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let claim = bench.claim_one("mail").await;
    bench.settle(&claim, Verdict::Error { execution: an_execution() }).await;
    let failed = bench.client.find("a", 0).await.expect("found").remove(0);
    assert!(bench.client.retry(&failed, bench.now).await.expect("retried"));
    assert!(!bench.client.retry(&failed, bench.now).await.expect("asked"));
    let found = bench.client.find("a", 9).await.expect("found").remove(0);
    assert_eq!((found.state, found.executions.len()), (State::Queued, 1));
    bench.finish().await;
}

#[tokio::test]
async fn a_retry_by_hand_forgives_what_workers_did_to_the_task() {
    let bench = Bench::new().await;
    let mut poison = a_task("a");
    poison.margay.redeliveries = 5;
    bench.enqueue_task("mail", poison).await;
    let claim = bench.claim_one("mail").await;
    bench.settle(&claim, Verdict::Error { execution: an_execution() }).await;
    let failed = bench.client.find("a", 0).await.expect("found").remove(0);
    assert!(bench.client.retry(&failed, bench.now).await.expect("retried"));
    assert_eq!(bench.claim_one("mail").await.task.expect("readable").margay.redeliveries, 0);
    bench.finish().await;
}

#[tokio::test]
async fn deleting_one_of_two_twins_keeps_the_other() {
    let bench = Bench::new().await;
    let unique = Task { unique: true, ..a_task("a") };
    bench.enqueue_task("mail", unique.clone()).await;
    let claim = bench.claim_one("mail").await;
    bench.settle(&claim, Verdict::Error { execution: an_execution() }).await;
    bench.enqueue_task("mail", unique).await;
    for found in bench.client.find("a", 0).await.expect("found") {
        if found.state == State::Error {
            assert!(bench.client.delete(&found).await.expect("deleted"));
        }
    }
    assert_eq!(bench.claim(&["mail"], 1).await.len(), 1);
    bench.finish().await;
}

#[tokio::test]
async fn a_running_task_cannot_be_deleted() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let mut found = bench.client.find("a", 0).await.expect("found").remove(0);
    bench.claim_one("mail").await;
    assert!(!bench.client.delete(&found).await.expect("asked"));
    found.state = State::Error;
    assert!(!bench.client.delete(&found).await.expect("asked"));
    assert_eq!(bench.ids(State::Active, "mail").await, ["a"]);
    bench.finish().await;
}
