//! `margay tasks`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use comfy_table::ContentArrangement;
use queue::{Client, Ended, Found, Listing, Page, Rescheduled, State};
use serde::Serialize;
use serde_json::{Value, json};
use task::{Execution, Task, Timestamp};

use super::connect;
use super::selection::{self, Action, Choice};
use crate::args::{Chosen, Common, Tasks};
use crate::{print, usage};

pub async fn run(common: &Common, verb: Tasks) -> Result<ExitCode> {
    match verb {
        Tasks::List { queue, state, limit, skip, newest, oldest: _, executions } => {
            let page = Page { skip, limit, newest_first: newest, executions };
            list(common, &queue, state, page).await?;
        }
        Tasks::Show { id, executions } => {
            check_ids(std::slice::from_ref(&id))?;
            show(common, &connect(common).await?, &id, executions).await?;
        }
        Tasks::Cancel { ids } => return each(common, &ids, Verb::Cancel).await,
        Tasks::Reschedule { ids, when } => {
            let later = queue::now() + when.delay.unwrap_or_default().as_secs_f64();
            return each(common, &ids, Verb::Reschedule(when.at.unwrap_or(later))).await;
        }
        Tasks::Retry { chosen } => {
            return those(common, chosen, State::Error, Verb::Retry, Action::Retry).await;
        }
        Tasks::Delete { chosen, state: None } => {
            return those(common, chosen, State::Error, Verb::Delete, Action::Delete).await;
        }
        Tasks::Delete { chosen, state: Some(state) } => {
            if state == State::Active {
                return Err(usage(
                    "--state: a running task cannot be deleted; choose queued, scheduled or error",
                ));
            }
            if !chosen.ids.is_empty() {
                return Err(usage("--state chooses among tasks; leave it out where you name ids"));
            }
            return those(common, chosen, state, Verb::Delete, Action::Delete).await;
        }
        Tasks::Purge { range, limit } => {
            let mut failed = range.selection(State::Error)?;
            failed.limit = limit.into();
            let client = connect(common).await?;
            selection::act(common, &client, failed, Action::Delete, range.dry_run).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Does one thing to tasks that were named, or to those that were chosen by what they have in common.
async fn those(
    common: &Common,
    chosen: Chosen,
    state: State,
    verb: Verb,
    action: Action,
) -> Result<ExitCode> {
    let dry_run = chosen.range.dry_run;
    match Choice::of(chosen, state)? {
        Choice::Ids(ids) => each(common, &ids, verb).await,
        Choice::Selection(chosen) => {
            let client = connect(common).await?;
            selection::act(common, &client, chosen, action, dry_run).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn list(common: &Common, queue: &str, state: Option<State>, page: Page) -> Result<()> {
    task::check_queue_name(queue).map_err(|error| usage(format!("QUEUE: {error}")))?;
    let client = connect(common).await?;
    let states = state.map_or_else(|| State::ALL.to_vec(), |state| vec![state]);
    let mut listings = Vec::new();
    for state in states {
        // The last failure is shown in any case.
        let page = Page { executions: page.executions.max(1), ..page };
        listings.push((state, client.list(queue, state, page).await?));
    }
    if common.json {
        return print::json(&listings.iter().map(InState::of).collect::<Vec<_>>());
    }
    let tasks: Vec<&Found> = listings.iter().flat_map(|(_, listing)| &listing.tasks).collect();
    print_tasks(&tasks, page.executions > 0);
    for (state, listing) in listings.iter().filter(|(_, listing)| listing.total > listing.tasks.len() as u64)
    {
        eprintln!("{} of {} {state} tasks; see --skip and --limit", listing.tasks.len(), listing.total);
    }
    Ok(())
}

/// A table with a row for each task; on request with its executions below, the latest first.
fn print_tasks(tasks: &[&Found], with_executions: bool) {
    let mut table = print::table(["STATE", "ID", "FUNCTION", "SINCE / DUE", "LAST FAILURE"]);
    for found in tasks {
        let function =
            found.task.as_ref().map_or_else(|bad| format!("({bad})"), |task| task.func.to_string());
        let failure = found.executions.last().map(|execution| execution.exception_name.clone());
        let row = [found.state.to_string(), found.id.clone(), function, print::time(found.score)];
        table.add_row([row.as_slice(), &[failure.unwrap_or_default()]].concat());
    }
    if !with_executions {
        return print::line(table);
    }
    // Only without wrapping each row is one line.
    table.set_content_arrangement(ContentArrangement::Disabled);
    let mut lines = table.lines();
    lines.by_ref().take(1).for_each(print::line);
    for (line, found) in lines.zip(tasks) {
        print::line(line);
        found.executions.iter().rev().for_each(print_execution);
    }
}

fn print_execution(execution: &Execution) {
    let (name, at) = (&execution.exception_name, print::time(execution.time_failed));
    print::line(format!("  {at}  {name}  on {}", execution.host));
    for line in execution.traceback.iter().flat_map(|traceback| traceback.lines()) {
        print::line(format!("    {line}"));
    }
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
        let places = places.iter().map(Shown::of).collect();
        return print::json(&Everywhere { id, places, ended });
    }
    for found in &places {
        print::line(place(found));
        match &found.task {
            Ok(task) => print::line(serde_json::to_string_pretty(task)?),
            Err(bad) => print::line(format!("  {bad}")),
        }
        for execution in found.executions.iter().rev() {
            print::line("");
            print_execution(execution);
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

/// What is done to tasks that were named.
#[derive(Clone, Copy)]
enum Verb {
    Retry,
    Delete,
    Cancel,
    Reschedule(f64),
}

impl Verb {
    fn admits(self, state: State) -> bool {
        match self {
            Verb::Retry => state == State::Error,
            Verb::Delete => state != State::Active,
            Verb::Cancel | Verb::Reschedule(_) => state == State::Scheduled,
        }
    }

    async fn apply(self, client: &Client, found: &Found) -> Result<bool, queue::Error> {
        match self {
            Verb::Retry => client.retry(found, queue::now()).await,
            Verb::Delete => client.delete(found).await,
            Verb::Cancel => client.cancel(found).await,
            Verb::Reschedule(due) => {
                Ok(client.reschedule(found, due, queue::now()).await? == Rescheduled::Done)
            }
        }
    }

    /// What a task is, once it is done.
    fn done(self) -> String {
        match self {
            Verb::Retry => "is queued again".to_owned(),
            Verb::Delete => "is deleted".to_owned(),
            Verb::Cancel => "is cancelled".to_owned(),
            Verb::Reschedule(due) if due <= queue::now() => "is due now".to_owned(),
            Verb::Reschedule(due) => format!("is scheduled for {}", print::time(due)),
        }
    }

    /// Why it cannot be done in other states.
    fn rule(self) -> &'static str {
        match self {
            Verb::Retry => "only failed tasks can be retried",
            Verb::Delete => "a running task cannot be deleted",
            Verb::Cancel => "only scheduled tasks can be cancelled",
            Verb::Reschedule(_) => "only scheduled tasks can be rescheduled",
        }
    }
}

/// Does one thing to each task, and says which could not be done. The others are done all the same.
async fn each(common: &Common, ids: &[String], verb: Verb) -> Result<ExitCode> {
    check_ids(ids)?;
    let client = connect(common).await?;
    let mut report = Vec::new();
    for id in ids {
        let mut done = false;
        let places = client.find(id, 0).await?;
        for found in places.iter().filter(|found| verb.admits(found.state)) {
            done |= verb.apply(&client, found).await?;
        }
        report.push((id, done, places.iter().map(|found| found.state).collect::<Vec<_>>()));
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
    if done {
        print::line(format!("{id} {}", verb.done()));
    } else if states.is_empty() {
        eprintln!("error: no task `{id}` is here");
    } else if states.iter().any(|state| verb.admits(*state)) {
        eprintln!("error: `{id}` has just moved; look where it is, and try again");
    } else {
        let states: Vec<&str> = states.iter().map(|state| what(*state)).collect();
        eprintln!("error: `{id}` {}; {}", states.join(" and "), verb.rule());
    }
}

/// What is said of a task in this state.
fn what(state: State) -> &'static str {
    match state {
        State::Queued => "is queued",
        State::Active => "is active",
        State::Scheduled => "is scheduled",
        State::Error => "has failed",
    }
}

fn check_ids(ids: &[String]) -> Result<()> {
    ids.iter().try_for_each(|id| task::check_id(id)).map_err(|error| usage(format!("ID: {error}")))
}

/// A task in one of its places, as JSON: arguments keep every digit.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    queue: &'a str,
    state: State,
    time: Timestamp,
    task: Option<&'a Task>,
    unreadable: Option<String>,
    executions: &'a [Execution],
}

impl Shown<'_> {
    fn of(found: &Found) -> Shown<'_> {
        Shown {
            id: &found.id,
            queue: &found.queue,
            state: found.state,
            time: found.score,
            task: found.task.as_ref().ok(),
            unreadable: found.task.as_ref().err().map(ToString::to_string),
            executions: &found.executions,
        }
    }
}

/// A queue's tasks in one state.
#[derive(Serialize)]
struct InState<'a> {
    state: State,
    total: u64,
    tasks: Vec<Shown<'a>>,
}

impl InState<'_> {
    fn of((state, listing): &(State, Listing)) -> InState<'_> {
        InState { state: *state, total: listing.total, tasks: listing.tasks.iter().map(Shown::of).collect() }
    }
}

/// A task wherever it is.
#[derive(Serialize)]
struct Everywhere<'a> {
    id: &'a str,
    places: Vec<Shown<'a>>,
    ended: Option<Ended>,
}
