//! What a guest asks for is checked at once, and granted only where its run succeeds.

use std::sync::Arc;

use margay_sandbox::{FollowUp, Functions, Limits, Report, Run};
use task::{FunctionName, Options, Outcome, RetryMethod};

use crate::support::{PROBE, call, only, plain};

async fn follow_up(input: &str) -> FollowUp {
    let mut report = PROBE.run("follow_up", &format!("[{input}]")).await;
    assert!(matches!(report.outcomes[..], [Outcome::Finished(_)]), "{report:?}");
    assert_eq!(report.effects.follow_ups.len(), 1);
    report.effects.follow_ups.remove(0)
}

/// The message with which a follow-up is refused.
async fn refused(input: &str) -> String {
    match only(PROBE.run("follow_up", &format!("[{input}]")).await) {
        Outcome::Failed(failure) => failure.message,
        other => panic!("{input} was taken: {other:?}"),
    }
}

#[tokio::test]
async fn a_follow_up_becomes_a_task() {
    let wish = r#"{"function": "mail:send", "args": "[7]", "kwargs": " {\"lang\": \"en\"}",
        "queue": "email.acme", "delay": 1500, "hard_timeout": 30000, "retry": "exponential"}"#;
    let FollowUp { task, queue, delay, default_retry } = follow_up(wish).await;
    assert_eq!((task.func.as_str(), task.args_json()), ("mail:send", "[7]"));
    assert_eq!(task.kwargs_json(), r#"{"lang": "en"}"#);
    assert_eq!(task.hard_timeout, Some(30.0));
    assert_eq!(task.retry_method, Some(RetryMethod::Exponential { delay: 1.0, factor: 2.0, max: 5 }));
    assert_eq!(queue.as_deref(), Some("email.acme"));
    assert_eq!(delay.map(|delay| delay.as_millis()), Some(1500));
    assert!(!default_retry);
}

#[tokio::test]
async fn a_guest_is_told_the_id_of_its_follow_up() {
    let report = PROBE.run("follow_up", "[{}]").await;
    let id = report.effects.follow_ups[0].task.id.clone();
    assert_eq!(id.len(), 32);
    assert!(matches!(&only(report), Outcome::Finished(told) if *told == format!("{id:?}")));
}

#[tokio::test]
async fn a_follow_up_may_leave_its_retries_to_the_configuration() {
    let follow_up = follow_up(r#"{"retry": "default"}"#).await;
    assert!(follow_up.default_retry && follow_up.task.retry_method.is_none());
}

#[tokio::test]
async fn a_follow_up_that_nobody_could_run_is_refused() {
    assert!(refused(r#"{"function": "send"}"#).await.contains("module:function"));
    assert!(refused(r#"{"args": "{}"}"#).await.contains("`args` is not a JSON array"));
    assert!(refused(r#"{"args": "[1,"}"#).await.contains("`args` is not JSON"));
    assert!(refused(r#"{"kwargs": "[]"}"#).await.contains("`kwargs` is not a JSON object"));
    assert!(refused(r#"{"queue": "a:b"}"#).await.contains("queue name"));
    assert!(refused(r#"{"hard_timeout": 0}"#).await.contains("hard timeout"));
}

#[tokio::test]
async fn a_follow_up_of_a_failed_run_is_dropped() {
    let report = PROBE.run("follow_up_and_fail", "[{}]").await;
    assert!(report.effects.follow_ups.is_empty() && report.effects.results.is_empty(), "{report:?}");
    assert!(matches!(only(report), Outcome::Failed(_)));
}

#[tokio::test]
async fn follow_ups_have_a_limit() {
    let limits = Limits { follow_ups: 3, ..Limits::default() };
    let enough = PROBE.run_within("follow_up", r#"[{"times": 3}]"#, &limits).await;
    assert_eq!(enough.effects.follow_ups.len(), 3);
    let Outcome::Failed(failure) = only(PROBE.run_within("follow_up", r#"[{"times": 4}]"#, &limits).await)
    else {
        panic!("not failed")
    };
    assert!(failure.message.contains("its limit"), "{}", failure.message);
}

#[tokio::test]
async fn effects_have_a_limit_in_bytes() {
    let limits = Limits { effect_bytes: 100, ..Limits::default() };
    let outcome = only(PROBE.run_within("follow_up", r#"[{"times": 100}]"#, &limits).await);
    let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert!(failure.message.contains("exceed 100 bytes"), "{}", failure.message);
}

#[tokio::test]
async fn a_saved_result_is_kept() {
    let report = PROBE.run("save_result", r#"[0, "{\"n\":1}"]"#).await;
    assert_eq!(report.effects.results, [(0, r#"{"n":1}"#.to_owned())]);
}

#[tokio::test]
async fn a_bad_result_is_not_saved() {
    for args in [r#"[1, "1"]"#, r#"[0, "{half"]"#] {
        let report = PROBE.run("save_result", args).await;
        assert!(report.effects.results.is_empty());
        assert!(matches!(only(report), Outcome::Failed(_)));
    }
}

#[tokio::test]
async fn results_of_a_batch_belong_to_its_calls() {
    let report = PROBE.run_batch(&["a", "save"]).await;
    assert_eq!(report.effects.results, [(1, r#""saved""#.to_owned())]);
}

/// Knows the options of `mail:send`.
struct Known(Options);

impl Functions for Known {
    fn options(&self, name: &FunctionName) -> Option<&Options> {
        (name.as_str() == "mail:send").then_some(&self.0)
    }
}

async fn run_knowing(own: Options, input: &str) -> Report {
    let functions = Arc::new(Known(own));
    let run = Run { functions, ..plain("follow_up", vec![call(&format!("[{input}]"))]) };
    PROBE.sandbox.run(&PROBE.module, run).await
}

#[tokio::test]
async fn a_follow_up_adopts_its_functions_own_options() {
    let own = || Options {
        queue: Some("mail".to_owned()),
        unique: true,
        max_queue_size: Some(9),
        ..Options::default()
    };
    let report = run_knowing(own(), r#"{"args": "[7]", "times": 2}"#).await;
    let [first, second] = &report.effects.follow_ups[..] else { panic!("{report:?}") };
    assert_eq!((first.queue.as_deref(), first.task.max_queue_size), (Some("mail"), Some(9)));
    let id = first.task.unique_id().expect("an id");
    assert_eq!((&first.task.id, &second.task.id), (&id, &id));
    assert!(matches!(only(report), Outcome::Finished(told) if told == format!("{id:?}")));

    let report = run_knowing(own(), r#"{"queue": "elsewhere"}"#).await;
    assert_eq!(report.effects.follow_ups[0].queue.as_deref(), Some("elsewhere"));
    let report = run_knowing(own(), r#"{"function": "mail:other"}"#).await;
    let unknown = &report.effects.follow_ups[0];
    assert!(unknown.queue.is_none() && !unknown.task.unique);
}

#[tokio::test]
async fn a_follow_up_that_cannot_have_a_unique_id_is_refused() {
    let unique = Options { unique: true, ..Options::default() };
    let half_a_pair = r#"{"args": "[\"\\ud800\"]"}"#;
    let Outcome::Failed(failure) = only(run_knowing(unique, half_a_pair).await) else { panic!("not failed") };
    assert!(failure.message.starts_with("`mail:send` is unique, and no id"), "{}", failure.message);
}
