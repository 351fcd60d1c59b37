#![allow(unused_variables)]

use margay_sdk::{Context, task};

#[task(unique_key = ["usr"], lock_key = ["user", "account"])]
fn no_such_arguments(user: u64, lang: String) {}

#[task(lock_key = ["context"])]
fn the_context_is_no_argument(context: &Context) {}

#[task(unique_key = ["user", "user"])]
fn twice(user: u64) {}

fn main() {}
