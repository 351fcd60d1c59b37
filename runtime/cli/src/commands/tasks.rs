//! `margay tasks`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use queue::{Client, Found, Page, State};
use serde_json::{Value, json};

use super::connect;
use crate::args::{Common, Tasks};
use crate::{print, usage};

pub async fn run(common: &Common, verb: Tasks) -> Result<ExitCode> {
    if let Tasks::List { queue, .. } = &verb {
        task::check_queue_name(queue).map_err(|error| usage(error.to_string()))?;
    }
    let client = connect(common).await?;
    match verb {
        Tasks::List { queue, state, limit, skip, newest } => {
            let page = Page { skip, limit, newest_first: newest, executions: 1 };
            list(common, &client, &queue, state, page).await?;
            Ok(ExitCode::SUCCESS)
        }
        Tasks::Show { id, executions } => {
            show(common, &client, &id, executions).await?;
            Ok(ExitCode::SUCCESS)
        }
        Tasks::Retry { ids } => each(common, &client, &ids, Verb::Retry).await,
        Tasks::Delete { ids } => each(common, &client, &ids, Verb::Delete).await,
    }
}

async fn list(common: &Common, client: &Client, queue: &str, state: Option<State>, page: Page) -> Result<()> {
    let states = state.map_or_else(|| State::ALL.to_vec(), |state| vec![state]);
    let mut listings = Vec::new();
    for state in states {
        listings.push((state, client.list(queue, state, page).await?));
    }
    if common.json {
        let of_state = |(state, listing): &(State, queue::Listing)| json!({ "state": state, "total": listing.total, "tasks": listing.tasks.iter().map(as_json).collect::<Vec<_>>() });
        return print::json(&listings.iter().map(of_state).collect::<Vec<_>>());
    }
    let mut table = print::table(["STATE", "ID", "FUNCTION", "SINCE / DUE", "LAST FAILURE"]);
    for found in listings.iter().flat_map(|(_, listing)| &listing.tasks) {
        let function =
            found.task.as_ref().map_or_else(|bad| format!("({bad})"), |task| task.func.to_string());
        let failure = found.executions.last().map(|execution| execution.exception_name.clone());
        let row = [found.state.to_string(), found.id.clone(), function, print::time(found.score)];
        table.add_row([row.as_slice(), &[failure.unwrap_or_default()]].concat());
    }
    print::line(table);
    for (state, listing) in listings.iter().filter(|(_, listing)| listing.total > listing.tasks.len() as u64)
    {
        eprintln!("{} of {} {state} tasks; see --skip and --limit", listing.tasks.len(), listing.total);
    }
    Ok(())
}

async fn show(common: &Common, client: &Client, id: &str, executions: usize) -> Result<()> {
    let places = client.find(id, executions).await?;
    let ended = client.ended(&[id]).await?.into_iter().flatten().next();
    if places.is_empty() && ended.is_none() {
        bail!(
            "no task `{id}` is here; tasks that are done leave nothing behind, unless a result was asked for"
        );
    }
    if common.json {
        let places: Vec<Value> = places.iter().map(as_json).collect();
        return print::json(&json!({ "id": id, "places": places, "ended": ended }));
    }
    for found in &places {
        print::line(place(found));
        match &found.task {
            Ok(task) => print::line(serde_json::to_string_pretty(task)?),
            Err(bad) => print::line(format!("  {bad}")),
        }
        for execution in found.executions.iter().rev() {
            let (name, at) = (&execution.exception_name, print::time(execution.time_failed));
            print::line(format!("\n{at}  {name}  on {}", execution.host));
            for line in execution.traceback.iter().flat_map(|traceback| traceback.lines()) {
                print::line(format!("    {line}"));
            }
        }
    }
    if let Some(ended) = ended {
        print::line(format!("{id} ended: {}", ended.outcome));
        print::line(serde_json::to_string_pretty(&ended)?);
    }
    Ok(())
}

/// Where a task is, and what the time of that place means.
fn place(found: &Found) -> String {
    let Found { id, queue, score, .. } = found;
    let time = print::time(*score);
    match found.state {
        State::Queued => format!("{id} is queued in `{queue}` since {time}"),
        State::Active => format!("{id} is active in `{queue}`; its worker was last heard of at {time}"),
        State::Scheduled => format!("{id} is scheduled in `{queue}` for {time}"),
        State::Error => format!("{id} failed in `{queue}` at {time}"),
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Retry,
    Delete,
}

/// Does one thing to each task, and says which could not be done. The others are done all the same.
async fn each(common: &Common, client: &Client, ids: &[String], verb: Verb) -> Result<ExitCode> {
    let mut report = Vec::new();
    for id in ids {
        let mut done = 0;
        let places = client.find(id, 0).await?;
        for found in &places {
            done += u32::from(match verb {
                Verb::Retry if found.state == State::Error => client.retry(found, queue::now()).await?,
                Verb::Delete if found.state != State::Active => client.delete(found).await?,
                Verb::Retry | Verb::Delete => false,
            });
        }
        report.push((id, done > 0, places.iter().map(|found| found.state).collect::<Vec<_>>()));
    }
    let refused = report.iter().any(|(_, done, _)| !done);
    if common.json {
        let lines: Vec<Value> = report
            .iter()
            .map(|(id, done, states)| json!({ "id": id, "done": done, "was": states }))
            .collect();
        print::json(&lines)?;
    } else {
        report.iter().for_each(|(id, done, states)| say(id, *done, states, verb));
    }
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn say(id: &str, done: bool, states: &[State], verb: Verb) {
    match (verb, done) {
        (Verb::Retry, true) => print::line(format!("{id} is queued again")),
        (Verb::Delete, true) => print::line(format!("{id} is deleted")),
        (_, false) if states.is_empty() => eprintln!("error: no task `{id}` is here"),
        (Verb::Retry, false) => eprintln!("error: `{id}` is {}; only failed tasks can be retried", states[0]),
        (Verb::Delete, false) => {
            eprintln!("error: `{id}` is {}; a running task cannot be deleted", states[0])
        }
    }
}

fn as_json(found: &Found) -> Value {
    let (task, bad) = match &found.task {
        Ok(task) => (serde_json::to_value(task).ok(), None),
        Err(bad) => (None, Some(bad.to_string())),
    };
    json!({
        "id": found.id,
        "queue": found.queue,
        "state": found.state,
        "time": found.score,
        "task": task,
        "unreadable": bad,
        "executions": found.executions,
    })
}
