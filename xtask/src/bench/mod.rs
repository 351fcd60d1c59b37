//! `cargo xtask bench`: what the hot paths cost, on this machine, now.
//!
//! Everything is real: a redis-server of its own, a released worker, a component. Figures are medians of
//! several rounds; compare figures of one call, not of two machines.

mod figures;
mod server;
mod system;
mod worker;

mod fresh;
mod kinds;
mod load;
mod queues;
mod schedule;
mod waiting;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::{guests, process, root, setup};
use figures::Figures;

#[derive(Args)]
pub struct Arguments {
    /// How many tasks a drain has
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    tasks: usize,
    /// In how many queues they are, where there are many
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    queues: usize,
    /// How many tasks wait in a long queue
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    waiting: usize,
    /// How often each measurement is repeated; the median counts
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: usize,
    /// Tasks that the worker runs at once
    #[arg(long, default_value_t = 256, value_name = "N")]
    concurrency: usize,
    /// Measure only these
    #[arg(long, value_delimiter = ',', value_name = "THEME")]
    only: Vec<Theme>,
    /// Where to write the figures as JSON
    #[arg(long, default_value = "target/bench.json", value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Theme {
    /// A fresh instance, without Redis
    Fresh,
    /// Enqueue, start, drain
    Load,
    /// Few queues and many
    Queues,
    /// Few waiting tasks and many
    Waiting,
    /// Unique tasks, locks, batches
    Kinds,
    /// Tasks for later
    Schedule,
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for theme in Theme::value_variants() {
        if arguments.only.is_empty() || arguments.only.contains(theme) {
            runtime.block_on(measure(*theme, arguments, &mut figures))?;
        }
    }
    figures.print();
    let out = root().join(&arguments.out);
    let json = serde_json::to_string_pretty(&figures)?;
    std::fs::write(&out, json).with_context(|| format!("cannot write `{}`", out.display()))?;
    println!("written to {}", arguments.out.display());
    Ok(())
}

async fn measure(theme: Theme, arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    match theme {
        Theme::Fresh => fresh::measure(figures),
        Theme::Load => load::measure(arguments, figures).await,
        Theme::Queues => queues::measure(arguments, figures).await,
        Theme::Waiting => waiting::measure(arguments, figures).await,
        Theme::Kinds => kinds::measure(arguments, figures).await,
        Theme::Schedule => schedule::measure(arguments, figures).await,
    }
}
