//! Tasks by what they have in common: what was typed becomes a selection, and is acted on page by page.

use std::io::IsTerminal;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use queue::{Client, Place, Selection, State, Walk};
use serde_json::json;
use task::{Filter, FunctionName};

use crate::args::{Chosen, Common, Range};
use crate::{print, usage};

/// What is done to the tasks that are meant.
#[derive(Clone, Copy)]
pub enum Action {
    Retry,
    Delete,
}

/// What was chosen: tasks by their ids, or a selection of those in this state.
pub enum Choice {
    Ids(Vec<String>),
    Selection(Selection),
}

impl Choice {
    pub fn of(chosen: Chosen, state: State) -> Result<Choice> {
        let Chosen { ids, range, function, kind, limit, all } = chosen;
        let narrowed = range.narrows() || function.is_some() || kind.is_some();
        if !ids.is_empty() {
            if narrowed || all || limit.is_some() || range.dry_run {
                return Err(usage("ids say already which tasks are meant; leave out all other options"));
            }
            return Ok(Choice::Ids(ids));
        }
        let what = word(state);
        if !narrowed && !all {
            return Err(usage(format!(
                "say which tasks: their ids, or --queue, --exclude-queue, --function, --kind, --older-than; \
                 or say --all if you mean every {what} task"
            )));
        }
        if let Some(name) = &function
            && FunctionName::parse(name).is_err()
            && task::check_module_name(name).is_err()
        {
            return Err(usage(format!(
                "--function: `{name}` is neither a function nor a module; write it as `module:function` or `module`"
            )));
        }
        if kind.as_ref().is_some_and(String::is_empty) {
            return Err(usage("--kind is empty; name a failure, such as `smtp`"));
        }
        let limit = limit.map_or(usize::MAX, usize::from);
        Ok(Choice::Selection(Selection { function, kind, limit, ..range.selection(state)? }))
    }
}

impl Range {
    fn narrows(&self) -> bool {
        !self.queue.is_empty() || !self.exclude_queue.is_empty() || self.older_than.is_some()
    }

    /// All tasks in this state and this range.
    pub fn selection(&self, state: State) -> Result<Selection> {
        for (flag, names) in [("--queue", &self.queue), ("--exclude-queue", &self.exclude_queue)] {
            for name in names {
                task::check_queue_name(name).map_err(|error| usage(format!("{flag}: {error}")))?;
            }
        }
        let queues = Filter { only: self.queue.clone(), exclude: self.exclude_queue.clone() };
        let before = self.older_than.map(|age| queue::now() - age.as_secs_f64());
        Ok(Selection { queues, before, ..Selection::of(state) })
    }
}

/// How far an action has come.
#[derive(Default)]
struct Count {
    matched: u64,
    done: u64,
}

/// Does one thing to all tasks that are meant, or only counts them.
pub async fn act(
    common: &Common,
    client: &Client,
    selection: Selection,
    action: Action,
    dry_run: bool,
) -> Result<()> {
    let (state, limit) = (selection.state, selection.limit);
    let mut walk = client.select(selection).await?;
    let progress = progress_bar(&walk).await?;
    let mut count = Count::default();
    let walked = act_on_all(client, &mut walk, action, dry_run, &mut count, &progress).await;
    progress.finish_and_clear();
    if walked.is_err() && count.done > 0 {
        eprintln!("note: before that failed, it {}", did(action, count.done));
    }
    walked?;
    if count.matched == limit as u64 {
        eprintln!("note: that is the limit, {limit}; there may be more");
    }
    report(common, state, action, dry_run, &count)
}

async fn act_on_all(
    client: &Client,
    walk: &mut Walk,
    action: Action,
    dry_run: bool,
    count: &mut Count,
    progress: &ProgressBar,
) -> Result<(), queue::Error> {
    while let Some(places) = walk.next().await? {
        count.matched += places.len() as u64;
        if !dry_run {
            count.done += apply(client, action, &places).await?;
        }
        progress.set_position(walk.seen());
    }
    Ok(())
}

async fn apply(client: &Client, action: Action, places: &[Place]) -> Result<u64, queue::Error> {
    match action {
        Action::Retry => client.retry_all(places, queue::now()).await,
        Action::Delete => client.delete_all(places).await,
    }
}

fn report(common: &Common, state: State, action: Action, dry_run: bool, count: &Count) -> Result<()> {
    let Count { matched, done } = *count;
    if matched == 0 {
        eprintln!("note: no {} task matches", word(state));
    } else if !dry_run && done < matched {
        eprintln!("note: {} moved meanwhile and stayed as they are", tasks(matched - done));
    }
    if common.json {
        let verb = match action {
            Action::Retry => "retried",
            Action::Delete => "deleted",
        };
        return print::json(&json!({ "matched": matched, verb: done, "dry_run": dry_run }));
    }
    match (matched, dry_run) {
        (0, _) => {}
        (_, true) => print::line(match action {
            Action::Retry => format!("would queue {} again", tasks(matched)),
            Action::Delete => format!("would delete {}", tasks(matched)),
        }),
        (_, false) => print::line(did(action, done)),
    }
    Ok(())
}

fn did(action: Action, number: u64) -> String {
    match action {
        Action::Retry => format!("queued {} again", tasks(number)),
        Action::Delete => format!("deleted {}", tasks(number)),
    }
}

fn tasks(number: u64) -> String {
    if number == 1 { "1 task".to_owned() } else { format!("{number} tasks") }
}

/// What tasks in this state are called.
fn word(state: State) -> &'static str {
    if state == State::Error { "failed" } else { state.as_str() }
}

/// Shown where somebody watches and there is more than a moment's work.
async fn progress_bar(walk: &Walk) -> Result<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let tasks = walk.ahead().await?;
    if tasks <= queue::MAX_BATCH as u64 {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} tasks, {eta} left");
    Ok(ProgressBar::new(tasks).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
}
