//! `margay enqueue`.

use std::collections::{BTreeSet, HashSet};
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use modules::{Catalog, Store, Unknown};
use queue::{Activity, Client, Ended, Event, NewTask, State};
use serde::Deserialize;
use serde_json::value::RawValue;
use task::{FunctionName, Task, check_queue_name};
use tokio::time::timeout;

use super::connect;
use crate::args::{Common, Enqueue, TaskOptions};
use crate::{print, usage, values};

/// How long the record of a task's end is kept for one who waits.
const RESULT_TTL: Duration = Duration::from_secs(3600);
/// More tasks than this are cheaper to follow on one pattern, other producers' tasks included.
const MOST_CHANNELS: usize = 100;

pub async fn run(common: &Common, flags: Enqueue) -> Result<ExitCode> {
    let lines = match &flags.bulk {
        Some(path) => bulk_lines(path)?,
        None => vec![single_line(&flags)?],
    };
    let client = connect(common).await?;
    let catalog = Store::new(client.clone()).catalog().await?;
    note_unknown_modules(&lines, &catalog);
    let mut tasks = Vec::with_capacity(lines.len());
    for (number, line) in lines.into_iter().enumerate() {
        let place =
            || if flags.bulk.is_some() { format!("line {}", number + 1) } else { "the task".to_owned() };
        tasks.push(new_task(line, &flags, &catalog).with_context(place)?);
    }
    let ids: Vec<String> = tasks.iter().map(|new| new.task.id.clone()).collect();
    let listening = if flags.wait { Some(listen(&client, &ids).await?) } else { None };
    client.enqueue(tasks, queue::now()).await?;
    match listening {
        Some(activity) => wait(common, &client, &ids, activity).await,
        None if common.json => print::json(&ids).map(|()| ExitCode::SUCCESS),
        None => {
            ids.iter().for_each(print::line);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// One task as a line of a bulk writes it. Options that are left out are those of the command line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    func: String,
    #[serde(default)]
    args: Option<Box<RawValue>>,
    #[serde(default)]
    kwargs: Option<Box<RawValue>>,
    #[serde(default)]
    queue: Option<String>,
    #[serde(default, rename = "in")]
    delay: Option<String>,
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    retry: Option<String>,
    #[serde(default)]
    retry_on: Vec<String>,
    #[serde(default)]
    hard_timeout: Option<String>,
    #[serde(default)]
    max_stored_executions: Option<u32>,
}

fn single_line(flags: &Enqueue) -> Result<Line> {
    let part = |text: &Option<String>, opens, what| {
        text.as_deref().map(|text| json_of_kind(text, opens, what)).transpose()
    };
    Ok(Line {
        func: flags.function.clone().unwrap_or_default(),
        args: part(&flags.args, '[', "ARGS")?,
        kwargs: part(&flags.kwargs, '{', "--kwargs")?,
        queue: None,
        delay: None,
        at: None,
        retry: None,
        retry_on: Vec::new(),
        hard_timeout: None,
        max_stored_executions: None,
    })
}

fn bulk_lines(path: &std::path::Path) -> Result<Vec<Line>> {
    let shown = path.display();
    let input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(|error| usage(format!("cannot read `{shown}`: {error}")))?)
    };
    let mut lines = Vec::new();
    for (number, text) in BufReader::new(input).lines().enumerate() {
        let text = text.with_context(|| format!("cannot read `{shown}`"))?;
        if text.trim().is_empty() {
            return Err(usage(format!(
                "`{shown}` line {}: is empty; each line is a JSON object",
                number + 1
            )));
        }
        let line = serde_json::from_str(&text).map_err(|error| {
            usage(format!("`{shown}` line {}: {error}; nothing was enqueued", number + 1))
        })?;
        lines.push(line);
    }
    Ok(lines)
}

/// JSON that must be an array (`[`) or an object (`{`).
pub fn json_of_kind(text: &str, opens: char, what: &str) -> Result<Box<RawValue>> {
    let kind = if opens == '[' {
        "a JSON array, such as '[1, \"two\"]'"
    } else {
        "a JSON object, such as '{\"a\": 1}'"
    };
    let json: Box<RawValue> = serde_json::from_str(text)
        .map_err(|error| usage(format!("{what} is not JSON: {error}; write {kind}")))?;
    if !json.get().starts_with(opens) {
        return Err(usage(format!("{what} must be {kind}")));
    }
    Ok(json)
}

fn new_task(line: Line, flags: &Enqueue, catalog: &Catalog) -> Result<NewTask> {
    let func = FunctionName::parse(line.func).map_err(|error| usage(error.to_string()))?;
    let own_queue = known_queue(&func, catalog)?;
    let TaskOptions { queue, delay, at, retry, retry_on, hard_timeout, max_stored_executions } =
        options(&line.delay, &line.at, &line.retry, &line.hard_timeout, &flags.options)?;
    let mut task = Task::new(queue::new_id(), func);
    for (field, value, opens) in [("args", &line.args, '['), ("kwargs", &line.kwargs, '{')] {
        if value.as_ref().is_some_and(|value| !value.get().starts_with(opens)) {
            let kind = if opens == '[' { "array" } else { "object" };
            return Err(usage(format!("`{field}` must be a JSON {kind}")));
        }
    }
    task.args = line.args;
    task.kwargs = line.kwargs;
    task.retry_method = retry;
    task.retry_on = if line.retry_on.is_empty() { retry_on } else { line.retry_on };
    task.hard_timeout = hard_timeout.map(|timeout| timeout.as_secs_f64());
    task.max_stored_executions = line.max_stored_executions.or(max_stored_executions);
    task.margay.result_ttl = flags.wait.then(|| RESULT_TTL.as_secs_f64());
    let queue = line.queue.or(queue).or(own_queue).unwrap_or_else(|| "default".to_owned());
    check_queue_name(&queue).map_err(|error| usage(error.to_string()))?;
    let due = at.or(delay.map(|delay| queue::now() + delay.as_secs_f64()));
    Ok(NewTask { queue, task, due })
}

/// The command line's options, with what a line says in place of them.
fn options(
    delay: &Option<String>,
    at: &Option<String>,
    retry: &Option<String>,
    hard_timeout: &Option<String>,
    flags: &TaskOptions,
) -> Result<TaskOptions> {
    let mut options = flags.clone();
    let bad = |field: &str, error: String| usage(format!("`{field}`: {error}"));
    if let Some(text) = delay {
        options.delay = Some(values::duration(text).map_err(|error| bad("in", error))?);
        options.at = None;
    }
    if let Some(text) = at {
        options.at = Some(values::time(text).map_err(|error| bad("at", error))?);
    }
    if let Some(text) = retry {
        options.retry = Some(text.parse().map_err(|error: task::BadRetry| bad("retry", error.to_string()))?);
    }
    if let Some(text) = hard_timeout {
        options.hard_timeout = Some(values::duration(text).map_err(|error| bad("hard_timeout", error))?);
    }
    Ok(options)
}

/// Says once of each module that it is not deployed: that may be a mistake, or Python's function.
fn note_unknown_modules(lines: &[Line], catalog: &Catalog) {
    let names = lines.iter().filter_map(|line| FunctionName::parse(line.func.as_str()).ok());
    let unknown: BTreeSet<String> = names
        .map(|func| func.module().to_owned())
        .filter(|module| catalog.module(module).is_none())
        .collect();
    for module in unknown {
        eprintln!("note: no module `{module}` is deployed here; its tasks wait for one, or for Python");
    }
}

/// The queue that a deployed function wishes for. A module that is not deployed may be Python's; a function
/// that its module does not have is a mistake.
fn known_queue(func: &FunctionName, catalog: &Catalog) -> Result<Option<String>> {
    match catalog.resolve(func) {
        Ok(resolved) => Ok(resolved.function.options.queue.clone()),
        Err(Unknown::Module) => {
            eprintln!(
                "note: no module `{}` is deployed here; the task waits for one, or for Python",
                func.module()
            );
            Ok(None)
        }
        Err(Unknown::Function) => {
            let functions = catalog.module(func.module()).map(|version| version.functions.as_slice());
            let known: Vec<String> =
                functions.unwrap_or_default().iter().map(|function| format!("`{}`", function.name)).collect();
            bail!(
                "module `{}` has no function `{}`; it has {}",
                func.module(),
                func.function(),
                known.join(", ")
            )
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
    while !waiting.is_empty() {
        match timeout(LOOK, activity.next()).await {
            Ok(Event::Ended(id)) => drop(waiting.remove(id.as_str())),
            Ok(_) | Err(_) => look(client, &mut waiting).await?,
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
