//! The planner: sees to it that every periodic function has its next run planned: when the worker starts, when
//! something is deployed, and now and then, should one have been lost.

use std::sync::Arc;
use std::time::Duration;

use queue::{Client, Error, NewTask, Running};
use task::{FunctionName, Task};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::Filter;
use crate::execute::Executor;
use crate::library::Library;

pub(crate) struct Planner {
    pub(crate) client: Client,
    pub(crate) filter: Filter,
    pub(crate) default_queue: String,
    pub(crate) library: watch::Receiver<Arc<Library>>,
    /// Whom to ask where a function's schedule is a function.
    pub(crate) executor: Arc<Executor>,
}

/// How often to look for periodic tasks that were lost.
const LOOK: Duration = Duration::from_secs(30);

impl Planner {
    pub(crate) async fn run(mut self) {
        loop {
            let library = Arc::clone(&self.library.borrow_and_update());
            if let Err(error) = self.plan(&library).await {
                warn!(%error, "could not plan periodic tasks; trying again");
            }
            tokio::select! {
                changed = self.library.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn plan(&self, library: &Arc<Library>) -> Result<(), Error> {
        let now = queue::now();
        let mut planned = Vec::new();
        for (module, loaded) in &library.shelf {
            for function in loaded.version.functions.iter().filter(|one| one.options.schedule.is_some()) {
                let queue = function.options.queue.as_deref().unwrap_or(&self.default_queue);
                let Ok(func) = FunctionName::parse(format!("{module}:{}", function.name)) else { continue };
                if !self.filter.admits(queue) {
                    continue;
                }
                if let Some(due) = self.executor.next_run(&func, function, library, now).await {
                    let task = Task::periodic(func);
                    planned.push(NewTask { queue: queue.to_owned(), task, due: Some(due) });
                }
            }
        }
        let new = self.client.plan(&mut planned, Running::IsPlanned, now).await?;
        for (NewTask { queue, task, due }, _) in planned.iter().zip(new).filter(|(_, new)| *new) {
            info!(func = %task.func, queue, due, "planned a periodic task");
        }
        Ok(())
    }
}
