//! A guest is heard by line, within its limit, and never has to wait for it.

use std::sync::Arc;

use margay_sandbox::{Limits, Run};
use task::Outcome;

use crate::support::{Ear, PROBE, call, only, plain};

async fn heard(function: &str, args: &str, limits: &Limits) -> Vec<String> {
    let ear = Arc::new(Ear::default());
    let run = Run { output: ear.clone(), limits, ..plain(function, vec![call(args)]) };
    let outcome = only(PROBE.sandbox.run(&PROBE.module, run).await);
    assert!(matches!(outcome, Outcome::Finished(_)), "{outcome:?}");
    ear.heard()
}

#[tokio::test]
async fn lines_come_one_by_one_with_their_stream() {
    let heard = heard("print", r#"["one\ntwo\n\nlast", "oops\n"]"#, &Limits::default()).await;
    assert_eq!(heard, ["Stdout: one", "Stdout: two", "Stdout: ", "Stderr: oops", "Stdout: last"]);
}

#[tokio::test]
async fn an_endless_line_comes_in_pieces() {
    let long = "x".repeat(100_000);
    let heard = heard("print", &format!("[{long:?}]"), &Limits::default()).await;
    assert!(heard.len() > 1);
    let whole: String = heard.iter().map(|line| line.trim_start_matches("Stdout: ")).collect();
    assert_eq!(whole, long);
}

#[tokio::test]
async fn a_guest_that_talks_too_much_is_cut_short_once_and_goes_on() {
    let limits = Limits { output_bytes: 1_000, ..Limits::default() };
    let heard = heard("chatter", "[10000]", &limits).await;
    let marks = heard.iter().filter(|line| line.contains("[output truncated after 1000 bytes]")).count();
    assert_eq!(marks, 1);
    assert!(heard.len() < 40, "{}", heard.len());
}

#[tokio::test]
async fn log_messages_keep_their_fields() {
    let heard = heard("log", r#"["slow"]"#, &Limits::default()).await;
    assert_eq!(heard, [r#"WARN: slow [("user", "7")]"#]);
}

#[tokio::test]
async fn progress_stays_between_0_and_1() {
    assert_eq!(heard("progress", r#"[0.5, "half"]"#, &Limits::default()).await, [r#"0.5: Some("half")"#]);
    assert_eq!(heard("progress", "[7.0]", &Limits::default()).await, ["1: None"]);
}

#[tokio::test]
async fn the_last_words_of_a_guest_are_in_its_traceback_even_when_nobody_heard_them() {
    let limits = Limits { output_bytes: 0, ..Limits::default() };
    let outcome = only(PROBE.run_within("panic", r#"["farewell"]"#, &limits).await);
    let Outcome::Trapped { message, traceback } = outcome else { panic!("{outcome:?}") };
    assert_eq!(message, "farewell");
    assert!(traceback.contains("farewell"), "{traceback}");
}
