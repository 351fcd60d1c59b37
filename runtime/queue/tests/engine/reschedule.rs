use queue::{Event, Rescheduled, State};
use task::Task;

use crate::Bench;
use crate::bench::a_unique_task;

/// As Python writes it, with what other programs add.
const FROM_PYTHON: &str = r#"{"id": "a", "func": "mytasks:boom", "args": [1.50, [], "\u00e9", "/", "Grüße"], "kwargs": {"n": 123456789012345678901234567890, "e": {}}, "retry_method": ["tasktiger.retry:_fixed", [1, 2]], "retry_on": ["builtins:ValueError"], "time_last_queued": 1795299278.005048, "scheduled_at": 1795299278.005048, "theirs": {"x": [1.10]}, "margay": {"pin": "abc"}}"#;

#[tokio::test]
async fn a_rescheduled_task_is_due_at_its_new_time_and_everybody_hears_it() {
    let mut bench = Bench::new().await;
    let soon = bench.now + 5.0;
    bench.schedule("mail", "a", bench.now + 60.0).await;
    let found = bench.find("a").await;
    let mut activity = bench.client.listen(vec![bench.client.keys().due()]).await.expect("listening");
    let answer = bench.client.reschedule(&found, soon, bench.now).await.expect("an answer");
    assert_eq!(answer, Rescheduled::Done);
    assert_eq!(activity.next().await, Event::Due("mail".to_owned(), soon));
    assert_eq!(bench.find("a").await.score, soon);
    bench.now = soon;
    assert_eq!(bench.client.promote(&["mail"], bench.now).await.expect("promoted")[0].tasks, 1);
    bench.finish().await;
}

#[tokio::test]
async fn a_time_in_the_past_means_at_once() {
    let bench = Bench::new().await;
    bench.schedule("mail", "a", bench.now + 60.0).await;
    let found = bench.find("a").await;
    bench.client.reschedule(&found, 1.0, bench.now).await.expect("an answer");
    let found = bench.find("a").await;
    assert_eq!((found.state, found.score), (State::Scheduled, bench.now));
    assert_eq!(found.task.expect("readable").scheduled_at, Some(bench.now));
    bench.finish().await;
}

#[tokio::test]
async fn nothing_of_a_payload_is_lost_but_its_old_time() {
    let bench = Bench::new().await;
    bench.schedule("mail", "a", bench.now + 60.0).await;
    bench.set_payload("a", FROM_PYTHON).await;
    let found = bench.find("a").await;
    bench.client.reschedule(&found, 2_000_000.75, bench.now).await.expect("an answer");
    let after = bench.find("a").await.payload;
    let kept = [
        r#""args":[1.50, [], "\u00e9", "/", "Grüße"]"#,
        r#""kwargs":{"n": 123456789012345678901234567890, "e": {}}"#,
        r#""retry_on":["builtins:ValueError"]"#,
        r#""time_last_queued":1795299278.005048"#,
        r#""scheduled_at":2000000.75"#,
        r#""theirs":{"x": [1.10]}"#,
        r#""margay":{"pin":"abc"}"#,
    ];
    for part in kept {
        assert!(after.contains(part), "{part} is not in {after}");
    }
    let (before, after) = (found.task.expect("readable"), Task::parse("a", &after).expect("readable"));
    assert_eq!(after.to_json(), Task { scheduled_at: after.scheduled_at, ..before }.to_json());
    bench.finish().await;
}

#[tokio::test]
async fn a_payload_that_changed_since_it_was_read_is_read_again() {
    let bench = Bench::new().await;
    bench.schedule_task("mail", a_unique_task("a"), bench.now + 60.0).await;
    let stale = bench.find("a").await;
    let newer = Task { hard_timeout: Some(9.0), ..a_unique_task("a") };
    bench.schedule_task("mail", newer, bench.now + 90.0).await;
    let answer = bench.client.reschedule(&stale, bench.now + 5.0, bench.now).await.expect("an answer");
    assert_eq!(answer, Rescheduled::Done);
    let task = bench.find("a").await.task.expect("readable");
    assert_eq!((task.hard_timeout, task.scheduled_at), (Some(9.0), Some(bench.now + 5.0)));
    bench.finish().await;
}

#[tokio::test]
async fn what_is_no_longer_scheduled_is_left_alone() {
    let mut bench = Bench::new().await;
    bench.schedule("mail", "a", bench.now + 1.0).await;
    let stale = bench.find("a").await;
    bench.now += 1.0;
    bench.client.promote(&["mail"], bench.now).await.expect("promoted");
    let answer = bench.client.reschedule(&stale, bench.now + 5.0, bench.now).await.expect("an answer");
    assert_eq!(answer, Rescheduled::Gone);
    assert_eq!(bench.find("a").await.payload, stale.payload);
    assert_eq!(bench.ids(State::Queued, "mail").await, ["a"]);
    bench.finish().await;
}

#[tokio::test]
async fn of_a_task_that_cannot_be_read_only_the_time_changes() {
    let bench = Bench::new().await;
    bench.schedule("mail", "a", bench.now + 60.0).await;
    bench.set_payload("a", "not json").await;
    let found = bench.find("a").await;
    let answer = bench.client.reschedule(&found, bench.now + 5.0, bench.now).await.expect("an answer");
    assert_eq!(answer, Rescheduled::Done);
    let after = bench.find("a").await;
    assert_eq!((after.score, after.payload.as_str()), (bench.now + 5.0, "not json"));
    bench.finish().await;
}

#[tokio::test]
async fn a_task_without_a_payload_gets_none() {
    let bench = Bench::new().await;
    bench.schedule("mail", "a", bench.now + 60.0).await;
    let mut delete = redis::cmd("DEL");
    delete.arg(bench.client.keys().payload("a"));
    bench.client.command("delete a payload", &delete).await.expect("deleted");
    let found = bench.find("a").await;
    let answer = bench.client.reschedule(&found, bench.now + 5.0, bench.now).await.expect("an answer");
    assert_eq!(answer, Rescheduled::Done);
    let after = bench.find("a").await;
    assert_eq!((after.score, after.payload.as_str()), (bench.now + 5.0, ""));
    assert!(bench.client.cancel(&after).await.expect("cancelled"));
    bench.finish().await;
}
