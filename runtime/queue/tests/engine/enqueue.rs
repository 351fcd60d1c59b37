use queue::{Error, NewTask, State};
use task::{Task, Verdict};

use crate::Bench;
use crate::bench::{a_task, an_execution};

#[tokio::test]
async fn a_task_that_is_due_waits_in_its_queue() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    assert_eq!(bench.ids(State::Queued, "mail").await, ["a"]);
    bench.finish().await;
}

#[tokio::test]
async fn a_task_that_is_due_later_waits_in_scheduled() {
    let bench = Bench::new().await;
    bench.schedule("mail", "a", bench.now + 60.0).await;
    bench.schedule("mail", "b", bench.now - 60.0).await;
    assert_eq!(bench.ids(State::Scheduled, "mail").await, ["a"]);
    assert_eq!(bench.ids(State::Queued, "mail").await, ["b"]);
    bench.finish().await;
}

#[tokio::test]
async fn the_payload_notes_when_it_was_queued_and_due() {
    let bench = Bench::new().await;
    bench.schedule("mail", "a", bench.now + 60.0).await;
    let found = bench.client.find("a", 0).await.expect("found").remove(0);
    let task = found.task.expect("readable");
    assert_eq!(task.time_last_queued, Some(bench.now));
    assert_eq!(task.scheduled_at, Some(bench.now + 60.0));
    bench.finish().await;
}

#[tokio::test]
async fn a_bulk_may_go_to_many_queues_and_be_larger_than_one_call() {
    let bench = Bench::new().await;
    let tasks = (0..1000).map(|n| NewTask::new(format!("q{}", n % 3), a_task(&format!("{n:04}"))));
    assert_eq!(bench.client.enqueue(tasks, bench.now).await.expect("enqueued"), 1000);
    let queues = bench.client.queues().await.expect("queues");
    let counts: Vec<_> = queues.iter().map(|(name, counts)| (name.as_str(), counts.queued)).collect();
    assert_eq!(counts, [("q0", 334), ("q1", 333), ("q2", 333)]);
    bench.finish().await;
}

#[tokio::test]
async fn an_id_that_is_queued_already_keeps_its_place_and_takes_the_new_payload() {
    let mut bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    bench.enqueue("mail", "b").await;
    bench.now += 1.0;
    let again = Task { hard_timeout: Some(9.0), unique: true, ..a_task("a") };
    bench.enqueue_task("mail", again).await;
    assert_eq!(bench.ids(State::Queued, "mail").await, ["a", "b"]);
    let found = bench.client.find("a", 0).await.expect("found").remove(0);
    assert_eq!(found.task.expect("readable").hard_timeout, Some(9.0));
    bench.finish().await;
}

#[tokio::test]
async fn a_bad_queue_name_anywhere_in_a_bulk_enqueues_nothing() {
    let bench = Bench::new().await;
    let tasks = [NewTask::new("mail", a_task("a")), NewTask::new("a:b", a_task("b"))];
    let refused = bench.client.enqueue(tasks, bench.now).await;
    assert!(matches!(refused, Err(Error::Name(_))), "{refused:?}");
    assert!(bench.client.queues().await.expect("queues").is_empty());
    bench.finish().await;
}

fn at_most(most: u32, id: &str) -> Task {
    Task { max_queue_size: Some(most), ..a_task(id) }
}

#[tokio::test]
async fn a_full_queue_takes_none_of_a_calls_tasks() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    bench.claim_one("mail").await;
    bench.schedule("mail", "b", bench.now + 9.0).await;
    let both = ["c", "d"].map(|id| NewTask::new("mail", at_most(3, id)));
    let refused = bench.client.enqueue(both, bench.now).await.expect_err("full");
    let Error::QueueFull { queue, size, limit } = &refused else { panic!("{refused}") };
    assert_eq!((queue.as_str(), *size, *limit), ("mail", 2, 3));
    assert!(bench.ids(State::Queued, "mail").await.is_empty());
    bench.enqueue_task("mail", at_most(3, "c")).await;
    assert_eq!(bench.ids(State::Queued, "mail").await, ["c"]);
    bench.finish().await;
}

#[tokio::test]
async fn a_task_that_is_in_the_full_queue_already_may_be_enqueued_again() {
    let bench = Bench::new().await;
    let unique = Task { unique: true, ..at_most(1, "a") };
    bench.enqueue_task("mail", unique.clone()).await;
    bench.enqueue_task("mail", unique.clone()).await;
    let scheduled = NewTask { due: Some(bench.now + 9.0), ..NewTask::new("mail", unique) };
    assert!(bench.client.enqueue([scheduled], bench.now).await.is_err(), "another place is room taken");
    bench.finish().await;
}

#[tokio::test]
async fn what_one_call_enqueues_counts_for_its_later_tasks() {
    let bench = Bench::new().await;
    let later = NewTask { due: Some(bench.now + 9.0), ..NewTask::new("mail", at_most(2, "b")) };
    let tasks = [NewTask::new("mail", at_most(2, "a")), later, NewTask::new("mail", at_most(2, "c"))];
    assert!(bench.client.enqueue(tasks, bench.now).await.is_err());
    assert!(bench.client.queues().await.expect("queues").is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn failed_tasks_take_up_no_room() {
    let bench = Bench::new().await;
    bench.enqueue_task("mail", at_most(1, "a")).await;
    let claim = bench.claim_one("mail").await;
    bench.settle(&claim, Verdict::Error { execution: an_execution() }).await;
    bench.enqueue_task("mail", at_most(1, "b")).await;
    bench.finish().await;
}

#[tokio::test]
async fn what_is_in_its_place_already_takes_up_no_room_twice() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let again = NewTask::new("mail", a_task("a"));
    let limited = NewTask::new("mail", at_most(2, "b"));
    bench
        .client
        .enqueue([again, limited.clone(), limited], bench.now)
        .await
        .expect("there is room for one more");
    assert_eq!(bench.ids(State::Queued, "mail").await, ["a", "b"]);
    bench.finish().await;
}
