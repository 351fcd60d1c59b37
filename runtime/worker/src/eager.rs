//! Eager: tasks run where they are enqueued, at once, in the same sandbox as a worker's. For tests and
//! scripts; nothing is retried, and nothing of a task stays in Redis.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use modules::{Catalog, Resolved, Store, Version};
use queue::{Client, Eager, EagerError, NewTask};
use sandbox::{Functions, Module, Report, Run, Sandbox};
use task::{FunctionName, Interruption, Options, Outcome};
use tokio::sync::Mutex;

use crate::job::call;
use crate::output::TaskOutput;
use crate::{Error, Settings};

/// Runs the functions of the modules that are deployed, for [`Client::eager`].
pub struct EagerRunner {
    client: Client,
    store: Store,
    settings: Settings,
    sandbox: Sandbox,
    /// By digest.
    compiled: Mutex<HashMap<String, Module>>,
}

/// How many tasks may follow from one, and from those that follow: a chain that feeds itself must end.
const MOST_FOLLOW_UPS: usize = 1_000;

impl EagerRunner {
    /// Sets up a sandbox for the modules of this client's keyspace. Of the settings, those of runs count: limits,
    /// fuel, grants and the default retry of follow-ups that are due later.
    pub fn new(client: Client, settings: Settings) -> Result<EagerRunner, Error> {
        let slots = u32::try_from(settings.concurrency).unwrap_or(u32::MAX);
        let sandbox = Sandbox::new(sandbox::Settings { slots, fuel: settings.fuel, ..Default::default() })?;
        let store = Store::new(client.clone());
        Ok(EagerRunner { client, store, settings, sandbox, compiled: Mutex::default() })
    }

    /// Runs a task, and then what follows from it, in order. The first failure ends it all.
    async fn run_all(&self, first: NewTask) -> Result<String, EagerError> {
        let (result, follow_ups) = self.run_one(&first).await.map_err(|outcome| error(&first, &outcome))?;
        let mut waiting: VecDeque<NewTask> = self.due_now(&first, follow_ups).await?.into();
        let mut left = MOST_FOLLOW_UPS;
        while let Some(next) = waiting.pop_front() {
            if left == 0 {
                let message = format!("more than {MOST_FOLLOW_UPS} tasks followed from it");
                return Err(error(&first, &Outcome::Refused { kind: "margay:TooManyFollowUps", message }));
            }
            left -= 1;
            let (_, follow_ups) = self.run_one(&next).await.map_err(|outcome| error(&next, &outcome))?;
            waiting.extend(self.due_now(&next, follow_ups).await?);
        }
        Ok(result)
    }

    /// The follow-ups that are due; the others are scheduled.
    async fn due_now(&self, of: &NewTask, follow_ups: Vec<NewTask>) -> Result<Vec<NewTask>, EagerError> {
        let (later, now) = follow_ups.into_iter().partition(|new| new.due.is_some());
        let later: Vec<NewTask> = later;
        let scheduled = self.client.enqueue(later, queue::now()).await;
        scheduled.map_err(|cause| error(of, &host_error(cause)))?;
        Ok(now)
    }

    /// One run: the result and what follows from it, or another outcome.
    async fn run_one(&self, new: &NewTask) -> Result<(String, Vec<NewTask>), Outcome> {
        let func = &new.task.func;
        let known = Arc::new(Known(self.store.catalog().await.map_err(host_error)?));
        let Resolved { version, function } = known.0.resolve(func).map_err(|_| {
            let message = format!("no deployed module offers `{func}`; see `margay modules list`");
            Outcome::Refused { kind: "margay:UnknownFunction", message }
        })?;
        let module = self.module(func.module(), version).await?;
        let what = Run {
            function: &function.name,
            calls: vec![call(&new.task, &new.queue, 0)],
            batch: function.batch,
            limits: &self.settings.run_limits(new.task.hard_timeout.or(function.options.hard_timeout)),
            grants: &self.settings.grants.get(func.module()).cloned().unwrap_or_default(),
            functions: Arc::clone(&known) as Arc<dyn Functions>,
            output: Arc::new(TaskOutput { task_id: new.task.id.clone(), func: func.to_string() }),
            cancelled: Arc::default(),
        };
        let Report { outcomes, effects, .. } = self.sandbox.run(&module, what).await;
        let result = match outcomes.into_iter().next() {
            Some(Outcome::Finished(result)) => result,
            other => return Err(other.unwrap_or(Outcome::Cancelled)),
        };
        let saved = effects.results.into_iter().next_back().map(|(_, saved)| saved);
        let now = queue::now();
        let follow_ups = effects.follow_ups.into_iter().map(|follow_up| {
            let new = self.settings.new_task(follow_up, &new.queue, now);
            NewTask { due: new.due.filter(|due| *due > now), ..new }
        });
        Ok((saved.unwrap_or(result), follow_ups.collect()))
    }

    /// A version's code, compiled once.
    async fn module(&self, name: &str, version: &Version) -> Result<Module, Outcome> {
        let mut compiled = self.compiled.lock().await;
        if let Some(module) = compiled.get(&version.digest) {
            return Ok(module.clone());
        }
        let code = self.store.fetch(name, &version.digest).await.map_err(host_error)?;
        let sandbox = self.sandbox.clone();
        let module = tokio::task::spawn_blocking(move || sandbox.compile(&code)).await.map_err(host_error)?;
        let module = module.map_err(|refusal| {
            let message = format!("module `{name}` version {} {refusal}", version.version);
            Outcome::Refused { kind: "margay:RefusedModule", message }
        })?;
        compiled.insert(version.digest.clone(), module.clone());
        Ok(module)
    }
}

impl Eager for EagerRunner {
    fn run(&self, task: &NewTask) -> BoxFuture<'_, Result<String, EagerError>> {
        Box::pin(self.run_all(task.clone()))
    }
}

/// What is deployed, for the functions that a run enqueues.
struct Known(Catalog);

impl Functions for Known {
    fn options(&self, name: &FunctionName) -> Option<&Options> {
        self.0.resolve(name).ok().map(|resolved| &resolved.function.options)
    }
}

fn host_error(cause: impl ToString) -> Outcome {
    Outcome::Interrupted(Interruption::HostError(cause.to_string()))
}

fn error(new: &NewTask, outcome: &Outcome) -> EagerError {
    EagerError {
        id: new.task.id.clone(),
        kind: outcome.exception_name().to_owned(),
        message: outcome.message(),
        traceback: outcome.traceback(),
    }
}
