//! The `margay` command: types first, then one file for each command.

mod args;
mod config;
mod logging;
mod print;
mod reporters;
mod signals;
mod toolchain;
mod values;

mod commands;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Arguments;

/// What the user typed cannot be meant: exit code 2, as for flags that clap refuses.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// An error with exit code 2.
fn usage(message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Usage(message.into()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match commands::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}
