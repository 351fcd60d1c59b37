//! The runtime, as the rest of the crate sees it: the real one in a component, a stand-in elsewhere, so
//! that task functions can be tested like any function.

#[cfg(target_family = "wasm")]
pub(crate) use crate::bindings::margay::task::{
    context::{cancelled, current, enqueue, progress, save_result, time_left},
    log::write as write_log,
};

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::stand_in::*;
