//! `margay enqueue`.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use modules::Store;
use queue::{Activity, Client, Ended, Event, State};

use super::connect;
use super::new_task::{Line, Site, note_unknown_modules};
use crate::args::{Common, Enqueue};
use crate::config::Config;
use crate::print;

/// How long the record of a task's end is kept for one who waits.
const RESULT_TTL: Duration = Duration::from_secs(3600);
/// More tasks than this are cheaper to follow on one pattern, other producers' tasks included.
const MOST_CHANNELS: usize = 100;

pub async fn run(common: &Common, flags: Enqueue) -> Result<ExitCode> {
    let lines = match &flags.bulk {
        Some(path) => Line::read_all(path)?,
        None => vec![Line::of(&flags)?],
    };
    let config = Config::load(common)?;
    let (default_queue, default_retry) = (config.default_queue()?, config.default_retry());
    let client = connect(common).await?;
    let catalog = Store::new(client.clone()).catalog().await?;
    let site = Site { catalog, default_queue, default_retry };
    note_unknown_modules(&lines, &site.catalog);
    let mut tasks = Vec::with_capacity(lines.len());
    for (number, line) in lines.into_iter().enumerate() {
        let place =
            || if flags.bulk.is_some() { format!("line {}", number + 1) } else { "the task".to_owned() };
        let result_ttl = flags.wait.then_some(RESULT_TTL);
        tasks.push(line.task(&flags.options, &site, result_ttl).with_context(place)?);
    }
    let ids: Vec<String> = tasks.iter().map(|new| new.task.id.clone()).collect();
    let listening = if flags.wait { Some(listen(&client, &ids).await?) } else { None };
    let enqueued = client.enqueue(tasks, queue::now()).await;
    if enqueued.is_err() && ids.len() > queue::MAX_BATCH {
        eprintln!(
            "note: so many tasks take several calls; the first may have succeeded, so look before you repeat"
        );
    }
    enqueued?;
    match listening {
        Some(activity) => wait(common, &client, &ids, activity).await,
        None if common.json => print::json(&ids).map(|()| ExitCode::SUCCESS),
        None => {
            ids.iter().for_each(print::line);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Listens to the ends of these tasks, before they can end.
async fn listen(client: &Client, ids: &[String]) -> Result<Activity> {
    if ids.len() > MOST_CHANNELS {
        return Ok(client.listen_to_ends().await?);
    }
    Ok(client.listen(ids.iter().map(|id| client.keys().ended(id)).collect()).await?)
}

/// Waits for all, then prints how each ended, in order.
async fn wait(common: &Common, client: &Client, ids: &[String], mut activity: Activity) -> Result<ExitCode> {
    let mut waiting: HashSet<&str> = ids.iter().map(String::as_str).collect();
    let progress = progress_bar(ids.len());
    let mut looks = tokio::time::interval(LOOK);
    while !waiting.is_empty() {
        tokio::select! {
            event = activity.next() => match event {
                Event::Ended(id) => drop(waiting.remove(id.as_str())),
                _ => look(client, &mut waiting).await?,
            },
            _ = looks.tick() => look(client, &mut waiting).await?,
        }
        progress.set_position((ids.len() - waiting.len()) as u64);
    }
    progress.finish_and_clear();
    let ended = client.ended(ids).await?;
    show(common, ids, &ended)
}

/// How often to look for oneself, should a message have been lost, or a task have ended without a record.
const LOOK: Duration = Duration::from_secs(5);
/// How many tasks to search for in each look: a search asks every queue.
const SEARCHED: usize = 20;

/// Takes out those that have ended, and those that will leave no record: deleted by an operator, or run by a
/// worker of TaskTiger's.
async fn look(client: &Client, waiting: &mut HashSet<&str>) -> Result<()> {
    let still: Vec<&str> = waiting.iter().copied().collect();
    for ended in client.ended(&still).await?.into_iter().flatten() {
        waiting.remove(ended.id.as_str());
    }
    let still: Vec<&str> = waiting.iter().copied().take(SEARCHED).collect();
    for id in still {
        if client.find(id, 0).await?.iter().all(|found| found.state == State::Error) {
            waiting.remove(id);
        }
    }
    Ok(())
}

fn show(common: &Common, ids: &[String], ended: &[Option<Ended>]) -> Result<ExitCode> {
    let failed = ended.iter().any(|ended| ended.as_ref().is_none_or(|ended| ended.error.is_some()));
    if common.json {
        match ended {
            [one] => print::json(one)?,
            many => print::json(&many)?,
        }
    } else {
        for (id, ended) in ids.iter().zip(ended) {
            match ended {
                Some(Ended { result: Some(result), .. }) => print::line(result.get()),
                Some(Ended { error: Some(error), message, .. }) => {
                    eprintln!("error: task {id} failed: {error}: {}", message.as_deref().unwrap_or_default());
                    eprintln!("see `margay tasks show {id}`");
                }
                Some(_) => print::line("null"),
                None => eprintln!("error: task {id} left no result; see `margay tasks show {id}`"),
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn progress_bar(tasks: usize) -> ProgressBar {
    if tasks < 2 || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} tasks, {eta} left");
    ProgressBar::new(tasks as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
