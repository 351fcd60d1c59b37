//! Inspect: what is where. Reads only.

use std::collections::BTreeMap;

use redis::Value;
use serde::Serialize;
use task::{BadPayload, Execution, Task, Timestamp};

use crate::claim::{parse, text};
use crate::connect::text_of;
use crate::script::FIND;
use crate::{Client, Error, Presence, Rate, State};

/// How many tasks a queue has in each state.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QueueCounts {
    /// Tasks that wait for a worker.
    pub queued: u64,
    /// Tasks that workers hold.
    pub active: u64,
    /// Tasks that wait for their time.
    pub scheduled: u64,
    /// Tasks that failed for good.
    pub error: u64,
    /// When the task at the head of the queue was queued.
    pub oldest_queued: Option<Timestamp>,
}

/// Where a task is.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Which task.
    pub id: String,
    /// Its queue.
    pub queue: String,
    /// Its state there.
    pub state: State,
    /// The time that belongs to the state: queued at, last heartbeat, due, or failed at.
    pub score: Timestamp,
}

/// A task in a place.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which task.
    pub id: String,
    /// Its queue.
    pub queue: String,
    /// Its state there.
    pub state: State,
    /// The time that belongs to the state: queued at, last heartbeat, due, or failed at.
    pub score: Timestamp,
    /// The payload as it is stored; empty where it is missing or no text.
    pub payload: String,
    /// The payload, or why it cannot be read.
    pub task: Result<Task, BadPayload>,
    /// The latest failed executions, oldest first, as many as were asked for.
    pub executions: Vec<Execution>,
}

impl Found {
    /// Where it was found.
    pub fn place(&self) -> Place {
        let Found { id, queue, state, score, .. } = self;
        Place { id: id.clone(), queue: queue.clone(), state: *state, score: *score }
    }
}

/// Which part of a queue to list.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Tasks to leave out at the beginning.
    pub skip: usize,
    /// Tasks to list at most.
    pub limit: usize,
    /// From the newest on, not from the oldest.
    pub newest_first: bool,
    /// Executions of each task to load.
    pub executions: usize,
}

impl Default for Page {
    fn default() -> Self {
        Page { skip: 0, limit: 100, newest_first: false, executions: 0 }
    }
}

/// One part of a queue's tasks in one state.
#[derive(Debug)]
pub struct Listing {
    /// How many there are in all.
    pub total: u64,
    /// Those that were asked for.
    pub tasks: Vec<Found>,
}

/// Commands that go out together.
const PIPELINE: usize = 1000;

impl Client {
    /// All queues that have tasks, by name.
    pub async fn queues(&self) -> Result<BTreeMap<String, QueueCounts>, Error> {
        let mut places = Vec::new();
        for state in State::ALL {
            for queue in self.queue_names(state).await? {
                places.push((state, queue));
            }
        }
        let mut queues: BTreeMap<String, QueueCounts> = BTreeMap::new();
        for chunk in places.chunks(PIPELINE) {
            let mut ask = redis::pipe();
            for (state, queue) in chunk {
                ask.cmd("ZCARD").arg(self.keys().queue(*state, queue));
            }
            for (state, queue) in chunk.iter().filter(|(state, _)| *state == State::Queued) {
                ask.cmd("ZRANGE").arg(self.keys().queue(*state, queue)).arg(0).arg(0).arg("WITHSCORES");
            }
            let answers = self.pipeline("count tasks", &ask).await?;
            let (sizes, heads) = answers.split_at(chunk.len().min(answers.len()));
            let mut heads = heads.iter();
            for ((state, queue), size) in chunk.iter().zip(sizes) {
                let head = if *state == State::Queued { heads.next() } else { None };
                let Value::Int(n @ 1..) = *size else { continue };
                let counts = queues.entry(queue.clone()).or_default();
                let n = n.unsigned_abs();
                match state {
                    State::Queued => {
                        counts.queued = n;
                        counts.oldest_queued =
                            head.and_then(|head| members(head).first().map(|(_, score)| *score));
                    }
                    State::Active => counts.active = n,
                    State::Scheduled => counts.scheduled = n,
                    State::Error => counts.error = n,
                }
            }
        }
        Ok(queues)
    }

    /// The workers that are present, as they describe themselves.
    pub async fn workers(&self) -> Result<Vec<Presence>, Error> {
        let present = self.present_workers().await?;
        Ok(present.into_iter().filter_map(|(_, presence)| presence).collect())
    }

    /// How fast queues are worked on, by all workers of ours together.
    pub async fn rates(&self) -> Result<BTreeMap<String, Rate>, Error> {
        let mut rates: BTreeMap<String, Rate> = BTreeMap::new();
        for (queue, rate) in self.workers().await?.into_iter().flat_map(|worker| worker.rates) {
            let sum = rates.entry(queue).or_default();
            sum.done += rate.done;
            sum.failed += rate.failed;
        }
        Ok(rates)
    }

    /// The names of all queues that have tasks in this state.
    pub async fn queue_names(&self, state: State) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        let mut cursor = 0;
        loop {
            let (next, mut found) = self.scan_queues(state, cursor).await?;
            names.append(&mut found);
            cursor = next;
            if cursor == 0 {
                names.sort_unstable();
                names.dedup();
                return Ok(names);
            }
        }
    }

    /// One step of a walk over the queues in this state: names, and where to go on; 0 at the end.
    pub async fn scan_queues(&self, state: State, cursor: u64) -> Result<(u64, Vec<String>), Error> {
        let mut scan = redis::cmd("SSCAN");
        scan.arg(self.keys().state(state)).arg(cursor).arg("COUNT").arg(PIPELINE);
        let answer = self.command("list queues", &scan).await?;
        let unexpected =
            |answer: &Value| Error::Answer { doing: "list queues", answer: format!("{answer:?}") };
        let Value::Array(parts) = &answer else { return Err(unexpected(&answer)) };
        let [next, Value::Array(names)] = parts.as_slice() else { return Err(unexpected(&answer)) };
        let next =
            text(next.clone()).and_then(|next| next.parse().ok()).ok_or_else(|| unexpected(&answer))?;
        Ok((next, names.iter().cloned().filter_map(text).collect()))
    }

    /// A part of the tasks of a queue in one state.
    pub async fn list(&self, queue: &str, state: State, page: Page) -> Result<Listing, Error> {
        let key = self.keys().queue(state, queue);
        let mut ask = redis::pipe();
        ask.cmd("ZCARD").arg(&key);
        let command = if page.newest_first { "ZREVRANGE" } else { "ZRANGE" };
        if page.limit > 0 {
            ask.cmd(command)
                .arg(&key)
                .arg(page.skip)
                .arg(page.skip.saturating_add(page.limit - 1))
                .arg("WITHSCORES");
        }
        let answers = self.pipeline("list tasks", &ask).await?;
        let total = if let Some(Value::Int(n)) = answers.first() { n.unsigned_abs() } else { 0 };
        let places = answers.get(1).map(members).unwrap_or_default();
        let place = |(id, score)| Place { id, queue: queue.to_owned(), state, score };
        let places = places.into_iter().map(place).collect();
        Ok(Listing { total, tasks: self.load(places, page.executions).await? })
    }

    /// A task, in whatever queues and states it is; a unique one may be in several.
    pub async fn find(&self, id: &str, executions: usize) -> Result<Vec<Found>, Error> {
        let mut call = FIND.call(self);
        call.arg(id);
        let answer = FIND.run(self, &call).await?;
        let Value::Array(parts) = answer else { return Err(FIND.unexpected(&answer)) };
        let mut places = Vec::new();
        for place in parts.chunks_exact(3) {
            let read = |at: usize| text(place[at].clone());
            let (Some(state), Some(queue), Some(score)) = (read(0), read(1), read(2)) else {
                return Err(FIND.unexpected(&place));
            };
            let state = state.parse().map_err(|_| FIND.unexpected(&place))?;
            let score = score.parse().unwrap_or(0.0);
            places.push(Place { id: id.to_owned(), queue, state, score });
        }
        self.load(places, executions).await
    }

    /// Reads the tasks in these places, each with its latest failed executions.
    pub async fn load(&self, places: Vec<Place>, executions: usize) -> Result<Vec<Found>, Error> {
        let mut tasks = Vec::with_capacity(places.len());
        let mut places = places.into_iter();
        loop {
            let chunk: Vec<_> = places.by_ref().take(PIPELINE).collect();
            if chunk.is_empty() {
                return Ok(tasks);
            }
            let mut ask = redis::pipe();
            for Place { id, .. } in &chunk {
                ask.cmd("GET").arg(self.keys().payload(id));
                // LRANGE -0 would be the whole list, so nothing is asked for from beyond its end.
                let from = if executions == 0 { 1 } else { -(executions as i64) };
                ask.cmd("LRANGE").arg(self.keys().executions(id)).arg(from).arg(if executions == 0 {
                    0
                } else {
                    -1
                });
            }
            let answers = self.pipeline("read tasks", &ask).await?;
            for (place, answer) in chunk.into_iter().zip(answers.chunks_exact(2)) {
                let Place { id, queue, state, score } = place;
                let task = parse(&id, text_of(&answer[0]).unwrap_or_default());
                let payload = text(answer[0].clone()).unwrap_or_default();
                let executions = executions_of(&answer[1]);
                tasks.push(Found { id, queue, state, score, payload, task, executions });
            }
        }
    }
}

/// The texts in an answer; what is none is left out.
pub(crate) fn texts(answer: Value) -> Vec<String> {
    match answer {
        Value::Array(items) | Value::Set(items) => items.into_iter().filter_map(text).collect(),
        _ => Vec::new(),
    }
}

/// Members with their scores.
pub(crate) fn members(answer: &Value) -> Vec<(String, Timestamp)> {
    let Value::Array(parts) = answer else { return Vec::new() };
    let pair = |pair: &[Value]| Some((text(pair[0].clone())?, text(pair[1].clone())?.parse().ok()?));
    parts.chunks_exact(2).filter_map(pair).collect()
}

fn executions_of(answer: &Value) -> Vec<Execution> {
    let Value::Array(entries) = answer else { return Vec::new() };
    entries.iter().cloned().filter_map(text).filter_map(|json| serde_json::from_str(&json).ok()).collect()
}
