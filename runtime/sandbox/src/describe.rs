//! Asks a module what it offers. A description is computed by the module's own code, so that it runs in
//! the sandbox too: without grants, and under limits that no honest module notices.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use task::{FunctionSpec, Interruption, Outcome};

use crate::description::description;
use crate::visit::{NotStarted, until};
use crate::{Grants, Limits, Module, NoFunctions, NoOutput, Refusal, Sandbox};

impl Sandbox {
    /// The functions of a module, with checked names and options.
    pub async fn describe(&self, module: &Module) -> Result<Vec<FunctionSpec>, Refusal> {
        let limits = Limits {
            hard_timeout: Duration::from_secs(5),
            output_bytes: 64 << 10,
            follow_ups: 0,
            effect_bytes: 0,
            ..Limits::default()
        };
        let calls = Arc::new(Vec::new());
        let cancelled = Arc::new(AtomicBool::new(false));
        let mut visit = self
            .enter(calls, &limits, &Grants::default(), Arc::new(NoFunctions), Arc::new(NoOutput), cancelled)
            .await;
        let (deadline, store) = (visit.deadline, &mut visit.store);
        let described = until(deadline, async {
            let starting = module.pre.instantiate_async(&mut *store).await;
            let instance = starting.map_err(|error| error.context(NotStarted))?;
            instance.margay_task_tasks().call_describe(store).await
        });
        match described.await {
            Ok(specs) => description(specs).map_err(Refusal::BadDescription),
            Err(broken) => Err(match visit.outcome(&broken) {
                Outcome::Interrupted(Interruption::HostError(error)) => Refusal::Host(error),
                outcome => Refusal::BadDescription(outcome.traceback()),
            }),
        }
    }
}
