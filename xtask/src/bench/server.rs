//! What Redis says of its own work.

use anyhow::{Context, Result};
use queue::Client;

/// A reading of Redis' clocks, in microseconds.
#[derive(Clone, Copy)]
pub struct Work {
    /// CPU time of the whole process.
    cpu_us: f64,
    /// Time spent in scripts.
    scripts_us: f64,
}

impl Work {
    pub async fn read(client: &Client) -> Result<Work> {
        let cpu = info(client, "cpu").await?;
        let commands = info(client, "commandstats").await?;
        let seconds = |name| number(&cpu, name, "\r\n").context("Redis tells no CPU time");
        let cpu_us = (seconds("used_cpu_user:")? + seconds("used_cpu_sys:")?) * 1e6;
        let scripts = commands.lines().find(|line| line.starts_with("cmdstat_evalsha:"));
        let scripts_us = scripts.and_then(|line| number(line, "usec=", ",")).unwrap_or(0.0);
        Ok(Work { cpu_us, scripts_us })
    }

    /// What was spent since then, for each of so many tasks: CPU time, and time in scripts.
    pub fn since(self, before: Work, tasks: usize) -> (f64, f64) {
        let each = |now: f64, before: f64| (now - before) / tasks as f64;
        (each(self.cpu_us, before.cpu_us), each(self.scripts_us, before.scripts_us))
    }
}

async fn info(client: &Client, section: &str) -> Result<String> {
    let mut ask = redis::cmd("INFO");
    ask.arg(section);
    Ok(redis::from_redis_value(client.command("tell of its work", &ask).await?)?)
}

fn number(text: &str, name: &str, end: &str) -> Option<f64> {
    let from = text.find(name)? + name.len();
    text[from..].split(end).next()?.parse().ok()
}
