//! Modules that come and change while workers run.

use queue::State;
use serde_json::json;
use test_support::guest;

use crate::harness::{PROBE, Site, call, changed};

/// The probe, in a second version: its bytes with another number in them.
fn second_version() -> Vec<u8> {
    changed(PROBE, "the probe in version 1", "the probe in version 2")
}

#[tokio::test]
async fn the_next_task_uses_what_was_deployed_and_a_running_one_finishes_on_the_old() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let mut worker = site.worker(&["-c", "4"]).await;
    let version = async || {
        let id = site.enqueue(call("probe:version", json!([]))).await;
        site.ended(&id).await.result.expect("a result").get().to_owned()
    };
    assert_eq!(version().await, r#""the probe in version 1""#);
    let running = site.enqueue(call("probe:hold", json!(["/signals/go"]))).await;
    worker.says_of(&running, "holding").await;

    let second = site.write("second.wasm", second_version());
    site.deploy_file(&second, "probe").await;
    worker.says_with("module ready", "version", 2).await;
    assert_eq!(version().await, r#""the probe in version 2""#);
    site.release();
    let ended = site.ended(&running).await;
    assert_eq!(ended.result.expect("a result").get(), r#""the probe in version 1""#);
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn a_task_that_comes_before_its_module_waits_for_it() {
    let site = Site::start().await;
    let mut worker = site.worker(&["-q", "default"]).await;
    let early = site.enqueue(call("probe:echo", json!(["early"]))).await;
    worker.says_of(&early, "waits until `probe:echo` is deployed").await;
    site.deploy(PROBE).await;
    let ended = site.ended(&early).await;
    assert_eq!((ended.outcome.as_str(), ended.attempts), ("finished", 1));
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn a_task_whose_module_does_not_come_in_time_goes_to_error() {
    let site = Site::start().await;
    site.configure("module_grace = \"300ms\"");
    let worker = site.worker(&["-q", "default"]).await;
    let id = site.enqueue(call("nobody:here", json!([]))).await;
    let ended = site.ended(&id).await;
    assert_eq!(ended.error.as_deref(), Some("margay:UnknownFunction"));
    let waited = ended.ended - ended.enqueued.expect("a time");
    assert!(waited >= 0.3, "it waited for {waited} s only");
    assert_eq!(site.find(&id).await.state, State::Error);
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn a_function_that_its_module_does_not_have_goes_to_error() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let mut worker = site.worker(&["-q", "default"]).await;
    let id = site.enqueue(call("probe:nothing", json!([]))).await;
    let ended = site.ended(&id).await;
    assert_eq!(ended.error.as_deref(), Some("margay:UnknownFunction"));
    worker.says_of(&id, "offers `probe:nothing`").await;
    worker.stop().await;
    site.is_consistent().await;
}

#[tokio::test]
async fn a_function_that_comes_with_a_new_version_can_be_called_right_after_its_deploy() {
    let site = Site::start().await;
    site.deploy_file(&guest("examples/markdown"), "probe").await;
    let worker = site.worker(&["-q", "default"]).await;
    site.deploy(PROBE).await;
    let id = site.enqueue(call("probe:echo", json!(["new"]))).await;
    assert_eq!(site.ended(&id).await.outcome, "finished");
    worker.stop().await;
    site.is_empty().await;
}
