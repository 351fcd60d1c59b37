//! The Margay of the demo: `margay dev` as a child process, with a Redis of its own on a socket. It never
//! takes a port, so it can run beside anything.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::Stage;

/// How long it may take until Redis and the worker are there.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to finish what runs, before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// How much of its log is shown when something went wrong.
const LAST_LINES: usize = 15;

/// A running `margay dev`.
pub struct Dev {
    child: Child,
    log: PathBuf,
}

impl Dev {
    /// Starts it. Answers it, and the address of its Redis to wait for.
    pub fn start(stage: &Stage) -> Result<(Dev, impl Future<Output = Result<String>> + use<>)> {
        let home = stage.home.path();
        let (config, data, log) = (home.join("margay.toml"), home.join("data"), home.join("dev.log"));
        fs::write(&config, configuration(stage)?)?;
        let mut child = margay(stage)
            .args(["dev", "--data"])
            .arg(&data)
            .arg("--config")
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            // Ctrl-C in a terminal reaches us alone, and we stop it in our own time.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start `{} dev`", stage.margay.display()))?;
        let stdout = child.stdout.take().context("its output is piped")?;
        Ok((Dev { child, log }, ready(BufReader::new(stdout).lines(), data)))
    }

    /// Waits until it ends, which it should not, and says so.
    pub async fn gone(&mut self) -> Error {
        match self.child.wait().await {
            Ok(status) => anyhow!("`margay dev` ended too soon: {status}"),
            Err(error) => anyhow!("cannot wait for `margay dev`: {error}"),
        }
    }

    /// Stops it: by SIGTERM, so that it stops its Redis too; by force if that does not help.
    pub async fn stop(&mut self) {
        let Some(id) = self.child.id() else { return };
        // The shell has a `kill` of its own; small systems have no other, and neither has Rust.
        let asked =
            Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &id.to_string()]).status().await;
        let stopped = tokio::time::timeout(STOP_LIMIT, self.child.wait()).await;
        if asked.is_err() || stopped.is_err() {
            eprintln!("`margay dev` does not stop; killing it");
            // It may have ended just now.
            let _ = self.child.kill().await;
        }
    }

    /// The error, after the end of the log has been shown.
    pub fn with_its_last_words(&self, error: Error) -> Error {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
            eprintln!("margay dev: {line}");
        }
        error
    }
}

/// Deploys the thumbnails' component.
pub async fn deploy(stage: &Stage, redis: &str) -> Result<()> {
    let output = margay(stage).arg("deploy").arg(&stage.component).args(["--redis", redis]).output().await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`margay deploy` failed: {}; {}", output.status, said.trim());
    }
    Ok(())
}

/// Ends when the user, or whoever started us, wants us to stop. The signals are caught from the call on.
pub fn interrupted() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}

/// The `margay` binary, away from the user's own Margay: its environment and its `margay.toml`.
fn margay(stage: &Stage) -> Command {
    let mut margay = Command::new(&stage.margay);
    margay.current_dir(stage.home.path()).stdin(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MARGAY_") {
            margay.env_remove(name);
        }
    }
    margay
}

/// What the thumbnails may touch: the photos to read, one folder to write.
fn configuration(stage: &Stage) -> Result<String> {
    let (photos, thumbnails) = (quoted(&stage.photos)?, quoted(&stage.thumbnails)?);
    Ok(format!(
        r#"[modules.thumbnails]
directories = [
  {{ path = {photos}, guest = "/photos" }},
  {{ path = {thumbnails}, guest = "/thumbnails", write = true }},
]
"#
    ))
}

/// A path as a TOML string. JSON's way to quote is a part of TOML's.
fn quoted(path: &Path) -> Result<String> {
    let path = path.to_str().with_context(|| format!("the path `{}` is not UTF-8", path.display()))?;
    Ok(serde_json::to_string(path)?)
}

/// Waits until it says that it is ready; answers where its Redis is. What else it says is read and dropped,
/// so that it never blocks on a full pipe.
async fn ready(mut lines: Lines<BufReader<ChildStdout>>, data: PathBuf) -> Result<String> {
    tokio::time::timeout(READY_LIMIT, said_ready(&mut lines))
        .await
        .with_context(|| format!("`margay dev` was not ready within {} s", READY_LIMIT.as_secs()))??;
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(format!("redis+unix://{}/redis.sock", data.display()))
}

async fn said_ready(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<()> {
    while let Some(line) = lines.next_line().await? {
        if line.starts_with("ready") {
            return Ok(());
        }
    }
    // It is about to end, which says more than the end of its output.
    tokio::time::sleep(Duration::from_secs(1)).await;
    bail!("`margay dev` closed its output before it was ready")
}
