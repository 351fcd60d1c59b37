use margay_sdk::{HookedRun, task};

#[task(hook = before)]
fn check(_run: HookedRun) {}

#[task(hook = after)]
fn watch(_run: HookedRun) {}

#[task(hook = after)]
fn watch_again(_run: HookedRun) {}

margay_sdk::export!(check, watch, watch_again);

fn main() {}
