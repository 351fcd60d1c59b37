//! The work: one task for each photo, enqueued at once, and the wait for their ends.

use std::collections::HashSet;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use queue::{Activity, Address, Client, Ended, Event, NewTask};
use serde::Deserialize;
use task::{FunctionName, Task};

use super::photos::Photo;

const FUNCTION: &str = "thumbnails:resize";
const QUEUE: &str = "thumbnails";
/// How long Redis keeps the record of an end; far longer than it takes to read it.
const RESULT_TTL_SECONDS: f64 = 3600.0;
/// The longest one picture may take.
const TIMEOUT_SECONDS: f64 = 60.0;
/// How many records are read in one round trip.
const READ_BATCH: usize = 500;

/// How one photo's task ended.
pub struct Finished {
    pub enqueued: f64,
    pub started: f64,
    pub ended: f64,
    /// The thumbnail, or why there is none.
    pub made: Result<Made, String>,
}

/// What the task says of the thumbnail.
#[derive(Deserialize)]
pub struct Made {
    pub output: String,
    pub bytes_after: u64,
    pub width: u32,
    pub height: u32,
}

/// Makes a thumbnail of each photo; answers in the photos' order.
pub async fn resize_all(redis: &str, photos: &[Photo], size: u32) -> Result<Vec<Finished>> {
    let address = Address { url: redis.to_owned(), prefix: "t".to_owned() };
    let client = Client::connect(&address).await?;
    // To listen first is to miss nothing.
    let mut ends = client.listen_to_ends().await?;
    let tasks = photos.iter().map(|photo| new_task(photo, size)).collect::<Result<Vec<_>>>()?;
    let ids: Vec<String> = tasks.iter().map(|new| new.task.id.clone()).collect();
    client.enqueue(tasks, queue::now()).await?;
    wait_for(&client, &mut ends, &ids).await?;
    let records = records(&client, &ids).await?;
    records.into_iter().map(|record| record.map(finished).context("a task ended without a record")).collect()
}

fn new_task(photo: &Photo, size: u32) -> Result<NewTask> {
    let mut task = Task::new(queue::new_id(), FunctionName::parse(FUNCTION)?);
    let arguments = serde_json::to_string(&(&photo.name, size))?;
    task.args = Some(serde_json::value::RawValue::from_string(arguments)?);
    task.hard_timeout = Some(TIMEOUT_SECONDS);
    task.margay.result_ttl = Some(RESULT_TTL_SECONDS);
    Ok(NewTask::new(QUEUE, task))
}

/// Waits until all have ended.
async fn wait_for(client: &Client, ends: &mut Activity, ids: &[String]) -> Result<()> {
    let bar = progress(ids.len());
    let mut waiting: HashSet<&str> = ids.iter().map(String::as_str).collect();
    while !waiting.is_empty() {
        match ends.next().await {
            Event::Ended(id) => {
                waiting.remove(id.as_str());
            }
            // What ended while nobody listened has left a record.
            Event::Reconnected => {
                for record in records(client, ids).await?.into_iter().flatten() {
                    waiting.remove(record.id.as_str());
                }
            }
            _ => {}
        }
        bar.set_position((ids.len() - waiting.len()) as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

/// A bar on a terminal; a line elsewhere.
fn progress(total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64);
    if bar.is_hidden() {
        eprintln!("making {total} thumbnails");
    }
    let style = ProgressStyle::with_template("thumbnails {wide_bar:.green} {pos}/{len} {elapsed}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

async fn records(client: &Client, ids: &[String]) -> Result<Vec<Option<Ended>>> {
    let mut records = Vec::with_capacity(ids.len());
    for batch in ids.chunks(READ_BATCH) {
        records.extend(client.ended(batch).await?);
    }
    Ok(records)
}

fn finished(record: Ended) -> Finished {
    let enqueued = record.enqueued.unwrap_or(record.started);
    Finished { enqueued, started: record.started, ended: record.ended, made: made(&record) }
}

fn made(record: &Ended) -> Result<Made, String> {
    let Some(result) = &record.result else {
        let message = record.message.as_deref().unwrap_or("no message");
        return Err(format!("{}: {message}", record.error.as_deref().unwrap_or(&record.outcome)));
    };
    serde_json::from_str(result.get())
        .map_err(|error| format!("`{FUNCTION}` returned something unexpected: {error}"))
}
