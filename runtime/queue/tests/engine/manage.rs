use queue::{Event, Page, Place, State};
use task::{Filter, Task, Verdict};

use crate::Bench;
use crate::bench::{a_task, a_unique_task, an_execution, done, tasks};

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

#[tokio::test]
async fn only_a_scheduled_task_can_be_cancelled() {
    let bench = Bench::new().await;
    bench.schedule("mail", "a", bench.now + 60.0).await;
    bench.enqueue("mail", "b").await;
    let (later, queued) = (bench.find("a").await, bench.find("b").await);
    assert!(bench.client.cancel(&later).await.expect("cancelled"));
    assert!(!bench.client.cancel(&later).await.expect("asked"));
    assert!(!bench.client.cancel(&queued).await.expect("asked"));
    assert!(bench.ids(State::Scheduled, "mail").await.is_empty());
    assert_eq!(bench.ids(State::Queued, "mail").await, ["b"]);
    bench.finish().await;
}

#[tokio::test]
async fn cancelling_keeps_the_twin_that_is_queued() {
    let bench = Bench::new().await;
    bench.enqueue_task("mail", a_unique_task("a")).await;
    bench.schedule_task("mail", a_unique_task("a"), bench.now + 60.0).await;
    let later = bench.find_in(State::Scheduled, "a").await;
    assert!(bench.client.cancel(&later).await.expect("cancelled"));
    assert!(bench.claim_one("mail").await.task.is_ok());
    bench.finish().await;
}

#[tokio::test]
async fn deleting_many_keeps_their_twins_and_what_runs() {
    let bench = Bench::new().await;
    for id in ["a", "b", "c"] {
        bench.fail("mail", vec![a_unique_task(id)], "smtp").await;
    }
    bench.enqueue_task("mail", a_unique_task("a")).await;
    let running = bench.claim_one("mail").await;
    bench.schedule_task("mail", a_unique_task("b"), bench.now + 60.0).await;
    let mut places = places(&bench, State::Error, "mail").await;
    places.extend(self::places(&bench, State::Active, "mail").await);
    assert_eq!(bench.client.delete_all(&places).await.expect("deleted"), 3);
    assert_eq!(bench.ids(State::Active, "mail").await, ["a"]);
    let twin = bench.find("b").await;
    assert!(twin.task.is_ok() && twin.executions.is_empty());
    assert!(bench.client.find("c", 0).await.expect("an answer").is_empty());
    bench.settle(&running, done()).await;
    bench.finish().await;
}

#[tokio::test]
async fn what_has_moved_since_it_was_found_is_left_alone() {
    let mut bench = Bench::new().await;
    bench.fail("mail", vec![a_task("a")], "smtp").await;
    let (stale, found) = (places(&bench, State::Error, "mail").await, bench.find("a").await);
    bench.client.retry(&found, bench.now).await.expect("retried");
    bench.now += 9.0;
    bench.fail_queued("mail", 1, "other").await;
    assert_eq!(bench.client.delete_all(&stale).await.expect("asked"), 0);
    assert_eq!(bench.client.retry_all(&stale, bench.now).await.expect("asked"), 0);
    assert!(!bench.client.delete(&found).await.expect("asked"));
    assert_eq!(bench.find("a").await.executions.len(), 2);
    bench.finish().await;
}

#[tokio::test]
async fn many_that_are_retried_keep_their_order() {
    let mut bench = Bench::new().await;
    bench.fail("mail", tasks(700), "smtp").await;
    let mut failed = places(&bench, State::Error, "mail").await;
    failed.reverse();
    bench.now += 1.0;
    assert_eq!(bench.client.retry_all(&failed, bench.now).await.expect("retried"), 700);
    let order: Vec<&str> = failed.iter().map(|place| place.id.as_str()).collect();
    assert_eq!(bench.ids_of(State::Queued, "mail", 700).await, order);
    bench.finish().await;
}

#[tokio::test]
async fn a_retry_of_many_announces_each_queue_once() {
    let bench = Bench::new().await;
    bench.fail("mail", tasks(3), "smtp").await;
    bench.fail("pages", vec![a_task("a"), a_task("b")], "smtp").await;
    let mut failed = places(&bench, State::Error, "mail").await;
    failed.extend(places(&bench, State::Error, "pages").await);
    let mut activity = bench.client.listen(vec![bench.client.keys().activity()]).await.expect("listening");
    assert_eq!(bench.client.retry_all(&failed, bench.now).await.expect("retried"), 5);
    bench.enqueue("last", "z").await;
    for queue in ["mail", "pages", "last"] {
        assert_eq!(activity.next().await, Event::Queued(queue.to_owned()));
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_retry_of_many_forgives_and_leaves_a_waiting_twin_its_payload() {
    let bench = Bench::new().await;
    let poison = |task: Task| {
        let mut task = task;
        task.margay.redeliveries = 5;
        task
    };
    bench.fail("mail", vec![poison(a_task("a")), poison(a_unique_task("b"))], "smtp").await;
    let newer = Task { hard_timeout: Some(9.0), ..a_unique_task("b") };
    bench.schedule_task("mail", newer, bench.now + 60.0).await;
    let failed = places(&bench, State::Error, "mail").await;
    assert_eq!(bench.client.retry_all(&failed, bench.now).await.expect("retried"), 2);
    let claims = bench.claim(&["mail"], 2).await;
    let read = |n: usize| claims[n].task.as_ref().expect("readable");
    assert_eq!((read(0).margay.redeliveries, read(1).hard_timeout), (0, Some(9.0)));
    bench.finish().await;
}

#[tokio::test]
async fn a_purge_stops_at_its_limit_and_misses_nothing_without_one() {
    let bench = Bench::new().await;
    bench.fail("mail", tasks(1500), "smtp").await;
    bench.fail("pages", vec![a_task("z")], "smtp").await;
    let purge = async |limit| bench.client.purge(Filter::default(), None, limit).await.expect("purged");
    assert_eq!(purge(700).await, 700);
    assert_eq!(bench.ids_of(State::Error, "mail", 1).await, ["0700"]);
    assert_eq!(purge(5000).await, 801);
    assert_eq!(purge(5000).await, 0);
    assert!(bench.client.queues().await.expect("queues").is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn a_purge_takes_old_tasks_of_the_queues_that_are_meant() {
    let mut bench = Bench::new().await;
    for (queue, id) in [("mail", "a"), ("mail.acme", "b"), ("mail.acme.eu", "c"), ("pages", "d")] {
        bench.fail(queue, vec![a_task(id)], "smtp").await;
    }
    bench.now += 60.0;
    bench.fail("mail", vec![a_task("e")], "smtp").await;
    let only = vec!["mail".to_owned(), "mail.acme.eu".to_owned()];
    let queues = Filter { only, exclude: vec!["mail.acme".to_owned()] };
    let purged = bench.client.purge(queues, Some(bench.now - 60.0), 5000).await.expect("purged");
    assert_eq!(purged, 2);
    for (queue, left) in [("mail", "e"), ("mail.acme", "b"), ("pages", "d")] {
        assert_eq!(bench.ids(State::Error, queue).await, [left]);
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_purge_takes_tasks_without_a_payload_and_leaves_twins() {
    let bench = Bench::new().await;
    bench.fail("mail", vec![a_task("a"), a_unique_task("b")], "smtp").await;
    bench.enqueue_task("mail", a_unique_task("b")).await;
    let mut delete = redis::cmd("DEL");
    delete.arg(bench.client.keys().payload("a"));
    bench.client.command("delete a payload", &delete).await.expect("deleted");
    assert_eq!(bench.client.purge(Filter::default(), None, 9).await.expect("purged"), 2);
    assert_eq!(bench.claim(&["mail"], 9).await.len(), 1);
    bench.finish().await;
}

async fn places(bench: &Bench, state: State, queue: &str) -> Vec<Place> {
    let page = Page { limit: 1000, ..Page::default() };
    let listing = bench.client.list(queue, state, page).await.expect("a listing");
    listing.tasks.iter().map(queue::Found::place).collect()
}
