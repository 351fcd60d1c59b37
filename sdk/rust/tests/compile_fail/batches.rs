#![allow(unused_variables)]

use margay_sdk::{Call, Context, Result, task};

#[task(batch)]
fn no_calls() -> Vec<Result<()>> {
    Vec::new()
}

#[task(batch)]
fn plain_values(ids: Vec<u64>) -> Vec<Result<()>> {
    Vec::new()
}

#[task(batch)]
fn two_lists(context: &Context, ids: Vec<Call<u64>>, lang: String) -> Vec<Result<()>> {
    Vec::new()
}

#[task(batch)]
fn with_a_default(#[default(Vec::new())] ids: Vec<Call<u64>>) -> Vec<Result<()>> {
    Vec::new()
}

#[task(batch)]
fn one_answer(ids: Vec<Call<u64>>) -> Result<()> {
    Ok(())
}

#[task(batch)]
fn no_answer(ids: Vec<Call<u64>>) {}

#[task]
fn not_marked(ids: Vec<Call<u64>>) -> Vec<Result<()>> {
    Vec::new()
}

fn main() {}
