//! Load on a whole system: a producer here, one worker, one Redis.

use std::time::{Duration, Instant};

use anyhow::Result;
use queue::{Client, Event, NewTask};
use task::{FunctionName, Task};
use test_support::RedisServer;

use super::Arguments;
use super::figures::{Figures, percentile};
use super::server::Work;
use super::worker::{Worker, deploy};

const SINGLE: usize = 10_000;
const LATENCIES: usize = 2_000;
const QUEUE: &str = "bench";

pub async fn measure(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let server = RedisServer::start();
    let client = server.client("t").await;
    deploy(&server.url(), "tests/guests/probe/target/wasm32-wasip2/release/probe.wasm")?;
    enqueue_single(&client, arguments, figures).await?;
    let worker = Worker::start(&server.url(), arguments.concurrency)?;
    drained(&client).await?;
    latency(&client, arguments, figures).await?;
    drop(worker);
    drain(&client, &server, arguments, figures).await
}

/// One call after the other, one round trip each.
async fn enqueue_single(client: &Client, arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let before = Work::read(client).await?;
        let started = Instant::now();
        for _ in 0..SINGLE {
            client.enqueue([a_task()], queue::now()).await?;
        }
        rates.push(SINGLE as f64 / started.elapsed().as_secs_f64());
        costs.push(Work::read(client).await?.since(before, SINGLE).1);
    }
    figures.note("enqueue, one at a time", "tasks/s", "", rates);
    figures.note("enqueue, one at a time: Redis in scripts", "us/task", "<= 10", costs);
    Ok(())
}

/// An idle worker, one task at a time: from the producer's clock at enqueue to the start of its run.
async fn latency(client: &Client, arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let (mut p50, mut p99) = (Vec::new(), Vec::new());
    let mut ends = client.listen_to_ends().await?;
    for _ in 0..arguments.rounds {
        let mut latencies = Vec::with_capacity(LATENCIES);
        for _ in 0..LATENCIES {
            let mut new = a_task();
            new.task.margay.result_ttl = Some(60.0);
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

/// A full queue, drained by one worker.
async fn drain(
    client: &Client,
    server: &RedisServer,
    arguments: &Arguments,
    figures: &mut Figures,
) -> Result<()> {
    let n = arguments.tasks;
    let (mut bulk_rates, mut bulk_costs) = (Vec::new(), Vec::new());
    let (mut rates, mut cpu, mut scripts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let tasks: Vec<NewTask> = (0..n).map(|_| a_task()).collect();
        let before = Work::read(client).await?;
        let started = Instant::now();
        client.enqueue(tasks, queue::now()).await?;
        bulk_rates.push(n as f64 / started.elapsed().as_secs_f64());
        let full = Work::read(client).await?;
        bulk_costs.push(full.since(before, n).1);

        let _worker = Worker::start(&server.url(), arguments.concurrency)?;
        let started = Instant::now();
        drained(client).await?;
        rates.push(n as f64 / started.elapsed().as_secs_f64());
        let (of_process, in_scripts) = Work::read(client).await?.since(full, n);
        cpu.push(of_process);
        scripts.push(in_scripts);
    }
    figures.note("enqueue in bulk", "tasks/s", "", bulk_rates);
    figures.note("enqueue in bulk: Redis in scripts", "us/task", "<= 7", bulk_costs);
    figures.note("drain, a fresh instance for each task", "tasks/s", ">= 30000", rates);
    figures.note("claim + settle: Redis in scripts", "us/task", "<= 12", scripts);
    figures.note("claim + settle: Redis process", "us/task", "", cpu);
    Ok(())
}

fn a_task() -> NewTask {
    let func = FunctionName::parse("probe:noop").expect("a name");
    NewTask::new(QUEUE, Task::new(queue::new_id(), func))
}

/// Waits until nothing is queued or active. Looks rarely, so as not to be part of the load.
async fn drained(client: &Client) -> Result<()> {
    while client.queues().await?.contains_key(QUEUE) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}
