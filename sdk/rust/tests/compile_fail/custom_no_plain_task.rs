use margay_sdk::{HookedRun, task};

#[task(hook = after)]
fn watch(_run: HookedRun) {}

#[task(retry = custom(watch))]
fn send() {}

margay_sdk::export!(send, watch);

fn main() {}
