use queue::{Settled, State};

use crate::Bench;
use crate::bench::{a_task, done};

#[tokio::test]
async fn a_heartbeat_moves_the_lease_to_the_new_time() {
    let mut bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let mut claim = bench.claim_one("mail").await;
    bench.now += 10.0;
    assert!(bench.heartbeat(std::slice::from_ref(&claim.lease)).await.is_empty());
    assert_eq!(bench.settle(&claim, done()).await, Settled::Lost, "the old score proves nothing now");
    claim.lease.score = bench.now;
    assert_eq!(bench.settle(&claim, done()).await, Settled::Done);
    bench.finish().await;
}

#[tokio::test]
async fn a_heartbeat_may_be_repeated_when_its_answer_was_lost() {
    let mut bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let claim = bench.claim_one("mail").await;
    bench.now += 10.0;
    assert!(bench.heartbeat(std::slice::from_ref(&claim.lease)).await.is_empty());
    assert!(bench.repeat_heartbeat(std::slice::from_ref(&claim.lease)).await.is_empty());
    assert_eq!(bench.heartbeat(std::slice::from_ref(&claim.lease)).await, [0], "the old score is void");
    bench.finish().await;
}

#[tokio::test]
async fn a_stale_lease_does_not_take_the_claim_of_a_fresh_one_with_it() {
    let mut bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let stale = bench.claim_one("mail").await;
    bench.settle(&stale, task::Verdict::Requeue { at: None, redeliveries: 1 }).await;
    bench.now += 1.0;
    let fresh = bench.claim_one("mail").await;
    bench.now += 10.0;
    assert_eq!(bench.heartbeat(std::slice::from_ref(&stale.lease)).await, [0]);
    assert_eq!(bench.settle(&stale, done()).await, Settled::Lost);
    let claims = bench.client.claims(&bench.worker).await.expect("claims");
    assert_eq!(claims, [fresh.lease], "whoever finds this worker gone must find the task");
    bench.finish().await;
}

#[tokio::test]
async fn a_heartbeat_names_the_leases_that_are_lost() {
    let mut bench = Bench::new().await;
    for id in ["a", "b"] {
        bench.enqueue("mail", id).await;
    }
    let claims = bench.claim(&["mail"], 2).await;
    assert_eq!(bench.settle(&claims[0], done()).await, Settled::Done);
    bench.now += 10.0;
    let leases: Vec<_> = claims.iter().map(|claim| claim.lease.clone()).collect();
    assert_eq!(bench.heartbeat(&leases).await, [0]);
    bench.finish().await;
}

#[tokio::test]
async fn a_late_heartbeat_does_not_revive_a_finished_task() {
    let mut bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let claim = bench.claim_one("mail").await;
    bench.settle(&claim, done()).await;
    bench.now += 10.0;
    bench.heartbeat(&[claim.lease]).await;
    assert!(bench.ids(State::Active, "mail").await.is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn a_lost_lease_cannot_settle() {
    let mut bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let stale = bench.claim_one("mail").await;
    bench.settle(&stale, task::Verdict::Requeue { at: None, redeliveries: 0 }).await;
    bench.now += 1.0;
    let fresh = bench.claim_one("mail").await;
    assert_eq!(bench.settle(&stale, done()).await, Settled::Lost);
    assert_eq!(bench.ids(State::Active, "mail").await, ["a"]);
    // The stale attempt must not have taken the claim of the same worker away from the fresh lease.
    assert_eq!(bench.settle(&fresh, done()).await, Settled::Done);
    bench.finish().await;
}

#[tokio::test]
async fn a_stale_settlement_of_a_bulk_leaves_the_others_alone() {
    let bench = Bench::new().await;
    for id in ["a", "b", "c"] {
        bench.enqueue_task("mail", a_task(id)).await;
    }
    let mut claims = bench.claim(&["mail"], 3).await;
    claims[1].lease.score -= 1.0;
    let settlements =
        claims.iter().map(|claim| queue::Settlement::new(claim.lease.clone(), None, done())).collect();
    assert_eq!(bench.settle_all(settlements).await, [Settled::Done, Settled::Lost, Settled::Done]);
    assert_eq!(bench.ids(State::Active, "mail").await, ["b"]);
    bench.finish().await;
}
