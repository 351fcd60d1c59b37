//! The producer: a task is drafted, option by option, and then enqueued.
//!
//! A draft never fails in the middle: what is wrong with it is collected, and said when it is enqueued. A
//! client can be told to run tasks at once in place of queueing them: TaskTiger's `ALWAYS_EAGER`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use task::{FunctionName, Options, RetryMethod, Task, Timestamp, check_queue_name};
use thiserror::Error;

use crate::{Client, Error, NewTask, State, new_id, now, seconds_since_epoch};

/// A task that is not enqueued yet. Made by [`Client::task`]; what is left out is the function's own business,
/// or the worker's.
#[must_use = "a draft does nothing before it is enqueued"]
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    client: &'a Client,
    func: String,
    args: Vec<Box<RawValue>>,
    kwargs: Vec<(String, Box<RawValue>)>,
    queue: Option<String>,
    due: Due,
    own: Options,
    /// Everything else. Its function has no meaning where the name is among the problems.
    task: Task,
    problems: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Due {
    Now,
    After(Duration),
    At(Timestamp),
}

impl Client {
    /// Drafts a call of a function, `module:function`.
    pub fn task(&self, func: impl Into<String>) -> Draft<'_> {
        let func = func.into();
        let (name, problems) = match FunctionName::parse(func.as_str()) {
            Ok(name) => (name, Vec::new()),
            Err(bad) => {
                let nobody = FunctionName::parse("no:body").expect("it has both parts");
                (nobody, vec![format!("`func`: {bad}")])
            }
        };
        Draft {
            client: self,
            func,
            args: Vec::new(),
            kwargs: Vec::new(),
            queue: None,
            due: Due::Now,
            own: Options::default(),
            task: Task::new(new_id(), name),
            problems,
        }
    }

    /// Makes this client's drafts run at once, here, in place of being queued. Those that are due later are
    /// scheduled all the same, and [`Client::enqueue`] is as it was.
    pub fn eager(mut self, runner: Arc<dyn Eager>) -> Client {
        self.eager = Some(runner);
        self
    }
}

impl Draft<'_> {
    /// Adds a positional argument. Numbers that JSON has no word for, such as NaN, become `null`.
    pub fn arg(mut self, value: impl Serialize) -> Self {
        match to_raw_value(&value) {
            Ok(value) => self.args.push(value),
            Err(error) => {
                let place = self.args.len() + 1;
                self.problems.push(format!("`args`: argument {place} cannot be JSON: {error}"));
            }
        }
        self
    }

    /// Adds a named argument; the last of two with the same name counts.
    pub fn kwarg(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        let name = name.into();
        match to_raw_value(&value) {
            Ok(value) => {
                self.kwargs.retain(|(known, _)| *known != name);
                self.kwargs.push((name, value));
            }
            Err(error) => self.problems.push(format!("`kwargs`: `{name}` cannot be JSON: {error}")),
        }
        self
    }

    /// Which queue it goes to. Default: the one in the function's options, else `default`.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Makes it due so much later.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.due = Due::After(delay);
        self
    }

    /// Makes it due at this time; at once where it is past.
    pub fn at(mut self, time: SystemTime) -> Self {
        self.due = Due::At(seconds_since_epoch(time));
        self
    }

    /// Queues it once: a task of the same function with the same arguments that waits already is this one.
    pub fn unique(mut self) -> Self {
        self.task.unique = true;
        self
    }

    /// The same, but only these named arguments count.
    pub fn unique_key(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.task.unique_key = texts(names);
        self.unique()
    }

    /// Runs it one after the other with tasks of the same function and arguments.
    pub fn lock(mut self) -> Self {
        self.task.lock = true;
        self
    }

    /// The same, but only these named arguments count.
    pub fn lock_key(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.task.lock_key = texts(names);
        self.lock()
    }

    /// Retries failures by this method.
    pub fn retry(mut self, method: RetryMethod) -> Self {
        self.task.retry_method = Some(method);
        self
    }

    /// Retries only these kinds of failure; by the worker's default method, where none is given.
    pub fn retry_on(mut self, kinds: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.task.retry_on = texts(kinds);
        self
    }

    /// The longest that a run may take.
    pub fn hard_timeout(mut self, timeout: Duration) -> Self {
        self.task.hard_timeout = Some(timeout.as_secs_f64());
        self
    }

    /// How many tasks may be in its queue, this one included.
    pub fn max_queue_size(mut self, tasks: u32) -> Self {
        self.task.max_queue_size = Some(tasks);
        self
    }

    /// How many of its failed executions are kept.
    pub fn max_stored_executions(mut self, executions: u32) -> Self {
        self.task.max_stored_executions = Some(executions);
        self
    }

    /// Keeps a record of its end for so long, for [`Client::wait`]. An eager task leaves none.
    pub fn result_ttl(mut self, ttl: Duration) -> Self {
        self.task.margay.result_ttl = Some(ttl.as_secs_f64());
        self
    }

    /// Takes over the function's own options, as the description of its module has them. What the draft says
    /// itself beats them.
    pub fn options(mut self, own: &Options) -> Self {
        self.own = own.clone();
        self
    }

    /// Enqueues it, and answers its id. Where the client is [eager](Client::eager) and the task is due, it has
    /// been run, and its failure is the error.
    pub async fn enqueue(self) -> Result<String, Error> {
        let (client, now) = (self.client, now());
        let mut new = self.finish(now)?;
        let id = new.task.id.clone();
        match &client.eager {
            Some(eager) if new.place(now).0 == State::Queued => eager.run(&new).await.map(drop)?,
            _ => client.enqueue([new], now).await.map(drop)?,
        }
        Ok(id)
    }

    /// The task, for [`Client::enqueue`] together with others. A delay counts from now.
    pub fn build(self) -> Result<NewTask, Error> {
        self.finish(now())
    }

    fn finish(self, now: Timestamp) -> Result<NewTask, Error> {
        let Draft { func, args, kwargs, queue, due, own, mut task, mut problems, .. } = self;
        task.args = list(&args);
        task.kwargs = object(&kwargs);
        if task.retry_method.is_none() && !task.retry_on.is_empty() {
            // A Python worker retries nothing that names no method.
            task.retry_method = Some(RetryMethod::DEFAULT);
        }
        if let Err(error) = task.adopt(&own) {
            problems.push(format!("`unique`: the arguments make no id: {error}"));
        }
        let queue = queue.or(own.queue).unwrap_or_else(|| "default".to_owned());
        if let Err(bad) = check_queue_name(&queue) {
            problems.push(format!("`queue`: {bad}"));
        }
        if !problems.is_empty() {
            return Err(Error::Draft { func, problems: problems.join("; ") });
        }
        let due = match due {
            Due::Now => None,
            Due::After(delay) => Some(now + delay.as_secs_f64()),
            Due::At(time) => Some(time),
        };
        Ok(NewTask { queue, task, due })
    }
}

/// As TaskTiger does, the payload of a task without arguments has none.
fn list(args: &[Box<RawValue>]) -> Option<Box<RawValue>> {
    let list = to_raw_value(args).expect("JSON texts make a JSON array");
    (!args.is_empty()).then_some(list)
}

fn object(kwargs: &[(String, Box<RawValue>)]) -> Option<Box<RawValue>> {
    let member = |(name, value): &(String, _)| format!("{}:{value}", serde_json::Value::from(name.as_str()));
    let members: Vec<String> = kwargs.iter().map(member).collect();
    let object = RawValue::from_string(format!("{{{}}}", members.join(",")));
    (!kwargs.is_empty()).then(|| object.expect("JSON texts make a JSON object"))
}

fn texts(names: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}

/// Runs tasks where they are enqueued.
pub trait Eager: Send + Sync {
    /// Runs a task that is due, and answers its result: a JSON document.
    fn run(&self, task: &NewTask) -> BoxFuture<'_, Result<String, EagerError>>;
}

/// A task that was run at once has failed.
#[derive(Clone, Debug, Error)]
#[error("the task {id} failed: {kind}: {message}")]
pub struct EagerError {
    /// Which task: the one that was enqueued, or one that followed from it.
    pub id: String,
    /// What went wrong, as a name.
    pub kind: String,
    /// What went wrong, for people.
    pub message: String,
    /// Where it went wrong, as an execution would store it.
    pub traceback: String,
}
