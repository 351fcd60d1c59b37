use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use queue::{Address, Client, Draft, Error, Options, RetryMethod, State};
use task::Task;

use crate::Bench;

fn built(draft: Draft<'_>) -> Task {
    draft.build().expect("a task").task
}

fn refused(draft: Draft<'_>) -> String {
    draft.build().expect_err("refused").to_string()
}

/// A value that JSON cannot say: its keys are no texts.
fn no_json() -> BTreeMap<(u8, u8), u8> {
    BTreeMap::from([((1, 2), 3)])
}

#[tokio::test]
async fn a_url_alone_means_the_default_prefix() {
    let bench = Bench::new().await;
    let url = bench.server.url();
    for client in [Client::connect(url.as_str()).await, Client::connect(url.clone()).await] {
        assert_eq!(client.expect("connected").keys().prefix(), "t");
    }
    let address = Address { url, prefix: "p".to_owned() };
    assert_eq!(Client::connect(&address).await.expect("connected").keys().prefix(), "p");
    bench.finish().await;
}

#[tokio::test]
async fn a_plain_draft_is_queued_under_the_id_it_answers() {
    let bench = Bench::new().await;
    let id = bench.client.task("mail:send").enqueue().await.expect("enqueued");
    assert_eq!(bench.ids(State::Queued, "default").await, [id]);
    bench.finish().await;
}

#[tokio::test]
async fn the_payload_is_tasktigers() {
    let bench = Bench::new().await;
    let draft = bench.client.task("mail:send").arg(7).arg([1.5, 2.0]).kwarg("lang", "en");
    let draft = draft.kwarg("to", "é\"").kwarg("lang", "es").unique_key(["to"]).lock_key(["to", "lang"]);
    let draft = draft.retry(RetryMethod::Fixed { delay: 5.0, max: 3 }).retry_on(["smtp"]);
    let draft = draft.hard_timeout(Duration::from_millis(1500)).max_queue_size(9).max_stored_executions(2);
    let task = built(draft.result_ttl(Duration::from_secs(60)));
    let rest = concat!(
        r#","func":"mail:send","unique":true,"unique_key":["to"],"lock":true,"lock_key":["to","lang"],"#,
        r#""args":[7,[1.5,2.0]],"kwargs":{"to":"é\"","lang":"es"},"hard_timeout":1.5,"#,
        r#""retry_method":["tasktiger.retry:_fixed",[5,3]],"retry_on":["smtp"],"max_queue_size":9,"#,
        r#""max_stored_executions":2,"margay":{"result_ttl":60.0}}"#
    );
    assert_eq!(task.to_json(), format!("{{\"id\":\"{}\"{rest}", task.id));
    assert_eq!(task.id, task.unique_id().expect("an id"));
    bench.finish().await;
}

#[tokio::test]
async fn a_unique_draft_has_the_id_that_tasktiger_gives_it() {
    let bench = Bench::new().await;
    let draft = bench.client.task("tests.tasks:unique_task").kwarg("value", 1).unique();
    let id = draft.clone().enqueue().await.expect("enqueued");
    assert_eq!(id, "cddce980c194b1e8a5f38b0d1a476c51d73e3f30f6cc846ffb07c551c1328513");
    assert_eq!(draft.enqueue().await.expect("enqueued"), id);
    assert_eq!(bench.ids(State::Queued, "default").await, [id]);
    bench.finish().await;
}

#[tokio::test]
async fn a_draft_may_be_due_later() {
    let bench = Bench::new().await;
    let now = queue::now();
    let delayed = bench.client.task("m:f").delay(Duration::from_secs(60)).build().expect("a task");
    assert!(delayed.due.is_some_and(|due| due >= now + 60.0 && due <= queue::now() + 60.0));
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1500);
    let dated = bench.client.task("m:f").at(time).queue("past");
    assert_eq!(dated.clone().build().expect("a task").due, Some(1.5));
    dated.enqueue().await.expect("enqueued");
    bench.client.task("m:f").delay(Duration::from_secs(60)).queue("later").enqueue().await.expect("enqueued");
    assert_eq!(bench.ids(State::Queued, "past").await.len(), 1);
    assert_eq!(bench.ids(State::Scheduled, "later").await.len(), 1);
    bench.finish().await;
}

#[tokio::test]
async fn the_functions_own_options_hold_where_the_draft_says_nothing() {
    let bench = Bench::new().await;
    let own = Options {
        queue: Some("mail".to_owned()),
        unique_key: vec!["to".to_owned()],
        max_queue_size: Some(5),
        ..Options::default()
    };
    let draft = bench.client.task("mail:send").kwarg("to", "ana").kwarg("lang", "es").options(&own);
    let new = draft.clone().build().expect("a task");
    assert_eq!((new.queue.as_str(), new.task.max_queue_size), ("mail", Some(5)));
    assert!(new.task.unique && new.task.id == new.task.unique_id().expect("an id"));
    let new = draft.queue("other").max_queue_size(7).build().expect("a task");
    assert_eq!((new.queue.as_str(), new.task.max_queue_size), ("other", Some(7)));
    bench.finish().await;
}

#[tokio::test]
async fn drafts_can_be_enqueued_together() {
    let bench = Bench::new().await;
    let tasks = (0..3).map(|n| bench.client.task("m:f").arg(n).build()).collect::<Result<Vec<_>, _>>();
    assert_eq!(bench.client.enqueue(tasks.expect("tasks"), bench.now).await.expect("enqueued"), 3);
    bench.finish().await;
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_draft_is_said_with_its_field() {
    let bench = Bench::new().await;
    let draft = bench.client.task("mail").arg(1).arg(no_json()).kwarg("to", no_json()).queue("a:b");
    let message = refused(draft.clone());
    for needle in [
        "cannot enqueue `mail`: `func`: `mail` is not a function name",
        "`args`: argument 2 cannot be JSON",
        "`kwargs`: `to` cannot be JSON",
        "`queue`: the queue name `a:b` contains `:`",
    ] {
        assert!(message.contains(needle), "{message}");
    }
    assert!(matches!(draft.enqueue().await, Err(Error::Draft { .. })));
    let own = Options { queue: Some(String::new()), ..Options::default() };
    assert!(refused(bench.client.task("m:f").options(&own)).contains("`queue`: the queue name is empty"));
    assert!(bench.client.queues().await.expect("queues").is_empty());
    bench.finish().await;
}
