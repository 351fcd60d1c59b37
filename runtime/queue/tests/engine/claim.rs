use queue::{Asked, Incarnation, Source, State};
use task::{BadPayload, Verdict};

use crate::Bench;
use crate::bench::{HOLD, a_task, an_execution, ids};

#[tokio::test]
async fn a_claim_takes_the_oldest_first_and_makes_them_active() {
    let mut bench = Bench::new().await;
    for id in ["c", "a", "b"] {
        bench.enqueue("mail", id).await;
        bench.now += 1.0;
    }
    let claims = bench.claim(&["mail"], 2).await;
    assert_eq!(ids(&claims), ["c", "a"]);
    assert_eq!(claims[0].lease.score, bench.now);
    assert_eq!(bench.ids(State::Active, "mail").await, ["a", "c"]);
    assert_eq!(bench.ids(State::Queued, "mail").await, ["b"]);
    bench.finish().await;
}

#[tokio::test]
async fn queues_share_a_claim_and_fill_up_what_others_leave() {
    let bench = Bench::new().await;
    for n in 0..10 {
        bench.enqueue("big", &format!("big{n}")).await;
    }
    bench.enqueue("small", "small0").await;
    let claims = bench.claim(&["big", "small"], 8).await;
    assert_eq!(claims.len(), 8);
    assert!(ids(&claims).contains(&"small0"));
    bench.finish().await;
}

#[tokio::test]
async fn a_claim_says_which_queues_have_more() {
    let bench = Bench::new().await;
    for id in ["a", "b"] {
        bench.enqueue("long", id).await;
    }
    bench.enqueue("short", "c").await;
    let asked = Asked { batches: 2, due_again: bench.now, seat: HOLD };
    let claimed = bench
        .client
        .claim(&bench.worker, &["long", "short", "none"].map(Source::unlimited), asked, bench.now)
        .await
        .expect("claimed");
    let more: Vec<_> = claimed.iter().map(|queue| (queue.queue.as_str(), queue.more)).collect();
    assert_eq!(more, [("long", true), ("short", false)]);
    bench.finish().await;
}

#[tokio::test]
async fn a_unique_task_queued_again_while_it_runs_is_scheduled() {
    let bench = Bench::new().await;
    let unique = task::Task { unique: true, ..a_task("a") };
    bench.enqueue_task("mail", unique.clone()).await;
    assert_eq!(bench.claim(&["mail"], 1).await.len(), 1);
    bench.enqueue_task("mail", unique).await;
    assert!(bench.claim(&["mail"], 1).await.is_empty());
    assert_eq!(bench.ids(State::Scheduled, "mail").await, ["a"]);
    bench.finish().await;
}

#[tokio::test]
async fn a_task_without_a_payload_is_dropped_and_named() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let mut delete = redis::cmd("DEL");
    delete.arg(bench.client.keys().payload("a"));
    bench.client.command("delete a payload", &delete).await.expect("deleted");
    let asked = Asked { batches: 1, due_again: bench.now, seat: HOLD };
    let claimed = bench
        .client
        .claim(&bench.worker, &[Source::unlimited("mail")], asked, bench.now)
        .await
        .expect("claimed");
    assert_eq!(claimed[0].missing, ["a"]);
    assert!(claimed[0].claims.is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn a_task_without_a_payload_leaves_no_executions_wherever_it_is_found() {
    let mut bench = Bench::new().await;
    bench.heartbeat(&[]).await;
    for id in ["claimed", "reclaimed", "expired"] {
        bench.enqueue("mail", id).await;
        let claim = bench.claim_one("mail").await;
        bench.settle(&claim, Verdict::Retry { at: bench.now, execution: an_execution() }).await;
        bench.client.promote(&["mail"], bench.now).await.expect("promoted");
        if id != "claimed" {
            bench.claim_one("mail").await;
        }
        bench.says(&["DEL", &bench.client.keys().payload(id)]).await;
        match id {
            "claimed" => assert!(bench.claim(&["mail"], 1).await.is_empty()),
            "reclaimed" => {
                bench.client.leave(&bench.worker).await.expect("left");
                assert!(bench.client.orphans(&Incarnation::fresh()).await.expect("looked").is_empty());
            }
            _ => assert!(bench.client.expired(bench.now, 9).await.expect("looked").is_empty()),
        }
        assert!(bench.says(&["KEYS", "t:task:*"]).await.is_empty(), "{id}");
        bench.now += 1.0;
    }
    bench.client.leave(&bench.worker).await.expect("left");
    bench.client.orphans(&Incarnation::fresh()).await.expect("looked");
    bench.finish().await;
}

#[tokio::test]
async fn an_unreadable_payload_is_claimed_with_its_reason() {
    let bench = Bench::new().await;
    for (id, payload) in [("a", "not json"), ("b", r#"{"id":"b"}"#), ("c", r#"{"id":"x","func":"m:f"}"#)] {
        bench.enqueue("mail", id).await;
        let mut set = redis::cmd("SET");
        set.arg(bench.client.keys().payload(id)).arg(payload);
        bench.client.command("break a payload", &set).await.expect("set");
    }
    let claims = bench.claim(&["mail"], 3).await;
    assert!(matches!(claims[0].task, Err(BadPayload::Unreadable(_))));
    assert!(matches!(&claims[1].task, Err(BadPayload::Unreadable(why)) if why.contains("func")));
    assert_eq!(claims[2].task.as_ref().err(), Some(&BadPayload::OtherId("x".to_owned())));
    bench.finish().await;
}

#[tokio::test]
async fn scripts_come_back_after_redis_forgot_them() {
    let bench = Bench::new().await;
    bench.enqueue("mail", "a").await;
    let mut flush = redis::cmd("SCRIPT");
    flush.arg("FLUSH");
    bench.client.command("forget the scripts", &flush).await.expect("flushed");
    assert_eq!(bench.claim(&["mail"], 1).await.len(), 1);
    bench.finish().await;
}

#[tokio::test]
async fn a_worker_has_room_for_batches_not_for_tasks() {
    let bench = Bench::new().await;
    for n in 0..9 {
        bench.enqueue("words", &format!("w{n}")).await;
        bench.enqueue("mail", &format!("m{n}")).await;
    }
    let words = Source { queue: "words", seats: None, batch: 4 };
    assert_eq!(ids(&bench.claim_from(&[words], 2).await).len(), 8);
    assert_eq!(bench.claim_from(&[words, Source::unlimited("mail")], 3).await.len(), 1 + 2);
    bench.finish().await;
}
