use queue::{Incarnation, Settled, Settlement, State};
use task::{Execution, Verdict};

use crate::Bench;
use crate::bench::{an_execution, done};

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

#[tokio::test]
async fn what_tasktigers_own_rule_put_into_error_is_taken_back() {
    let mut bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    bench.heartbeat(&[]).await;
    bench.claim_one("mail").await;
    vanish(&bench).await;
    bench.now += 61.0;
    // What a Python worker does with an active task that nobody was heard of for a minute.
    for words in [["SREM", "t:active", "mail"], ["SADD", "t:error", "mail"], ["DEL", "t:active:mail", "x"]] {
        bench.says(&words).await;
    }
    bench.says(&["ZADD", "t:error:mail", &bench.now.to_string(), "a"]).await;

    let orphans = bench.client.orphans(&Incarnation::fresh()).await.expect("looked").remove(0);
    let claim = &orphans.claims[0];
    let requeue = Verdict::Requeue { at: None, redeliveries: 1 };
    let settlement = Settlement::new(claim.lease.clone(), claim.task.as_ref().ok(), requeue);
    bench.client.settle(&orphans.worker, &mut [settlement], bench.now).await.expect("settled");
    assert_eq!(bench.ids(State::Queued, "mail").await, ["a"]);
    assert!(bench.ids(State::Error, "mail").await.is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn a_task_that_failed_by_itself_since_stays_in_error() {
    let mut bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    bench.heartbeat(&[]).await;
    let stale = bench.claim_one("mail").await;
    vanish(&bench).await;
    bench.now += 61.0;
    let execution = Execution { time_failed: bench.now, ..an_execution() };
    let failed = Settlement::new(stale.lease, stale.task.as_ref().ok(), Verdict::Error { execution });
    // As whoever reaps does: in nobody's name, so that the claim stays.
    bench.client.settle(&Incarnation::fresh(), &mut [failed], bench.now).await.expect("settled");
    assert!(bench.client.orphans(&Incarnation::fresh()).await.expect("looked").is_empty());
    assert_eq!(bench.ids(State::Error, "mail").await, ["a"]);
    bench.finish().await;
}

#[tokio::test]
async fn tasks_that_nobody_was_heard_of_for_long_are_found_whoever_claimed_them() {
    let mut bench = Bench::new().await;
    for id in ["old", "new"] {
        bench.enqueue("mail", id).await;
        bench.claim_one("mail").await;
        bench.now += 40.0;
    }
    let expired = bench.client.expired(bench.now - 60.0, 9).await.expect("looked");
    assert_eq!(crate::bench::ids(&expired), ["old"]);
    bench.finish().await;
}

#[tokio::test]
async fn clocks_that_are_30_seconds_apart_take_nothing_from_the_living() {
    for skew in [-30.0, 30.0] {
        let mut bench = Bench::new().await;
        bench.enqueue("mail", "a").await;
        bench.heartbeat(&[]).await;
        let claim = bench.claim_one("mail").await;
        bench.now += 10.0;
        let theirs = bench.now + skew;
        assert!(bench.client.orphans(&Incarnation::fresh()).await.expect("looked").is_empty());
        assert!(bench.client.expired(theirs - 60.0, 9).await.expect("looked").is_empty());
        assert_eq!(bench.settle(&claim, done()).await, Settled::Done);
        bench.finish().await;
    }
}
