//! `cargo xtask bench`: what the hot paths cost, on this machine, now.
//!
//! Everything is real: a redis-server of its own, a released worker, a component. Figures are medians of
//! several rounds; compare figures of one call, not of two machines.

mod figures;
mod fresh;
mod load;
mod server;
mod worker;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::{guests, process, root, setup};
use figures::Figures;

#[derive(Args)]
pub struct Arguments {
    /// How many tasks a drain has
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    tasks: usize,
    /// How often each measurement is repeated; the median counts
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: usize,
    /// Tasks that the worker runs at once
    #[arg(long, default_value_t = 256, value_name = "N")]
    concurrency: usize,
    /// Where to write the figures as JSON
    #[arg(long, default_value = "target/bench.json", value_name = "FILE")]
    out: PathBuf,
}

/// Measures, prints a table, writes JSON. A debug build builds itself for release first and hands over:
/// the producer's own cost is part of the figures.
pub fn run(arguments: &Arguments) -> Result<()> {
    if cfg!(debug_assertions) {
        setup::run()?;
        guests::run()?;
        let again = ["run", "--quiet", "--release", "--package", "xtask", "--", "bench"];
        return process::call(process::cargo().args(again).args(std::env::args().skip(2)));
    }
    // Together, so that both share one build of what they depend on.
    process::call(process::cargo().args(["build", "--release", "--workspace", "--bins", "--examples"]))?;
    let mut figures = Figures::default();
    fresh::measure(&mut figures)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(load::measure(arguments, &mut figures))?;
    figures.print();
    let out = root().join(&arguments.out);
    let json = serde_json::to_string_pretty(&figures)?;
    std::fs::write(&out, json).with_context(|| format!("cannot write `{}`", out.display()))?;
    println!("written to {}", arguments.out.display());
    Ok(())
}
