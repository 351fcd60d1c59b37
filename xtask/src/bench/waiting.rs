//! A long queue: claims and settlements of the producer's own, where few tasks wait and where very many do.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use queue::{Asked, Incarnation, Settlement, Source};
use task::Verdict;

use super::Arguments;
use super::figures::Figures;
use super::system::{QUEUE, System, many};

const FEW: usize = 1_000;
/// Tasks that are claimed and settled in one step.
const STEP: usize = 64;
const STEPS: usize = 300;

pub async fn measure(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let (few, most) = (System::start(arguments).await?, System::start(arguments).await?);
    enqueue(&few, FEW).await?;
    enqueue(&most, arguments.waiting).await?;
    let (mut rates_of_few, mut rates_of_most) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        rates_of_few.push(rate(&few).await?);
        rates_of_most.push(rate(&most).await?);
    }
    let what = format!("rate: {} waiting tasks beside {FEW}", arguments.waiting);
    figures.note_share(what, ">= 80", &rates_of_most, &rates_of_few);
    for (rates, waiting) in [(rates_of_few, FEW), (rates_of_most, arguments.waiting)] {
        let what = format!("claim + settle of {STEP}, {waiting} waiting tasks");
        figures.note(what, "tasks/s", "", rates);
    }
    Ok(())
}

async fn enqueue(system: &System, tasks: usize) -> Result<()> {
    system.client.enqueue(many(tasks, |_| system.noop().build())?, queue::now()).await?;
    Ok(())
}

/// Tasks claimed and settled each second. What is taken out is put in again, beside the clock.
async fn rate(system: &System) -> Result<f64> {
    let worker = Incarnation::fresh();
    let mut busy = Duration::ZERO;
    for _ in 0..STEPS {
        let started = Instant::now();
        step(system, &worker).await?;
        busy += started.elapsed();
        enqueue(system, STEP).await?;
    }
    Ok((STEP * STEPS) as f64 / busy.as_secs_f64())
}

async fn step(system: &System, worker: &Incarnation) -> Result<()> {
    let now = queue::now();
    let asked = Asked { batches: STEP, due_again: now + 1.0, seat: Duration::from_secs(60) };
    let claimed = system.client.claim(worker, &[Source::unlimited(QUEUE)], asked, now).await?;
    let claims = claimed.into_iter().flat_map(|queue| queue.claims);
    let done = || Verdict::Done { result: "null".to_owned() };
    let mut settlements: Vec<_> =
        claims.map(|claim| Settlement::new(claim.lease, claim.task.as_ref().ok(), done())).collect();
    ensure!(settlements.len() == STEP, "the queue gave {} tasks, not {STEP}", settlements.len());
    system.client.settle(worker, &mut settlements, queue::now()).await?;
    Ok(())
}
