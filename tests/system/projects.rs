//! What a developer starts with: a new project, and `margay dev`.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;
use test_support::guest;

use crate::harness::{Answer, PROBE, Running, command};

#[tokio::test]
async fn a_new_project_builds_and_runs_wherever_it_lies() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = Answer::of(command(folder.path(), &["new", "greeter"])).await.ok();
    assert_eq!(made, "made the task project `greeter`\n");

    let project = folder.path().join("greeter");
    let built = Answer::of(command(&project, &["build"])).await.ok();
    assert!(built.contains("hello") && built.contains("greeter.wasm"), "{built}");
    let component = "target/wasm32-wasip2/release/greeter.wasm";
    let greeting = Answer::of(command(&project, &["run", component, "hello", r#"["Ana"]"#])).await.ok();
    assert_eq!(greeting, "\"Hello, Ana!\"\n");
}

/// A folder for `margay dev`. Where a test fails, the Redis that a killed `dev` leaves behind goes with it.
struct Data {
    folder: TempDir,
}

impl Data {
    fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn redis(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.path().join("redis.pid")).ok()?;
        Pid::from_raw(text.trim().parse().ok()?)
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if let Some(redis) = self.redis() {
            // It may have ended by itself.
            let _ = kill_process(redis, Signal::KILL);
        }
    }
}

/// Starts `margay dev`, and answers it with the address of its Redis.
async fn dev(folder: &Path) -> (Running, String) {
    let mut dev = Running::start(command(folder, &["dev", "--data", "data", "-c", "2"]));
    let line = dev.says("ready: export MARGAY_REDIS=").await;
    let url = line.as_str().and_then(|line| line.split_once('=')).expect("an address").1.to_owned();
    (dev, url)
}

#[tokio::test]
async fn margay_dev_is_a_redis_and_a_worker_that_start_and_stop_together() {
    let data = Data { folder: tempfile::tempdir().expect("a folder") };
    let folder = data.folder.path();
    let (first, url) = dev(folder).await;
    let margay = async |arguments: &[&str]| {
        let mut command = command(folder, arguments);
        command.env("MARGAY_REDIS", &url);
        Answer::of(command).await
    };
    let component = guest(PROBE);
    margay(&["deploy", component.to_str().expect("a path that is text")]).await.ok();
    assert_eq!(margay(&["enqueue", "probe:echo", "[7]", "--wait"]).await.ok(), "7\n");

    let second = Answer::of(command(folder, &["dev", "--data", "data"])).await;
    assert_eq!(second.code, 1, "{}", second.stderr);
    assert!(second.stderr.contains("a Redis answers in"), "{}", second.stderr);
    assert_eq!(margay(&["enqueue", "probe:echo", "[8]", "--wait"]).await.ok(), "8\n");

    let redis = data.redis().expect("a process");
    test_kill_process(redis).expect("Redis runs");
    first.stop().await;
    assert!(test_kill_process(redis).is_err(), "Redis has gone with it");

    // The data stays, and the module in it.
    let (third, again) = dev(folder).await;
    assert_eq!(again, url);
    assert_eq!(margay(&["enqueue", "probe:echo", "[9]", "--wait"]).await.ok(), "9\n");
    third.stop().await;
}
