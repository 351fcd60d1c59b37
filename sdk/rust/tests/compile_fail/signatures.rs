#![allow(unused_variables)]

use margay_sdk::{Context, task};

#[task]
async fn asynchronous() {}

#[task]
unsafe fn without_promises() {}

#[task]
extern "C" fn foreign() {}

#[task]
fn generic<T: Clone>(value: T) {}

#[task]
fn borrowed_text(name: &str) {}

#[task]
fn borrowed_list(names: &[String]) {}

#[task]
fn some_type(name: impl Into<String>) {}

#[task]
fn taken_apart((width, height): (u32, u32)) {}

#[task]
fn context_with_a_default(#[default] context: &Context) {}

#[task]
fn default_without_parentheses(#[default = 3] times: u32) {}

#[task]
struct Report;

struct Mailer;

impl Mailer {
    #[task]
    fn send(&self) {}
}

fn main() {}
