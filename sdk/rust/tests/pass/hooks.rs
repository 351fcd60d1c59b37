#![deny(warnings)]

use margay_sdk::{Context, HookedRun, Result, task};

#[task(hook = before, hard_timeout = "1s")]
fn check(context: &Context, run: HookedRun) -> Result<()> {
    let _ = (context, run);
    Ok(())
}

#[task(hook = after)]
fn watch(run: HookedRun) {
    let _ = run;
}

#[task(hook = on_permanent_error)]
fn mourn(run: HookedRun) -> u32 {
    run.tasks[0].attempt
}

margay_sdk::export!(check, watch, mourn);

fn main() {}
