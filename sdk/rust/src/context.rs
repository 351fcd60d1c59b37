//! What a running function may know and ask for.

use std::time::Duration;

use serde::Serialize;

use crate::call::Call;
use crate::failure::{Failure, Result};
use crate::follow_up::FollowUp;
use crate::runtime;

pub use crate::bindings::margay::task::types::TaskInfo;

/// The run that is going on: which task it is for, how long it may take, what else should happen.
///
/// A function gets it by having a parameter of type `Context` or `&Context`, which is no argument of the
/// task; code further inside asks for [`Context::current`]. Follow-ups and results are kept back until the
/// run has succeeded: a run that fails has enqueued nothing.
///
/// In a unit test there is no runtime. There is then one made-up task, all the time in the world, and
/// [`testing`](crate::testing) shows what was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Context(());

impl Context {
    /// The run that is going on.
    pub fn current() -> Context {
        Context(())
    }

    /// The task that runs: the first one, in a run of a batch.
    ///
    /// # Panics
    /// If the runtime names no task, which it never does.
    pub fn task(&self) -> TaskInfo {
        self.tasks().into_iter().next().expect("a run is for a task")
    }

    /// All tasks of this run, in the order of its calls.
    pub fn tasks(&self) -> Vec<TaskInfo> {
        runtime::current()
    }

    /// How long this run may still take before its hard timeout ends it.
    pub fn time_left(&self) -> Duration {
        Duration::from_millis(runtime::time_left())
    }

    /// Whether somebody has asked this run to stop. It may then return early; it will not be killed for it.
    pub fn cancelled(&self) -> bool {
        runtime::cancelled()
    }

    /// Says how far the run has come: a fraction from 0 to 1, and a word about it, which may be empty.
    pub fn progress(&self, fraction: f64, message: &str) {
        runtime::progress(fraction.clamp(0.0, 1.0), (!message.is_empty()).then_some(message));
    }

    /// Enqueues a follow-up when this run succeeds, and answers the id it will have.
    ///
    /// # Errors
    /// `follow-up-refused` if something is wrong with it, or the run has reached its limit.
    pub fn enqueue(&self, follow_up: FollowUp) -> Result<String> {
        runtime::enqueue(&follow_up.finish()?).map_err(|why| Failure::new("follow-up-refused", why))
    }

    /// Saves a result other than the one the function returns, for a run of a single task. The last one
    /// saved wins.
    ///
    /// # Errors
    /// `result-refused` if it cannot be written as JSON or is too large.
    pub fn save_result(&self, result: &impl Serialize) -> Result<()> {
        self.save(0, result)
    }

    /// Saves a result for one call of a batch.
    ///
    /// # Errors
    /// `result-refused` if it cannot be written as JSON or is too large.
    pub fn save_result_of<A>(&self, call: &Call<A>, result: &impl Serialize) -> Result<()> {
        self.save(call.index, result)
    }

    fn save(&self, index: u32, result: &impl Serialize) -> Result<()> {
        let refused = |why| Failure::new("result-refused", why);
        let json = serde_json::to_string(result).map_err(|error| refused(error.to_string()))?;
        runtime::save_result(index, &json).map_err(refused)
    }
}
