use queue::{Beat, Claim, Incarnation, Lock, Locking, NotRenewed, Settlement, State};
use task::{Task, Verdict};

use crate::Bench;
use crate::bench::{HOLD, a_task, beat, done, presence};

const USER: &str = "the-hash-of-a-user";

impl Bench {
    /// Takes the lock for each claim, or lets it wait for a second.
    async fn lock(&self, claims: &[Claim], run: u64) -> Vec<bool> {
        let wanted: Vec<_> = claims
            .iter()
            .zip(run..)
            .map(|(claim, run)| (Lock::of_run(USER.to_owned(), &self.worker, run), &claim.lease))
            .collect();
        let locking = Locking { hold: HOLD, due_again: self.now + 1.0 };
        self.client.lock(&self.worker, &wanted, locking).await.expect("asked for locks")
    }

    async fn holder(&self) -> Vec<String> {
        self.says(&["GET", &self.client.keys().lock(USER)]).await
    }

    fn settlement(&self, claim: &Claim, verdict: Verdict, run: u64) -> Settlement {
        let lock = Some(Lock::of_run(USER.to_owned(), &self.worker, run));
        Settlement { lock, ..Settlement::new(claim.lease.clone(), claim.task.as_ref().ok(), verdict) }
    }
}

async fn with_tasks(ids: &[&str]) -> Bench {
    let bench = Bench::new().await;
    for id in ids {
        bench.enqueue_task("mail", Task { lock: true, ..a_task(id) }).await;
    }
    bench
}

#[tokio::test]
async fn a_lock_is_a_text_with_an_expiry_as_redis_py_has_it() {
    let bench = with_tasks(&["a"]).await;
    let claims = bench.claim(&["mail"], 1).await;
    assert_eq!(bench.lock(&claims, 1).await, [true]);
    assert_eq!(bench.holder().await, [format!("{}:1", bench.worker)]);
    let ttl: u64 = bench.says(&["PTTL", "t:lockv2:the-hash-of-a-user"]).await[0].parse().expect("a number");
    assert!((50_000..=60_000).contains(&ttl), "{ttl}");
    bench.finish().await;
}

#[tokio::test]
async fn a_task_that_meets_a_lock_waits_in_scheduled() {
    let bench = with_tasks(&["a", "b"]).await;
    let claims = bench.claim(&["mail"], 2).await;
    assert_eq!(bench.lock(&claims, 1).await, [true, false]);
    let found = bench.client.find("b", 0).await.expect("found").remove(0);
    assert_eq!((found.state, found.score), (State::Scheduled, bench.now + 1.0));
    assert_eq!(bench.client.claims(&bench.worker).await.expect("claims").len(), 1);
    bench.finish().await;
}

#[tokio::test]
async fn a_call_for_locks_may_be_repeated() {
    let bench = with_tasks(&["a", "b"]).await;
    let claims = bench.claim(&["mail"], 2).await;
    bench.lock(&claims, 1).await;
    assert_eq!(bench.lock(&claims, 1).await, [true, false]);
    bench.finish().await;
}

#[tokio::test]
async fn settling_frees_the_lock_and_wakes_who_has_waited_longest() {
    let mut bench = with_tasks(&["a", "b", "c"]).await;
    let claims = bench.claim(&["mail"], 3).await;
    assert_eq!(bench.lock(&claims, 1).await, [true, false, false]);
    bench.enqueue("mail", "d").await;
    bench.now += 0.1;
    bench.settle_all(vec![bench.settlement(&claims[0], done(), 1)]).await;
    assert!(bench.holder().await.is_empty());
    assert_eq!(bench.ids(State::Queued, "mail").await, ["b", "d"], "at the head: its turn had come");
    assert_eq!(bench.ids(State::Scheduled, "mail").await, ["c"]);
    bench.finish().await;
}

#[tokio::test]
async fn somebody_elses_lock_is_not_freed() {
    let bench = with_tasks(&["a", "b"]).await;
    let claims = bench.claim(&["mail"], 2).await;
    bench.lock(&claims, 1).await;
    bench.says(&["SET", "t:lockv2:the-hash-of-a-user", "a-token-of-python"]).await;
    bench.settle_all(vec![bench.settlement(&claims[0], done(), 1)]).await;
    assert_eq!(bench.holder().await, ["a-token-of-python"]);
    assert_eq!(bench.ids(State::Scheduled, "mail").await, ["b"]);
    bench.finish().await;
}

#[tokio::test]
async fn a_lost_lease_still_gives_its_lock_back() {
    let bench = with_tasks(&["a"]).await;
    let mut claims = bench.claim(&["mail"], 1).await;
    bench.lock(&claims, 1).await;
    claims[0].lease.score += 1.0;
    bench.settle_all(vec![bench.settlement(&claims[0], done(), 1)]).await;
    assert!(bench.holder().await.is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn a_waiter_that_was_deleted_or_planned_anew_is_passed_over() {
    let bench = with_tasks(&["a", "b", "c", "d"]).await;
    let claims = bench.claim(&["mail"], 4).await;
    assert_eq!(bench.lock(&claims, 1).await, [true, false, false, false]);
    let found = bench.client.find("b", 0).await.expect("found").remove(0);
    assert!(bench.client.delete(&found).await.expect("deleted"));
    bench.says(&["ZADD", "t:scheduled:mail", "9000000", "c"]).await;
    bench.settle_all(vec![bench.settlement(&claims[0], done(), 1)]).await;
    assert_eq!(bench.ids(State::Queued, "mail").await, ["d"]);
    assert_eq!(bench.ids(State::Scheduled, "mail").await, ["c"]);
    bench.finish().await;
}

#[tokio::test]
async fn a_heartbeat_renews_locks_and_says_which_are_somebody_elses() {
    let bench = with_tasks(&["a"]).await;
    let claims = bench.claim(&["mail"], 1).await;
    bench.lock(&claims, 1).await;
    let locks = [Lock::of_run(USER.to_owned(), &bench.worker, 1)];
    let presence = presence();
    let renew = async || {
        let beat = Beat { locks: &locks, ..beat(&presence) };
        bench.client.heartbeat(&bench.worker, beat, bench.now).await.expect("a heartbeat")
    };
    let key = bench.client.keys().lock(USER);
    bench.says(&["PEXPIRE", &key, "5000"]).await;
    assert_eq!(renew().await, NotRenewed::default());
    let ttl: u64 = bench.says(&["PTTL", &key]).await[0].parse().expect("a number");
    assert!(ttl > 50_000, "{ttl}");
    bench.says(&["DEL", &key]).await;
    assert_eq!(renew().await, NotRenewed::default(), "one that has expired is taken again");
    bench.says(&["SET", &key, "somebody"]).await;
    assert_eq!(renew().await.locks, [0]);
    bench.finish().await;
}

#[tokio::test]
async fn whoever_takes_back_a_vanished_workers_task_frees_its_lock() {
    let mut bench = with_tasks(&["a", "b"]).await;
    bench.heartbeat(&[]).await;
    let claims = bench.claim(&["mail"], 2).await;
    bench.lock(&claims, 1).await;
    bench.client.leave(&bench.worker).await.expect("left");
    bench.now += 0.5;
    let orphans = bench.client.orphans(&Incarnation::fresh()).await.expect("looked").remove(0);
    let claim = &orphans.claims[0];
    let verdict = Verdict::Requeue { at: None, redeliveries: 1 };
    let lock = Some(Lock::of_worker(USER.to_owned(), &orphans.worker));
    let settlement =
        Settlement { lock, ..Settlement::new(claim.lease.clone(), claim.task.as_ref().ok(), verdict) };
    bench.client.settle(&orphans.worker, &mut [settlement], bench.now).await.expect("settled");
    assert!(bench.holder().await.is_empty());
    assert_eq!(bench.ids(State::Queued, "mail").await, ["a", "b"]);
    bench.finish().await;
}

#[tokio::test]
async fn a_run_that_is_not_settled_releases_its_lock() {
    let bench = with_tasks(&["a", "b"]).await;
    let claims = bench.claim(&["mail"], 2).await;
    bench.lock(&claims, 1).await;
    let lock = Lock::of_run(USER.to_owned(), &bench.worker, 1);
    bench.client.release(&[lock], &[], bench.now).await.expect("released");
    assert_eq!(bench.ids(State::Queued, "mail").await, ["b"]);
    bench.finish().await;
}

#[tokio::test]
async fn a_run_does_not_free_the_lock_of_another_whose_number_begins_like_its_own() {
    let bench = with_tasks(&["a"]).await;
    let claims = bench.claim(&["mail"], 1).await;
    assert_eq!(bench.lock(&claims, 12).await, [true]);
    let lock = |run| [Lock::of_run(USER.to_owned(), &bench.worker, run)];
    bench.client.release(&lock(1), &[], bench.now).await.expect("released");
    assert_eq!(bench.holder().await, [format!("{}:12", bench.worker)]);
    bench.client.release(&lock(12), &[], bench.now).await.expect("released");
    assert!(bench.holder().await.is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn a_lock_is_not_taken_for_a_task_that_is_somebody_elses_by_now() {
    let bench = with_tasks(&["a"]).await;
    let mut claims = bench.claim(&["mail"], 1).await;
    claims[0].lease.score += 1.0;
    assert_eq!(bench.lock(&claims, 1).await, [false]);
    assert!(bench.holder().await.is_empty());
    bench.finish().await;
}
