#![allow(unused_variables)]

use margay_sdk::{Call, HookedRun, Result, task};

#[task(hook)]
fn without_a_kind(run: HookedRun) {}

#[task(hook = befor)]
fn misspelt(run: HookedRun) {}

#[task(hook = midway)]
fn unknown(run: HookedRun) {}

#[task(hook = "after")]
fn in_quotes(run: HookedRun) {}

#[task(hook = after, batch)]
fn of_many(runs: Vec<Call<u64>>) -> Vec<Result<()>> {
    Vec::new()
}

#[task(hook = after, schedule = periodic("5m"))]
fn by_itself(run: HookedRun) {}

#[task(queue = "email", unique, unique_key = ["user"], lock, hook = before, retry, result_ttl = "1d")]
fn enqueued(run: HookedRun) {}

#[task(hook = before, runner = "audit")]
fn with_a_runner(run: HookedRun) {}

#[task(hook = before, qeue = "email")]
fn two_slips(run: HookedRun) {}

#[task(hook = on_permanent_error)]
fn told_nothing() {}

#[task(hook = on_permanent_error)]
fn told_too_much(run: HookedRun, lang: String) {}

fn main() {}
