//! Select: which tasks an operator means, by what they have in common.
//!
//! A walk finds them page by page, however many there are, and acts on none. Deleting what it found does not
//! make it skip anything, and what comes into a queue while it walks there is not its business: tasks that are
//! retried and fail again do not keep it going.

use std::collections::VecDeque;

use redis::Value;
use task::{Filter, Timestamp};

use crate::claim::text;
use crate::inspect::members;
use crate::script::SELECT;
use crate::{Client, Error, Found, MAX_BATCH, Place, State};

/// Which tasks are meant: those in one state that have all of this in common.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Their state.
    pub state: State,
    /// In which queues.
    pub queues: Filter,
    /// What they call: `module:function`, or a module with all its functions.
    pub function: Option<String>,
    /// The name of what went wrong when they failed last.
    pub kind: Option<String>,
    /// Those whose time is this or earlier: when they failed, were queued, or are due.
    pub before: Option<Timestamp>,
    /// So many at most.
    pub limit: usize,
}

impl Selection {
    /// All tasks in this state.
    pub fn of(state: State) -> Selection {
        let queues = Filter::default();
        Selection { state, queues, function: None, kind: None, before: None, limit: usize::MAX }
    }

    /// Whether tasks must be read to tell.
    fn needs_reading(&self) -> bool {
        self.function.is_some() || self.kind.is_some()
    }

    fn admits(&self, found: &Found) -> bool {
        let called = self.function.as_ref().is_none_or(|wanted| {
            found.task.as_ref().is_ok_and(|task| task.func.as_str() == wanted || task.func.module() == wanted)
        });
        let failed = self.kind.as_ref().is_none_or(|wanted| {
            found.executions.last().is_some_and(|execution| execution.exception_name == *wanted)
        });
        called && failed
    }
}

/// A walk over the tasks that a selection means: queue by queue, in each from the earliest on.
#[derive(Debug)]
pub struct Walk {
    client: Client,
    selection: Selection,
    ahead: VecDeque<Stop>,
    left: usize,
    seen: u64,
}

/// A queue that is not yet walked to its end.
#[derive(Debug)]
struct Stop {
    queue: String,
    /// The highest score that matters.
    until: Timestamp,
    /// The task that was seen last.
    behind: Option<(Timestamp, String)>,
}

/// How many queues one call looks into: most have less than a page.
const STOPS: usize = 100;

impl Client {
    /// Begins a walk over the tasks that are meant.
    pub async fn select(&self, selection: Selection) -> Result<Walk, Error> {
        let until = selection.before.unwrap_or(f64::INFINITY);
        let mut names = self.queue_names(selection.state).await?;
        names.retain(|name| selection.queues.admits(name));
        let ahead = names.into_iter().map(|queue| Stop { queue, until, behind: None }).collect();
        Ok(Walk { client: self.clone(), left: selection.limit, selection, ahead, seen: 0 })
    }
}

impl Walk {
    /// Some of the tasks, at most a batch of them; `None` at the end. There may be none among those that were
    /// looked at, and more ahead.
    pub async fn next(&mut self) -> Result<Option<Vec<Place>>, Error> {
        if self.left == 0 || self.ahead.is_empty() {
            return Ok(None);
        }
        let mut places = self.page().await?;
        self.seen += places.len() as u64;
        if self.selection.needs_reading() {
            let executions = usize::from(self.selection.kind.is_some());
            let read = self.client.load(places, executions).await?;
            let meant = read.iter().filter(|found| self.selection.admits(found));
            places = meant.take(self.left).map(Found::place).collect();
        }
        self.left -= places.len();
        Ok(Some(places))
    }

    /// How many tasks it has looked at.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// How many tasks there are ahead to look at.
    pub async fn ahead(&self) -> Result<u64, Error> {
        let mut total = 0;
        let ahead: Vec<&Stop> = self.ahead.iter().collect();
        for chunk in ahead.chunks(1000) {
            let mut ask = redis::pipe();
            for stop in chunk {
                let from = stop.behind.as_ref().map_or(f64::NEG_INFINITY, |(score, _)| *score);
                let key = self.client.keys().queue(self.selection.state, &stop.queue);
                ask.cmd("ZCOUNT").arg(key).arg(from).arg(stop.until);
            }
            for answer in self.client.pipeline("count tasks", &ask).await? {
                total += if let Value::Int(number) = answer { number.unsigned_abs() } else { 0 };
            }
        }
        Ok(if self.selection.needs_reading() { total } else { total.min(self.left as u64) })
    }

    /// The next tasks in line, whatever they are.
    async fn page(&mut self) -> Result<Vec<Place>, Error> {
        let most = if self.selection.needs_reading() { MAX_BATCH } else { MAX_BATCH.min(self.left) };
        let mut call = SELECT.call(&self.client);
        call.arg(self.selection.state.as_str()).arg(most);
        for stop in self.ahead.iter().take(STOPS) {
            call.arg(&stop.queue).arg(stop.until);
            match &stop.behind {
                Some((score, id)) => call.arg(score).arg(id),
                None => call.arg("").arg(""),
            };
        }
        let answer = SELECT.run(&self.client, &call).await?;
        let Value::Array(queues) = answer else { return Err(SELECT.unexpected(&answer)) };
        let mut places = Vec::new();
        let mut left = most;
        for queue in queues {
            let Value::Array(parts) = &queue else { return Err(SELECT.unexpected(&queue)) };
            let [highest, found] = parts.as_slice() else { return Err(SELECT.unexpected(&queue)) };
            let Some(stop) = self.ahead.pop_front() else { return Err(SELECT.unexpected(&queue)) };
            let place =
                |(id, score)| Place { id, queue: stop.queue.clone(), state: self.selection.state, score };
            places.extend(members(found).into_iter().map(place));
            // Members that are no text are left out, but they fill the page.
            left = left.saturating_sub(found.as_sequence().map_or(0, |pairs| pairs.len() / 2));
            if left == 0
                && let Some(rest) = stop.go_on_behind(places.last(), highest)
            {
                self.ahead.push_front(rest);
            }
        }
        Ok(places)
    }
}

impl Stop {
    /// The same queue, once this task of it was seen, up to what is in it now.
    fn go_on_behind(self, last: Option<&Place>, highest: &Value) -> Option<Stop> {
        let last = last.filter(|last| last.queue == self.queue)?;
        let highest = text(highest.clone()).and_then(|score| score.parse().ok());
        let until = self.until.min(highest.unwrap_or(self.until));
        Some(Stop { until, behind: Some((last.score, last.id.clone())), ..self })
    }
}
