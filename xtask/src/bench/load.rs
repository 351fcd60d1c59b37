//! The plain path: one queue, tasks that do nothing, one worker.

use std::time::{Duration, Instant};

use anyhow::Result;
use queue::Event;

use super::Arguments;
use super::figures::{Figures, percentile};
use super::server::Work;
use super::system::{Drains, System, many};

const SINGLE: usize = 10_000;
const LATENCIES: usize = 2_000;

pub async fn measure(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let system = System::start(arguments).await?;
    enqueue_single(&system, arguments, figures).await?;
    let worker = system.worker(&[])?;
    system.drained().await?;
    latency(&system, arguments, figures).await?;
    drop(worker);
    enqueue_in_bulk(&system, arguments, figures).await?;
    drain(&system, arguments, figures).await
}

/// One call after the other, one round trip each.
async fn enqueue_single(system: &System, arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let before = Work::read(&system.client).await?;
        let started = Instant::now();
        for _ in 0..SINGLE {
            system.client.enqueue([system.noop().build()?], queue::now()).await?;
        }
        rates.push(SINGLE as f64 / started.elapsed().as_secs_f64());
        costs.push(Work::read(&system.client).await?.since(before, SINGLE).1);
    }
    figures.note("enqueue, one at a time", "tasks/s", "", rates);
    figures.note("enqueue, one at a time: Redis in scripts", "us/task", "<= 10", costs);
    Ok(())
}

/// An idle worker, one task at a time: from the producer's clock at enqueue to the start of its run.
async fn latency(system: &System, arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let client = &system.client;
    let (mut p50, mut p99) = (Vec::new(), Vec::new());
    let mut ends = client.listen_to_ends().await?;
    for _ in 0..arguments.rounds {
        let mut latencies = Vec::with_capacity(LATENCIES);
        for _ in 0..LATENCIES {
            let new = system.noop().result_ttl(Duration::from_secs(60)).build()?;
            let id = new.task.id.clone();
            client.enqueue([new], queue::now()).await?;
            while ends.next().await != Event::Ended(id.clone()) {}
            let ended = client.ended(&[&id]).await?.into_iter().flatten().next();
            let waited = ended.and_then(|ended| Some(ended.started - ended.enqueued?));
            latencies.extend(waited.map(|seconds| seconds * 1e3));
        }
        p50.push(percentile(&latencies, 0.5));
        p99.push(percentile(&latencies, 0.99));
    }
    figures.note("enqueue to start, idle worker: p50", "ms", "< 1", p50);
    figures.note("enqueue to start, idle worker: p99", "ms", "< 5", p99);
    Ok(())
}

/// As many in a call as it takes.
async fn enqueue_in_bulk(system: &System, arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let tasks = many(arguments.tasks, |_| system.noop().build())?;
        let before = Work::read(&system.client).await?;
        let started = Instant::now();
        system.client.enqueue(tasks, queue::now()).await?;
        rates.push(arguments.tasks as f64 / started.elapsed().as_secs_f64());
        costs.push(Work::read(&system.client).await?.since(before, arguments.tasks).1);
        let _worker = system.worker(&[])?;
        system.drained().await?;
    }
    figures.note("enqueue in bulk", "tasks/s", "", rates);
    figures.note("enqueue in bulk: Redis in scripts", "us/task", "<= 7", costs);
    Ok(())
}

/// A full queue, drained by one worker.
async fn drain(system: &System, arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let mut drains = Drains::default();
    for _ in 0..arguments.rounds {
        let tasks = many(arguments.tasks, |_| system.noop().build())?;
        drains.add(system.drain(tasks, &[]).await?);
    }
    drains.note_rate(figures, "drain, a fresh instance for each task", ">= 30000");
    drains.note_scripts(figures, "claim + settle", "<= 12");
    drains.note_process(figures, "claim + settle");
    Ok(())
}
