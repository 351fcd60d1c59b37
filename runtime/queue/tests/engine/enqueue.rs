use queue::{Error, NewTask, State};
use task::Task;

use crate::Bench;
use crate::bench::a_task;

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
