//! Every way a run can end has its outcome.

use std::sync::Arc;

use margay_sandbox::{Call, NoOutput, Output, Run, Stream};
use task::{Interruption, Outcome, RetryMethod, RetryWish};

use crate::support::{CLOCKWORK, PROBE, call, only, plain};

#[tokio::test]
async fn a_function_returns_its_result() {
    assert_eq!(
        PROBE.result("echo", r#"[{"n": 12345678901234567890}]"#).await,
        r#"{"n":12345678901234567890}"#
    );
}

#[tokio::test]
async fn named_arguments_arrive_as_they_are() {
    let call = Call { kwargs: r#"{"user": 1.50}"#.to_owned(), ..call("[]") };
    let outcome = only(PROBE.sandbox.run(&PROBE.module, plain("kwargs", vec![call])).await);
    assert!(matches!(&outcome, Outcome::Finished(kwargs) if kwargs == r#"{"user": 1.50}"#), "{outcome:?}");
}

#[tokio::test]
async fn a_guest_knows_its_task() {
    let info = PROBE.result("current", "[]").await;
    for part in [r#""id":"a1""#, r#""function":"probe:test""#, r#""enqueued_at":1700000000250"#] {
        assert!(info.contains(part), "{part} is not in {info}");
    }
}

#[tokio::test]
async fn a_guest_knows_how_long_it_may_run() {
    let left: u64 = PROBE.result("time_left", "[]").await.parse().expect("a number");
    assert!(left > 200_000 && left <= 300_000, "{left}");
}

#[tokio::test]
async fn a_guest_is_told_that_it_should_stop() {
    assert_eq!(PROBE.result("cancelled", "[]").await, "false");
    let run = plain("cancelled", vec![call("[]")]);
    run.cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
    let outcome = only(PROBE.sandbox.run(&PROBE.module, run).await);
    assert!(matches!(&outcome, Outcome::Finished(told) if told == "true"), "{outcome:?}");
}

#[tokio::test]
async fn a_failure_is_data() {
    let args = r#"[{"kind": "smtp", "message": "no route", "detail": "{\"code\":421}", "retry": "fixed"}]"#;
    let Outcome::Failed(failure) = only(PROBE.run("fail", args).await) else { panic!("not failed") };
    assert_eq!((failure.kind.as_str(), failure.message.as_str()), ("smtp", "no route"));
    assert_eq!(failure.detail.expect("a detail").get(), r#"{"code":421}"#);
    assert_eq!(failure.retry, RetryWish::ByMethod(Some(RetryMethod::Fixed { delay: 1.5, max: 2 })));
    assert!(failure.log_error);
}

#[tokio::test]
async fn a_failure_says_how_to_retry() {
    let wish = async |wish: &str| {
        let args = format!(r#"[{{"kind": "x", "retry": "{wish}"}}]"#);
        match only(PROBE.run("fail", &args).await) {
            Outcome::Failed(failure) => failure.retry,
            other => panic!("not failed: {other:?}"),
        }
    };
    assert_eq!(wish("policy").await, RetryWish::ByPolicy);
    assert_eq!(wish("never").await, RetryWish::Never);
    assert_eq!(wish("default").await, RetryWish::ByMethod(None));
    let RetryWish::ByMethod(Some(RetryMethod::Custom { function, .. })) = wish("custom").await else {
        panic!("no custom method")
    };
    assert_eq!(function, "probe:backoff");
}

#[tokio::test]
async fn a_detail_that_is_not_json_becomes_a_string() {
    let Outcome::Failed(failure) = only(PROBE.run("fail", r#"[{"detail": "so-so"}]"#).await) else {
        panic!("not failed")
    };
    assert_eq!(failure.detail.expect("a detail").get(), r#""so-so""#);
}

#[tokio::test]
async fn a_panic_is_told_with_its_message_and_place() {
    let Outcome::Trapped { message, traceback } = only(PROBE.run("panic", r#"["lost\nthe plot"]"#).await)
    else {
        panic!("not trapped")
    };
    assert_eq!(message, "lost\nthe plot");
    assert!(traceback.starts_with("Traceback (most recent call last):\n  in "), "{traceback}");
    assert!(traceback.contains("panicked at src/lib.rs:"), "{traceback}");
    assert!(traceback.contains("Guest>::run (+0x"), "{traceback}");
    assert!(!traceback.contains("panic_with_hook"), "{traceback}");
}

#[tokio::test]
async fn a_trap_is_told_in_words() {
    let Outcome::Trapped { message, traceback } = only(PROBE.run("trap", "[]").await) else {
        panic!("not trapped")
    };
    assert_eq!(message, "wasm `unreachable` instruction executed");
    assert!(traceback.contains("Guest>::run"), "{traceback}");
}

#[tokio::test]
async fn a_guest_that_exits_has_not_returned() {
    for status in ["[0]", "[1]"] {
        let Outcome::Trapped { message, .. } = only(PROBE.run("exit", status).await) else {
            panic!("not trapped")
        };
        assert!(message.starts_with("exited with status"), "{message}");
    }
}

#[tokio::test]
async fn endless_recursion_is_a_trap() {
    let Outcome::Trapped { message, traceback } = only(PROBE.run("recurse", "[0]").await) else {
        panic!("not trapped")
    };
    assert!(message.starts_with("stack overflow"), "{message}");
    assert!(traceback.contains("[previous frame repeated"), "{traceback}");
}

#[tokio::test]
async fn a_result_that_is_not_json_is_a_failure_without_retry() {
    let Outcome::Failed(failure) = only(PROBE.run("bad_result", r#"["{half"]"#).await) else {
        panic!("not failed")
    };
    assert_eq!((failure.kind.as_str(), failure.retry), ("result-not-json", RetryWish::Never));
}

#[tokio::test]
async fn a_batch_has_an_outcome_for_each_call() {
    let report = PROBE.run_batch(&["a", "fail", "b"]).await;
    let words: Vec<_> = report.outcomes.iter().map(Outcome::word).collect();
    assert_eq!(words, ["finished", "failed", "finished"]);
}

#[tokio::test]
async fn a_failure_of_the_whole_batch_is_everyones() {
    let report = PROBE.run_batch(&["a", "all"]).await;
    assert_eq!(report.outcomes.len(), 2);
    for outcome in report.outcomes {
        assert!(matches!(&outcome, Outcome::Failed(failure) if failure.kind == "all"), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_batch_with_too_few_results_fails_as_a_whole() {
    let report = PROBE.run_batch(&["a", "short"]).await;
    assert_eq!(report.outcomes.len(), 2);
    for outcome in report.outcomes {
        assert!(
            matches!(&outcome, Outcome::Failed(failure) if failure.kind == "batch-length"),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_host_that_panics_is_no_failure_of_the_task() {
    struct Deaf;
    impl Output for Deaf {
        fn line(&self, _: Stream, _: &str) {
            panic!("cannot hear");
        }
        fn log(&self, level: tracing::Level, message: &str, fields: &[(String, String)]) {
            NoOutput.log(level, message, fields);
        }
        fn progress(&self, fraction: f64, message: Option<&str>) {
            NoOutput.progress(fraction, message);
        }
    }
    let run = Run { output: Arc::new(Deaf), ..plain("print", vec![call(r#"["hello\n"]"#)]) };
    let outcome = only(PROBE.sandbox.run(&PROBE.module, run).await);
    let Outcome::Interrupted(Interruption::HostError(error)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error, "panicked: cannot hear");
}

#[tokio::test]
async fn a_single_run_has_one_call() {
    let report = PROBE.sandbox.run(&PROBE.module, plain("noop", vec![call("[]"), call("[]")])).await;
    assert!(matches!(&report.outcomes[..], [Outcome::Interrupted(_), Outcome::Interrupted(_)]), "{report:?}");
}

#[tokio::test]
async fn a_custom_retry_answers_seconds_until_it_stops() {
    assert_eq!(PROBE.result("backoff", "[2]").await, "0.1");
    assert_eq!(PROBE.result("backoff", "[2, 1.5]").await, "3.0");
    assert_eq!(PROBE.result("backoff", "[3]").await, "null");
}

#[tokio::test]
async fn a_custom_schedule_answers_the_next_time() {
    let run = plain("next_time", vec![call("[1700000000000]")]);
    match only(PROBE.sandbox.run(&CLOCKWORK, run).await) {
        Outcome::Finished(next) => assert_eq!(next, "1700000000400"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_hook_is_a_call_like_any_other() {
    let told = |args: &str| call(&format!(r#"[{{"tasks": [{{"args": {args}}}]}}]"#));
    let run = |args| PROBE.sandbox.run(&CLOCKWORK, plain("before", vec![told(args)]));
    assert!(matches!(only(run("[7]").await), Outcome::Finished(null) if null == "null"));
    match only(run(r#"[{"before": "fail"}]"#).await) {
        Outcome::Failed(failure) => assert_eq!(failure.kind, "before"),
        other => panic!("{other:?}"),
    }
}
