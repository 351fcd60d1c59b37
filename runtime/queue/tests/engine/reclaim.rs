use queue::{Incarnation, Settled, Settlement, State};
use task::Verdict;

use crate::Bench;
use crate::bench::done;

async fn vanish(bench: &Bench) {
    bench.client.leave(&bench.worker).await.expect("left");
}

#[tokio::test]
async fn what_a_present_worker_holds_is_not_found() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    bench.heartbeat(&[]).await;
    bench.claim_one("mail").await;
    assert!(bench.client.orphans(&Incarnation::fresh()).await.expect("looked").is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn what_a_vanished_worker_held_can_be_taken_back_once() {
    let mut bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    bench.heartbeat(&[]).await;
    let stale = bench.claim_one("mail").await;
    vanish(&bench).await;
    bench.now += 1.0;

    let orphans = bench.client.orphans(&Incarnation::fresh()).await.expect("looked").remove(0);
    assert_eq!(orphans.worker, bench.worker);
    let orphan = &orphans.claims[0];
    let requeue = || {
        let verdict = Verdict::Requeue { at: None, redeliveries: 1 };
        vec![Settlement::new(orphan.lease.clone(), orphan.task.as_ref().ok(), verdict)]
    };
    assert_eq!(bench.settle_all(requeue()).await, [Settled::Done]);
    assert_eq!(bench.settle_all(requeue()).await, [Settled::Lost], "a second finder is too late");
    assert_eq!(bench.ids(State::Queued, "mail").await, ["a"]);

    let other = Bench { worker: Incarnation::fresh(), ..bench };
    let fresh = other.claim_one("mail").await;
    assert_eq!(other.settle(&stale, done()).await, Settled::Lost);
    assert_eq!(other.settle(&fresh, done()).await, Settled::Done);
    assert!(other.client.orphans(&Incarnation::fresh()).await.expect("looked").is_empty());
    other.finish().await;
}

#[tokio::test]
async fn a_claim_is_void_once_the_task_is_somebody_elses() {
    let mut bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    bench.heartbeat(&[]).await;
    let stale = bench.claim_one("mail").await;
    vanish(&bench).await;
    // A Python worker's reaper put it back, and another worker has it now.
    let mut elsewhere = redis::cmd("ZADD");
    elsewhere.arg(bench.client.keys().queue(State::Active, "mail")).arg(stale.lease.score + 60.0).arg("a");
    bench.client.command("take the task", &elsewhere).await.expect("taken");
    bench.now += 61.0;
    assert!(bench.client.orphans(&Incarnation::fresh()).await.expect("looked").is_empty());
    assert_eq!(bench.ids(State::Active, "mail").await, ["a"]);
    bench.finish().await;
}

#[tokio::test]
async fn an_orphan_without_a_payload_is_dropped() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    bench.heartbeat(&[]).await;
    bench.claim_one("mail").await;
    vanish(&bench).await;
    let mut delete = redis::cmd("DEL");
    delete.arg(bench.client.keys().payload("a"));
    bench.client.command("delete a payload", &delete).await.expect("deleted");
    assert!(bench.client.orphans(&Incarnation::fresh()).await.expect("looked").is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn a_worker_does_not_find_itself() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    bench.heartbeat(&[]).await;
    bench.claim_one("mail").await;
    vanish(&bench).await;
    assert!(bench.client.orphans(&bench.worker).await.expect("looked").is_empty());
    assert_eq!(bench.ids(State::Active, "mail").await, ["a"]);
    bench.finish().await;
}

#[tokio::test]
async fn a_worker_that_leaves_with_nothing_is_forgotten() {
    let bench = Bench::new().await;
    bench.heartbeat(&[]).await;
    bench.client.leave(&bench.worker).await.expect("left");
    assert_eq!(workers(&bench).await, redis::Value::Int(0));
    bench.finish().await;
}

#[tokio::test]
async fn a_vanished_worker_that_held_nothing_is_forgotten() {
    let bench = Bench::new().await;
    bench.heartbeat(&[]).await;
    let mut vanish = redis::cmd("DEL");
    vanish.arg(bench.client.keys().worker(bench.worker.as_str()));
    bench.client.command("let the worker vanish", &vanish).await.expect("deleted");
    assert_eq!(workers(&bench).await, redis::Value::Int(1));
    assert!(bench.client.orphans(&Incarnation::fresh()).await.expect("looked").is_empty());
    assert_eq!(workers(&bench).await, redis::Value::Int(0));
    bench.finish().await;
}

async fn workers(bench: &Bench) -> redis::Value {
    let mut count = redis::cmd("SCARD");
    count.arg(bench.client.keys().workers());
    bench.client.command("count workers", &count).await.expect("counted")
}
