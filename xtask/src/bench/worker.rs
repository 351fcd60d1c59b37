//! A released worker, stopped with this value.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::root;

pub struct Worker {
    process: Child,
}

impl Worker {
    /// Starts a worker on this Redis, with more arguments, and waits until it claims.
    pub fn start(redis: &str, concurrency: usize, more: &[&str]) -> Result<Worker> {
        let mut process = margay(redis)
            .args(["worker", "--log", "warn,margay_worker=info", "--log-format", "json", "-c"])
            .arg(concurrency.to_string())
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start a worker")?;
        let log = BufReader::new(process.stderr.take().context("the worker has no log")?);
        let worker = Worker { process };
        let mut lines = log.lines().map_while(Result::ok);
        if !lines.any(|line| line.contains("\"message\":\"ready\"")) {
            bail!("the worker ended before it was ready");
        }
        std::thread::spawn(move || lines.for_each(drop));
        Ok(worker)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be gone already; nothing it holds matters any more.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Deploys a component.
pub fn deploy(redis: &str, component: &str) -> Result<()> {
    let deployed = margay(redis).args(["deploy", component]).stdout(Stdio::null()).status()?;
    anyhow::ensure!(deployed.success(), "`{component}` could not be deployed");
    Ok(())
}

fn margay(redis: &str) -> Command {
    let mut command = Command::new(root().join("target/release/margay"));
    command.current_dir(root()).args(["--redis", redis]);
    command
}
