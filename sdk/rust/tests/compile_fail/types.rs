#![allow(unused_variables)]

use margay_sdk::{Result, task};

struct Opaque;

#[task]
fn takes_what_json_cannot_give(it: Opaque) {}

#[task]
fn returns_what_json_cannot_hold() -> Opaque {
    Opaque
}

#[task]
fn fails_with_what_is_no_error() -> Result<(), String> {
    Ok(())
}

fn main() {}
