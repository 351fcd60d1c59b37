//! From what a producer types, on the command line or in a line of a bulk, to a task.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use modules::{Catalog, Unknown};
use queue::NewTask;
use serde::Deserialize;
use serde_json::value::RawValue;
use task::{FunctionName, Options, RetryMethod, Task, check_queue_name};

use crate::args::{Enqueue, TaskOptions};
use crate::usage;
use crate::values::{Length, Time, text};

/// One task as a line of a bulk writes it. Options that are left out are those of the command line.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Line {
    func: String,
    args: Option<Box<RawValue>>,
    kwargs: Option<Box<RawValue>>,
    queue: Option<String>,
    #[serde(rename = "in", deserialize_with = "text")]
    delay: Option<Length>,
    #[serde(deserialize_with = "text")]
    at: Option<Time>,
    unique: bool,
    unique_key: Vec<String>,
    lock: bool,
    lock_key: Vec<String>,
    max_queue_size: Option<u32>,
    #[serde(deserialize_with = "text")]
    retry: Option<RetryMethod>,
    retry_on: Vec<String>,
    #[serde(deserialize_with = "text")]
    hard_timeout: Option<Length>,
    max_stored_executions: Option<u32>,
}

/// What is known where the tasks go.
pub struct Site {
    /// The deployed modules.
    pub catalog: Catalog,
    /// The queue of tasks for which nobody names one.
    pub default_queue: String,
    /// How a task is retried that wants that and names no method.
    pub default_retry: RetryMethod,
}

impl Line {
    /// What stands on the command line.
    pub fn of(flags: &Enqueue) -> Result<Line> {
        let json = |text: &Option<String>, opens, what| {
            text.as_deref().map(|text| json_of_kind(text, opens, what)).transpose()
        };
        Ok(Line {
            func: flags.function.clone().unwrap_or_default(),
            args: json(&flags.args, '[', "ARGS")?,
            kwargs: json(&flags.kwargs, '{', "--kwargs")?,
            ..Line::default()
        })
    }

    /// What stands in a file, or in standard input where it is `-`. Every line is good, or none is taken.
    pub fn read_all(path: &Path) -> Result<Vec<Line>> {
        let shown = path.display();
        let input: Box<dyn Read> = if path.as_os_str() == "-" {
            Box::new(std::io::stdin())
        } else {
            Box::new(
                std::fs::File::open(path)
                    .map_err(|error| usage(format!("cannot read `{shown}`: {error}")))?,
            )
        };
        let mut lines = Vec::new();
        for (number, text) in (1..).zip(BufReader::new(input).lines()) {
            let text = text.with_context(|| format!("cannot read `{shown}`"))?;
            let bad = |what: String| usage(format!("`{shown}` line {number}: {what}; nothing was enqueued"));
            if text.trim().is_empty() {
                return Err(bad("is empty; each line is a JSON object".to_owned()));
            }
            let line: Line = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
            check_kind("args", line.args.as_deref(), '[').map_err(|error| bad(error.to_string()))?;
            check_kind("kwargs", line.kwargs.as_deref(), '{').map_err(|error| bad(error.to_string()))?;
            lines.push(line);
        }
        Ok(lines)
    }

    /// The task. The line beats the command line's options, which beat the function's own.
    pub fn task(self, flags: &TaskOptions, site: &Site, result_ttl: Option<Duration>) -> Result<NewTask> {
        let func = FunctionName::parse(self.func).map_err(|error| usage(error.to_string()))?;
        let own = own_options(&func, &site.catalog)?;
        let mut task = Task::new(queue::new_id(), func);
        task.args = self.args;
        task.kwargs = self.kwargs;
        task.retry_method = self.retry.or_else(|| flags.retry.clone());
        task.retry_on = first_named([self.retry_on, flags.retry_on.clone()]);
        if task.retry_method.is_none() && !task.retry_on.is_empty() {
            // A Python worker retries nothing that names no method.
            task.retry_method = Some(site.default_retry.clone());
        }
        let hard_timeout = self.hard_timeout.map(|Length(length)| length).or(flags.hard_timeout);
        if hard_timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(usage("`hard_timeout` must be longer than nothing"));
        }
        task.hard_timeout = hard_timeout.map(|timeout| timeout.as_secs_f64());
        task.max_stored_executions = self.max_stored_executions.or(flags.max_stored_executions);
        task.margay.result_ttl = result_ttl.map(|ttl| ttl.as_secs_f64());
        task.unique_key = first_named([self.unique_key, flags.unique_key.clone()]);
        task.unique = self.unique || flags.unique || !task.unique_key.is_empty();
        task.lock_key = first_named([self.lock_key, flags.lock_key.clone()]);
        task.lock = self.lock || flags.lock || !task.lock_key.is_empty();
        task.max_queue_size = self.max_queue_size.or(flags.max_queue_size);
        if task.max_queue_size == Some(0) {
            return Err(usage("`max_queue_size` must be at least 1"));
        }
        task.adopt(&own).map_err(|error| anyhow!("the arguments make no unique id: {error}"))?;

        let queue = self.queue.or_else(|| flags.queue.clone()).or(own.queue);
        let queue = queue.unwrap_or_else(|| site.default_queue.clone());
        check_queue_name(&queue).map_err(|error| usage(error.to_string()))?;
        if self.at.is_some() && self.delay.is_some() {
            return Err(usage("`in` and `at` exclude each other"));
        }
        let due = match (self.at, self.delay) {
            (Some(Time(at)), _) => Some(at),
            (None, Some(Length(delay))) => Some(queue::now() + delay.as_secs_f64()),
            (None, None) => flags.at.or(flags.delay.map(|delay| queue::now() + delay.as_secs_f64())),
        };
        Ok(NewTask { queue, task, due })
    }
}

fn first_named(lists: [Vec<String>; 2]) -> Vec<String> {
    lists.into_iter().find(|list| !list.is_empty()).unwrap_or_default()
}

/// JSON that must be an array (`[`) or an object (`{`).
pub fn json_of_kind(text: &str, opens: char, what: &str) -> Result<Box<RawValue>> {
    let json: Box<RawValue> = serde_json::from_str(text)
        .map_err(|error| usage(format!("{what} is not JSON: {error}; write {}", kind(opens))))?;
    check_kind(what, Some(&json), opens)?;
    Ok(json)
}

fn check_kind(what: &str, json: Option<&RawValue>, opens: char) -> Result<()> {
    match json {
        Some(json) if !json.get().starts_with(opens) => Err(usage(format!("{what} must be {}", kind(opens)))),
        _ => Ok(()),
    }
}

fn kind(opens: char) -> &'static str {
    if opens == '[' { "a JSON array, such as '[1, \"two\"]'" } else { "a JSON object, such as '{\"a\": 1}'" }
}

/// Says once of each module that it is not deployed: that may be a mistake, or Python's function.
pub fn note_unknown_modules(lines: &[Line], catalog: &Catalog) {
    let names = lines.iter().filter_map(|line| FunctionName::parse(line.func.as_str()).ok());
    let modules = names.map(|func| func.module().to_owned());
    for module in modules.filter(|module| catalog.module(module).is_none()).collect::<BTreeSet<_>>() {
        eprintln!("note: no module `{module}` is deployed here; its tasks wait for one, or for Python");
    }
}

/// What a deployed function wishes for. A module that is not deployed may be Python's; a function that its
/// module does not have is a mistake.
fn own_options(func: &FunctionName, catalog: &Catalog) -> Result<Options> {
    match catalog.resolve(func) {
        Ok(resolved) if resolved.function.hook.is_some() => {
            bail!("`{func}` is a hook: it is called around the runs of others, and never enqueued")
        }
        Ok(resolved) => Ok(resolved.function.options.clone()),
        Err(Unknown::Module) => Ok(Options::default()),
        Err(Unknown::Function) => {
            let functions = catalog.module(func.module()).map(|version| version.functions.as_slice());
            let known = functions.unwrap_or_default().iter().map(|function| format!("`{}`", function.name));
            let known = known.collect::<Vec<_>>().join(", ");
            bail!("module `{}` has no function `{}`; it has {known}", func.module(), func.function())
        }
    }
}
