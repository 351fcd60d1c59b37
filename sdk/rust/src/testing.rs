//! For unit tests of task functions, where there is no runtime: what a function asked for, and what its
//! context answers. Each thread, and so each test, has its own.

use std::cell::{Cell, RefCell};

pub use crate::bindings::margay::task::context::FollowUp as EnqueuedFollowUp;

/// What functions have asked for on this thread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// The follow-ups, in order.
    pub follow_ups: Vec<EnqueuedFollowUp>,
    /// The results saved besides those returned: the index of the call, and JSON text.
    pub results: Vec<(u32, String)>,
    /// The progress reported: fraction and message.
    pub progress: Vec<(f64, Option<String>)>,
}

thread_local! {
    static EFFECTS: RefCell<Effects> = RefCell::default();
    static CANCELLED: Cell<bool> = const { Cell::new(false) };
    static TIME_LEFT_MS: Cell<u64> = const { Cell::new(300_000) };
}

/// Takes what functions have asked for on this thread since the last time.
pub fn take_effects() -> Effects {
    EFFECTS.take()
}

/// Lets [`Context::cancelled`](crate::Context::cancelled) answer this from now on.
pub fn set_cancelled(cancelled: bool) {
    CANCELLED.set(cancelled);
}

/// Lets [`Context::time_left`](crate::Context::time_left) answer this from now on; it is five minutes at
/// first.
pub fn set_time_left(left: std::time::Duration) {
    TIME_LEFT_MS.set(crate::retry::millis(left));
}

/// A run as a hook is told of it, from the JSON that the runtime would send.
///
/// # Errors
/// What is wrong with the JSON.
pub fn hooked_run(json: &str) -> serde_json::Result<crate::HookedRun> {
    serde_json::from_str(json)
}

/// Writes what is logged to stderr.
pub fn log_to_stderr() {
    crate::logging::install();
}

/// The functions of the runtime's interfaces, answered from the values above.
pub(crate) mod stand_in {
    use super::{CANCELLED, EFFECTS, EnqueuedFollowUp, TIME_LEFT_MS};
    use crate::bindings::margay::task::types::{LogLevel, TaskInfo};

    pub(crate) fn current() -> Vec<TaskInfo> {
        vec![crate::call::example_task()]
    }

    pub(crate) fn time_left() -> u64 {
        TIME_LEFT_MS.get()
    }

    pub(crate) fn cancelled() -> bool {
        CANCELLED.get()
    }

    pub(crate) fn progress(fraction: f64, message: Option<&str>) {
        EFFECTS.with_borrow_mut(|effects| effects.progress.push((fraction, message.map(str::to_owned))));
    }

    pub(crate) fn enqueue(task: &EnqueuedFollowUp) -> Result<String, String> {
        EFFECTS.with_borrow_mut(|effects| {
            effects.follow_ups.push(task.clone());
            Ok(format!("follow-up-{}", effects.follow_ups.len()))
        })
    }

    pub(crate) fn save_result(index: u32, value: &str) -> Result<(), String> {
        EFFECTS.with_borrow_mut(|effects| effects.results.push((index, value.to_owned())));
        Ok(())
    }

    pub(crate) fn write_log(level: LogLevel, message: &str, fields: &[(String, String)]) {
        let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        eprintln!("{level:?} {message}{fields}");
    }
}
