//! What a deploy does to periodic tasks: the next run of every one is planned, at its new time where its schedule has
//! changed, and taken back where it is periodic no more.

use std::sync::Arc;

use anyhow::Result;
use modules::Version;
use queue::{Client, NewTask, Running};
use sandbox::{Call, Grants, Limits, NoFunctions, NoOutput, Run, TaskInfo};
use task::{FunctionName, FunctionSpec, NextRun, Outcome, Task, Timestamp};

use super::component::Component;

/// A module before and after its deploy.
pub struct Deploy<'a> {
    pub module: &'a str,
    pub component: &'a Component,
    pub before: Option<&'a Version>,
    pub after: &'a Version,
    pub default_queue: &'a str,
}

impl Deploy<'_> {
    /// Plans what is periodic now. Answers the planned times by function, for people.
    pub async fn plan(&self, client: &Client, now: Timestamp) -> Result<Vec<(String, Timestamp)>> {
        let mut moved = Vec::new();
        let periodic_before = self.before.into_iter().flat_map(|version| periodic(&version.functions));
        for old in periodic_before {
            let new = self.after.function(&old.name);
            let same_place = new.is_some_and(|new| self.queue(new) == self.queue(old));
            let same_times = new.is_some_and(|new| new.options.schedule == old.options.schedule);
            if same_place && same_times {
                continue;
            }
            let due = match new.filter(|_| same_place) {
                Some(new) => self.next(new, now).await,
                None => None,
            };
            moved.extend(self.planned(old, due));
        }
        client.replan(&mut moved, now).await?;

        let (mut planned, mut times) = (Vec::new(), Vec::new());
        for function in periodic(&self.after.functions) {
            if let Some(due) = self.next(function, now).await {
                planned.extend(self.planned(function, Some(due)));
                times.push((function.name.clone(), due));
            }
        }
        client.plan(&mut planned, Running::IsPlanned, now).await?;
        Ok(times)
    }

    fn queue<'a>(&'a self, function: &'a FunctionSpec) -> &'a str {
        function.options.queue.as_deref().unwrap_or(self.default_queue)
    }

    fn planned(&self, function: &FunctionSpec, due: Option<Timestamp>) -> Option<NewTask> {
        let func = FunctionName::parse(format!("{}:{}", self.module, function.name)).ok()?;
        Some(NewTask { queue: self.queue(function).to_owned(), task: Task::periodic(func), due })
    }

    /// When a function runs next. One that asks a function of another module is left to the workers.
    async fn next(&self, function: &FunctionSpec, now: Timestamp) -> Option<Timestamp> {
        let asked = match function.options.schedule.as_ref()?.next(now) {
            NextRun::At(time) => return Some(time),
            NextRun::Never => return None,
            NextRun::Ask(asked) => asked,
        };
        match asked.rsplit_once(':') {
            Some((module, name)) if module == self.module => self.ask(name, now).await,
            _ => None,
        }
    }

    async fn ask(&self, name: &str, now: Timestamp) -> Option<Timestamp> {
        let args = format!("[{}]", (now * 1000.0).round());
        let run = Run {
            function: name,
            calls: vec![Call { info: TaskInfo::default(), args, kwargs: "{}".to_owned() }],
            batch: false,
            limits: &Limits::default(),
            grants: &Grants::default(),
            functions: Arc::new(NoFunctions),
            output: Arc::new(NoOutput),
            cancelled: Arc::default(),
        };
        let report = self.component.sandbox.run(&self.component.module, run).await;
        match report.outcomes.into_iter().next() {
            Some(Outcome::Finished(answer)) => match serde_json::from_str::<Option<f64>>(&answer) {
                Ok(next) => next.map(|ms| ms / 1000.0).filter(|next| *next > now),
                Err(_) => {
                    note(name, &format!("it answered {answer}, which is neither milliseconds nor null"))
                }
            },
            outcome => note(name, &outcome.map_or_else(String::new, |outcome| outcome.message())),
        }
    }
}

/// The deploy has happened all the same, and the workers plan what is missing.
fn note(name: &str, why: &str) -> Option<Timestamp> {
    eprintln!("note: `schedule`: `{name}` did not say when to run next: {why}; workers will ask it again");
    None
}

fn periodic(functions: &[FunctionSpec]) -> impl Iterator<Item = &FunctionSpec> {
    functions.iter().filter(|function| function.options.schedule.is_some())
}
