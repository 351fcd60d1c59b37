use queue::{Page, State};
use task::Task;

use crate::Bench;
use crate::bench::a_task;

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
async fn a_task_is_found_with_its_payload_as_it_is_stored() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    bench.set_payload("a", r#"{ "id": "a", "func": "m:f", "theirs": 1.50 }"#).await;
    let found = bench.find("a").await;
    assert_eq!(found.payload, r#"{ "id": "a", "func": "m:f", "theirs": 1.50 }"#);
    bench.finish().await;
}
