//! What a fresh instance costs, without Redis or a worker around it.

use std::process::Command;

use anyhow::{Context, Result};

use super::figures::Figures;
use crate::root;

/// Runs the sandbox's own example and reads its figures.
pub fn measure(figures: &mut Figures) -> Result<()> {
    let ran = Command::new(root().join("target/release/examples/fresh")).output()?;
    anyhow::ensure!(
        ran.status.success(),
        "the example `fresh` failed: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let text = String::from_utf8(ran.stdout).context("the example `fresh` printed no text")?;
    let rounds = text.lines().filter_map(|line| line.strip_prefix("round ")?.split(' ').nth(1)?.parse().ok());
    figures.note("fresh instance, no-op task, one core", "us/run", "<= 11", rounds.collect());
    Ok(())
}
