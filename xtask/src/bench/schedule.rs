//! Tasks for later: how exactly they start, and how soon what nobody tells of is seen.

use std::time::{Duration, Instant};

use anyhow::Result;
use queue::{Ended, NewTask, State};
use tokio::time::sleep;

use super::Arguments;
use super::figures::{Figures, percentile};
use super::server::Work;
use super::system::{System, many};

/// Tasks whose start is looked at in one round, and how far apart they are due.
const TOLD: (usize, f64) = (500, 0.004);
const UNTOLD: (usize, f64) = (25, 0.1);
const KEPT: Duration = Duration::from_secs(600);

pub async fn measure(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let system = System::start(arguments).await?;
    {
        let _worker = system.worker(&[])?;
        start_errors(&system, arguments, figures).await?;
    }
    fill(&system, arguments.queues).await?;
    let _worker = system.worker(&[])?;
    looking(&system, arguments, figures).await?;
    untold(&system, arguments, figures).await
}

/// Tasks that Margay schedules, on an idle worker.
async fn start_errors(system: &System, arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let (mut p50, mut p99) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let (n, apart) = TOLD;
        let first = queue::now() + 0.5;
        let later = |n: usize| -> Result<NewTask, queue::Error> {
            Ok(NewTask {
                due: Some(first + n as f64 * apart),
                ..system.noop().arg(n).result_ttl(KEPT).build()?
            })
        };
        let tasks = many(n, later)?;
        let ids: Vec<String> = tasks.iter().map(|new| new.task.id.clone()).collect();
        system.client.enqueue(tasks, queue::now()).await?;
        let late = lateness(system, &ids).await?;
        p50.push(1e3 * percentile(&late, 0.5));
        p99.push(1e3 * percentile(&late, 0.99));
    }
    figures.note("due to start, idle worker: p50", "ms", "< 100", p50);
    figures.note("due to start, idle worker: p99", "ms", "< 100", p99);
    Ok(())
}

/// So many queues, each with a task that is not due for long.
async fn fill(system: &System, queues: usize) -> Result<()> {
    let in_an_hour = Some(queue::now() + 3600.0);
    let later = |n| -> Result<NewTask, queue::Error> {
        Ok(NewTask { due: in_an_hour, ..system.noop().queue(format!("later.{n}")).build()? })
    };
    system.client.enqueue(many(queues, later)?, queue::now()).await?;
    Ok(())
}

/// What an idle worker's looking costs Redis.
async fn looking(system: &System, arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let mut shares = Vec::new();
    for _ in 0..arguments.rounds {
        let (before, started) = (Work::read(&system.client).await?, Instant::now());
        sleep(Duration::from_secs(2)).await;
        let (cpu_us, _) = Work::read(&system.client).await?.since(before, 1);
        shares.push(100.0 * cpu_us / 1e6 / started.elapsed().as_secs_f64());
    }
    let what = format!("idle worker, {} scheduled queues: Redis process", arguments.queues);
    figures.note(what, "% of a core", "<= 10", shares);
    Ok(())
}

/// Tasks that are scheduled as Python's producers do: without a word to anybody.
async fn untold(system: &System, arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let (mut p50, mut most) = (Vec::new(), Vec::new());
    for round in 0..arguments.rounds {
        let (n, apart) = UNTOLD;
        let mut ids = Vec::with_capacity(n);
        for n in 0..n {
            let new = system.noop().queue(format!("untold.{round}.{n}")).result_ttl(KEPT).build()?;
            ids.push(new.task.id.clone());
            schedule_silently(system, new).await?;
            sleep(Duration::from_secs_f64(apart)).await;
        }
        let late = lateness(system, &ids).await?;
        p50.push(percentile(&late, 0.5));
        most.push(percentile(&late, 1.0));
    }
    let what = format!("due to start, not told, {} scheduled queues", arguments.queues);
    figures.note(format!("{what}: p50"), "s", "", p50);
    figures.note(format!("{what}: most"), "s", "<= 2.5", most);
    Ok(())
}

/// Due at once, but to be found in `scheduled`.
async fn schedule_silently(system: &System, new: NewTask) -> Result<()> {
    let NewTask { queue, mut task, .. } = new;
    let (keys, now) = (system.client.keys(), queue::now());
    task.time_last_queued = Some(now);
    task.scheduled_at = Some(now);
    let mut write = redis::pipe();
    write.atomic();
    write.cmd("SADD").arg(keys.state(State::Scheduled)).arg(&queue);
    write.cmd("SET").arg(keys.payload(&task.id)).arg(task.to_json());
    write.cmd("ZADD").arg(keys.queue(State::Scheduled, &queue)).arg(now).arg(&task.id);
    system.client.pipeline("schedule a task", &write).await?;
    Ok(())
}

/// Waits until these tasks have ended, and says how many seconds after its time each began.
async fn lateness(system: &System, ids: &[String]) -> Result<Vec<f64>> {
    loop {
        let ended: Vec<Ended> = system.client.ended(ids).await?.into_iter().flatten().collect();
        if ended.len() == ids.len() {
            return Ok(ended.iter().filter_map(|ended| Some(ended.started - ended.due?)).collect());
        }
        sleep(Duration::from_millis(50)).await;
    }
}
