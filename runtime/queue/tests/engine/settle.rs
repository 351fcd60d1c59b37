use std::time::Duration;

use queue::{Ended, Event, Kept, NewTask, Settled, Settlement, State};
use task::{Task, Verdict};

use crate::Bench;
use crate::bench::{a_task, an_execution, done};

#[tokio::test]
async fn a_finished_task_leaves_nothing_behind() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let claim = bench.claim_one("mail").await;
    assert_eq!(bench.settle(&claim, done()).await, Settled::Done);
    assert!(bench.client.queues().await.expect("queues").is_empty());
    assert!(bench.client.find("a", 1).await.expect("searched").is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn a_retry_waits_with_its_execution_recorded() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let claim = bench.claim_one("mail").await;
    let verdict = Verdict::Retry { at: bench.now + 60.0, execution: an_execution() };
    bench.settle(&claim, verdict).await;
    let found = bench.client.find("a", 9).await.expect("found").remove(0);
    assert_eq!((found.state, found.score), (State::Scheduled, bench.now + 60.0));
    assert_eq!(found.executions.len(), 1);
    assert_eq!(found.executions[0].exception_name, "margay:Cancelled");
    bench.finish().await;
}

#[tokio::test]
async fn a_claim_counts_the_failures_so_far() {
    let mut bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    for failures in 0..3 {
        let claim = bench.claim_one("mail").await;
        assert_eq!(claim.executions, failures);
        bench.settle(&claim, Verdict::Retry { at: bench.now + 1.0, execution: an_execution() }).await;
        bench.now += 1.0;
        bench.client.promote(&["mail"], bench.now).await.expect("promoted");
    }
    bench.finish().await;
}

#[tokio::test]
async fn only_the_latest_executions_are_kept_where_the_task_says_so() {
    let mut bench = Bench::new().await;
    bench.enqueue_task("mail", Task { max_stored_executions: Some(2), ..a_task("a") }).await;
    for _ in 0..4 {
        let claim = bench.claim_one("mail").await;
        bench.settle(&claim, Verdict::Retry { at: bench.now, execution: an_execution() }).await;
        bench.now += 1.0;
        bench.client.promote(&["mail"], bench.now).await.expect("promoted");
    }
    let found = bench.client.find("a", 9).await.expect("found").remove(0);
    assert_eq!(found.executions.len(), 2);
    assert_eq!(bench.claim_one("mail").await.executions, 4);
    bench.finish().await;
}

#[tokio::test]
async fn a_task_that_failed_for_good_is_kept_in_error() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let claim = bench.claim_one("mail").await;
    bench.settle(&claim, Verdict::Error { execution: an_execution() }).await;
    assert_eq!(bench.ids(State::Error, "mail").await, ["a"]);
    bench.finish().await;
}

#[tokio::test]
async fn a_quiet_failure_leaves_nothing_behind() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let claim = bench.claim_one("mail").await;
    bench.settle(&claim, Verdict::Forget { execution: an_execution() }).await;
    assert!(bench.client.find("a", 1).await.expect("searched").is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn a_requeued_task_counts_its_redeliveries_in_its_payload() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let claim = bench.claim_one("mail").await;
    bench.settle(&claim, Verdict::Requeue { at: None, redeliveries: 1 }).await;
    let again = bench.claim_one("mail").await;
    assert_eq!(again.task.expect("readable").margay.redeliveries, 1);
    assert_eq!(again.executions, 0, "coming back is no failure");
    bench.finish().await;
}

#[tokio::test]
async fn a_unique_task_queued_again_while_it_ran_stays_when_it_is_done() {
    let bench = Bench::new().await;
    let unique = Task { unique: true, ..a_task("a") };
    bench.enqueue_task("mail", unique.clone()).await;
    let claim = bench.claim_one("mail").await;
    bench.enqueue_task("mail", unique).await;
    bench.settle(&claim, done()).await;
    assert_eq!(bench.ids(State::Queued, "mail").await, ["a"]);
    assert_eq!(bench.claim(&["mail"], 1).await.len(), 1);
    bench.finish().await;
}

#[tokio::test]
async fn follow_ups_are_enqueued_with_the_end_of_their_task_or_not_at_all() {
    let bench = Bench::new().await;
    for id in ["a", "b"] {
        bench.enqueue("mail", id).await;
    }
    let mut claims = bench.claim(&["mail"], 2).await;
    claims[1].lease.score += 1.0;
    let settlements = claims.iter().zip(["c", "d"]).map(|(claim, follow_up)| Settlement {
        follow_ups: vec![NewTask::new("next", a_task(follow_up))],
        ..Settlement::new(claim.lease.clone(), claim.task.as_ref().ok(), done())
    });
    assert_eq!(bench.settle_all(settlements.collect()).await, [Settled::Done, Settled::Lost]);
    assert_eq!(bench.ids(State::Queued, "next").await, ["c"]);
    bench.finish().await;
}

#[tokio::test]
async fn a_requeued_task_may_have_to_wait() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let claim = bench.claim_one("mail").await;
    bench.settle(&claim, Verdict::Requeue { at: Some(bench.now + 2.0), redeliveries: 1 }).await;
    let found = bench.client.find("a", 0).await.expect("found").remove(0);
    assert_eq!((found.state, found.score), (State::Scheduled, bench.now + 2.0));
    bench.finish().await;
}

#[tokio::test]
async fn a_record_is_kept_and_its_end_is_told() {
    for ttl in [Duration::from_secs(60), Duration::MAX] {
        let bench = Bench::new().await;
        bench.enqueue("mail", "a").await;
        let mut activity = bench.client.listen_to_ends().await.expect("listening");
        let claim = bench.claim_one("mail").await;
        let settlement = Settlement {
            record: Some(Kept { record: a_record(bench.now), ttl }),
            ..Settlement::new(claim.lease.clone(), claim.task.as_ref().ok(), done())
        };
        bench.settle_all(vec![settlement]).await;
        assert_eq!(activity.next().await, Event::Ended("a".to_owned()));
        let ended = bench.client.ended(&["a"]).await.expect("read").remove(0).expect("a record");
        assert_eq!(ended.result.expect("a result").get(), "7");
        bench.finish().await;
    }
}

fn a_record(now: f64) -> Ended {
    Ended {
        id: "a".to_owned(),
        func: "mail:send".to_owned(),
        outcome: "finished".to_owned(),
        result: Some(serde_json::value::to_raw_value(&7).expect("json")),
        error: None,
        message: None,
        enqueued: None,
        due: None,
        started: now,
        ended: now,
        attempts: 1,
    }
}

#[tokio::test]
async fn runs_that_leave_much_behind_are_settled_in_several_calls() {
    let bench = Bench::new().await;
    let ids: Vec<String> = (0..4).map(|n| format!("parent{n}")).collect();
    for id in &ids {
        bench.enqueue("mail", id).await;
    }
    let claims = bench.claim(&["mail"], 4).await;
    let settlements = claims.iter().map(|claim| Settlement {
        follow_ups: (0..200)
            .map(|n| NewTask::new("next", a_task(&format!("{}-{n}", claim.lease.id))))
            .collect(),
        ..Settlement::new(claim.lease.clone(), claim.task.as_ref().ok(), done())
    });
    assert_eq!(bench.settle_all(settlements.collect()).await, [Settled::Done; 4]);
    assert_eq!(bench.client.queues().await.expect("queues")["next"].queued, 800);
    bench.finish().await;
}

#[tokio::test]
async fn a_follow_up_without_room_keeps_its_task_from_being_settled() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    bench.enqueue("next", "b").await;
    let claim = bench.claim_one("mail").await;
    let follow_up = NewTask::new("next", Task { max_queue_size: Some(1), ..a_task("c") });
    let settlement = Settlement {
        follow_ups: vec![follow_up],
        ..Settlement::new(claim.lease.clone(), claim.task.as_ref().ok(), done())
    };
    assert_eq!(bench.settle_all(vec![settlement]).await, [Settled::QueueFull]);
    assert_eq!(bench.ids(State::Active, "mail").await, ["a"]);
    assert_eq!(bench.ids(State::Queued, "next").await, ["b"]);
    bench.finish().await;
}

#[tokio::test]
async fn a_unique_tasks_retry_does_not_put_off_its_twin() {
    let bench = Bench::new().await;
    let unique = Task { unique: true, ..a_task("a") };
    bench.enqueue_task("mail", unique.clone()).await;
    let claim = bench.claim_one("mail").await;
    let twin = NewTask { due: Some(bench.now + 5.0), ..NewTask::new("mail", unique) };
    bench.client.enqueue([twin], bench.now).await.expect("scheduled");
    bench.settle(&claim, Verdict::Retry { at: bench.now + 60.0, execution: an_execution() }).await;
    assert_eq!(bench.client.find("a", 0).await.expect("found")[0].score, bench.now + 5.0);
    bench.finish().await;
}

#[tokio::test]
async fn a_task_that_is_left_to_others_goes_back_to_where_it_was() {
    let mut bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let queued = bench.now;
    bench.now += 9.0;
    bench.enqueue("mail", "b").await;
    let claim = bench.claim_one("mail").await;
    bench.settle(&claim, Verdict::Leave { queued }).await;
    assert_eq!(bench.ids(State::Queued, "mail").await, ["a", "b"]);
    bench.finish().await;
}

#[tokio::test]
async fn the_follow_ups_of_one_run_count_together() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let claim = bench.claim_one("mail").await;
    let limited = |id| NewTask::new("next", Task { max_queue_size: Some(2), ..a_task(id) });
    let settlement = Settlement {
        follow_ups: ["b", "c", "d"].map(limited).to_vec(),
        ..Settlement::new(claim.lease.clone(), claim.task.as_ref().ok(), done())
    };
    assert_eq!(bench.settle_all(vec![settlement]).await, [Settled::QueueFull]);
    assert!(bench.ids(State::Queued, "next").await.is_empty());
    bench.finish().await;
}
