//! Queues with a limit, and queues that are closed.

use std::slice::from_ref;

use queue::{Beat, Event, Incarnation, Seat, Settlement, Source, State, UNTIL_UNLOCKED};

use crate::Bench;
use crate::bench::{beat, done, ids, presence};

fn limited(seats: usize, batch: usize) -> Source<'static> {
    Source { queue: "mail", seats: Some(seats), batch }
}

async fn with_tasks(n: usize) -> Bench {
    let bench = Bench::new().await;
    for id in 0..n {
        bench.enqueue("mail", &format!("t{id}")).await;
    }
    bench
}

#[tokio::test]
async fn a_queue_gives_no_more_tasks_than_it_has_seats() {
    let bench = with_tasks(5).await;
    assert_eq!(ids(&bench.claim_from(&[limited(2, 1)], 9).await), ["t0", "t1"]);
    assert!(bench.claim_as(&Incarnation::fresh(), &[limited(2, 1)], 9).await.is_empty());
    let taken = bench.client.seats("mail").await.expect("seats");
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0], (bench.worker.seat("t0"), bench.now + 60.0));
    bench.finish().await;
}

#[tokio::test]
async fn a_batch_has_one_seat() {
    let bench = with_tasks(7).await;
    assert_eq!(bench.claim_from(&[limited(2, 3)], 9).await.len(), 6);
    let names: Vec<String> =
        bench.client.seats("mail").await.expect("seats").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [bench.worker.seat("t0"), bench.worker.seat("t3")]);
    bench.finish().await;
}

#[tokio::test]
async fn seats_of_tasktigers_workers_count_until_they_expire() {
    let mut bench = with_tasks(2).await;
    let until = (bench.now + 60.0).to_string();
    bench.says(&["ZADD", "t:qslock:mail", &until, "a-worker-of-tasktigers"]).await;
    assert!(bench.claim_from(&[limited(1, 1)], 9).await.is_empty());
    bench.now += 61.0;
    assert_eq!(bench.claim_from(&[limited(1, 1)], 9).await.len(), 1);
    bench.finish().await;
}

#[tokio::test]
async fn settling_gives_the_seat_back_and_says_that_there_is_work() {
    let bench = with_tasks(2).await;
    let claim = bench.claim_from(&[limited(1, 1)], 9).await.remove(0);
    let mut activity = bench.client.listen(vec![bench.client.keys().activity()]).await.expect("listening");
    let seat = Some(Seat { queue: "mail".to_owned(), name: bench.worker.seat("t0") });
    let settlement =
        Settlement { seat, ..Settlement::new(claim.lease.clone(), claim.task.as_ref().ok(), done()) };
    bench.settle_all(vec![settlement]).await;
    assert_eq!(activity.next().await, Event::Queued("mail".to_owned()));
    assert_eq!(ids(&bench.claim_from(&[limited(1, 1)], 9).await), ["t1"]);
    bench.finish().await;
}

#[tokio::test]
async fn all_seats_of_a_vanished_worker_are_given_back_and_nobody_elses() {
    let bench = with_tasks(3).await;
    bench.claim_from(&[limited(3, 1)], 2).await;
    let other = Incarnation::fresh();
    bench.claim_as(&other, &[limited(3, 1)], 1).await;
    let seats = Seat { queue: "mail".to_owned(), name: bench.worker.all_seats() };
    bench.client.release(&[], &[seats], bench.now).await.expect("released");
    let left = bench.client.seats("mail").await.expect("seats");
    assert_eq!(left, [(other.seat("t2"), bench.now + 60.0)]);
    bench.finish().await;
}

#[tokio::test]
async fn a_heartbeat_keeps_a_seat() {
    let mut bench = with_tasks(2).await;
    bench.claim_from(&[limited(1, 1)], 9).await;
    bench.now += 50.0;
    let seat = Seat { queue: "mail".to_owned(), name: bench.worker.seat("t0") };
    let presence = presence();
    let beat = Beat { seats: from_ref(&seat), ..beat(&presence) };
    bench.client.heartbeat(&bench.worker, beat, bench.now).await.expect("a heartbeat");
    bench.now += 50.0;
    assert!(bench.claim_from(&[limited(1, 1)], 9).await.is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn a_closed_queue_gives_nothing_until_its_time_or_until_it_is_opened() {
    let mut bench = with_tasks(2).await;
    bench.client.lock_queue("mail", bench.now + 30.0, bench.now).await.expect("locked");
    assert_eq!(bench.client.queue_lock("mail", bench.now).await.expect("asked"), Some(bench.now + 30.0));
    assert!(bench.claim(&["mail"], 1).await.is_empty());
    assert_eq!(bench.ids(State::Queued, "mail").await.len(), 2);
    bench.now += 31.0;
    assert_eq!(bench.claim(&["mail"], 1).await.len(), 1);

    bench.client.lock_queue("mail", UNTIL_UNLOCKED, bench.now).await.expect("locked");
    assert!(bench.claim_from(&[limited(5, 1)], 1).await.is_empty());
    let mut activity = bench.client.listen(vec![bench.client.keys().activity()]).await.expect("listening");
    assert!(bench.client.unlock_queue("mail", bench.now).await.expect("unlocked"));
    assert_eq!(activity.next().await, Event::Queued("mail".to_owned()));
    assert_eq!(bench.claim(&["mail"], 1).await.len(), 1);
    bench.finish().await;
}

#[tokio::test]
async fn locked_queues_are_listed_while_they_are_locked() {
    let mut bench = Bench::new().await;
    for queue in ["mail", "words"] {
        bench.client.lock_queue(queue, bench.now + 30.0, bench.now).await.expect("locked");
    }
    bench.client.unlock_queue("words", bench.now).await.expect("unlocked");
    let listed = bench.client.locked_queues(bench.now).await.expect("listed");
    assert_eq!(listed, [("mail".to_owned(), bench.now + 30.0)]);
    bench.now += 31.0;
    assert!(bench.client.locked_queues(bench.now).await.expect("listed").is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn seats_do_not_shorten_the_lock_of_a_queue() {
    let bench = with_tasks(1).await;
    bench.claim_from(&[limited(1, 1)], 1).await;
    bench.client.lock_queue("mail", bench.now + 5000.0, bench.now).await.expect("locked");
    let seat = Seat { queue: "mail".to_owned(), name: bench.worker.seat("t0") };
    let presence = presence();
    let beat = Beat { seats: from_ref(&seat), ..beat(&presence) };
    bench.client.heartbeat(&bench.worker, beat, bench.now).await.expect("a heartbeat");
    let ttl: u64 = bench.says(&["TTL", "t:qslock:mail"]).await[0].parse().expect("a number");
    assert!(ttl > 4000, "{ttl}");
    bench.finish().await;
}
