//! What the host tells a run about functions of other modules: their own options, which a follow-up adopts.

use task::{FunctionName, Options};

/// What is known of the functions that a run may enqueue.
pub trait Functions: Send + Sync {
    /// The function's own options, where it is known.
    fn options(&self, name: &FunctionName) -> Option<&Options>;
}

/// Nothing is known: follow-ups are plain tasks, and a unique function's are not unique.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFunctions;

impl Functions for NoFunctions {
    fn options(&self, _name: &FunctionName) -> Option<&Options> {
        None
    }
}
