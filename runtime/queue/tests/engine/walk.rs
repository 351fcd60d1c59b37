//! A random walk over all transitions, on a real Redis and in a model in memory. After every step both must have
//! given the same answer and be in the same state, and whatever came into being must have been announced.
//!
//! `MARGAY_WALK_STEPS` says how many steps, `MARGAY_WALK_SEED` repeats a walk that is known.

mod announced;
mod draw;
mod finish;
mod keyspace;
mod model;
mod perform;
mod step;
mod walker;

use std::collections::VecDeque;
use std::str::FromStr;

use walker::Walker;

/// How many of the last steps a failure shows.
const SHOWN: usize = 30;

#[tokio::test]
async fn a_random_walk_keeps_redis_and_the_model_together() {
    let steps: usize = from_env("MARGAY_WALK_STEPS").unwrap_or(10_000);
    let seed: u64 = from_env("MARGAY_WALK_SEED").unwrap_or_else(rand::random);
    println!("MARGAY_WALK_SEED={seed} MARGAY_WALK_STEPS={steps}");
    let mut walker = Walker::new(seed).await;
    let mut shown = VecDeque::new();
    for n in 1..=steps {
        let step = walker.draw();
        shown.push_back(format!("{n:>6} at {:.3}  {step}", walker.model.now));
        if shown.len() > SHOWN {
            shown.pop_front();
        }
        if let Err(difference) = walker.go(&step).await {
            let trace: Vec<String> = shown.into();
            let keys = walker.compare().await.err().unwrap_or_else(|| "as in the model".to_owned());
            let report = format!("{}\n\n{difference}\n\nthe keys:\n  {keys}", trace.join("\n"));
            let report = walker.with_short_names(&report);
            panic!("MARGAY_WALK_SEED={seed}: Redis and the model part at step {n}\n{report}");
        }
    }
    println!("{}", walker.what_happened());
    if let Err(difference) = walker.finish().await {
        panic!("MARGAY_WALK_SEED={seed}: something is wrong at the end\n  {difference}");
    }
}

fn from_env<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("`{name}` is no number: `{text}`")))
}
