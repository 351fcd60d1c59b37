//! `cargo xtask`: what one does with this repository beside writing it.
//!
//! Every command first brings what it needs, works in a fresh clone, and can be called again at any time.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod setup;
mod tasktiger;
mod wasm_target;

mod guests;
mod test;

mod demo;

mod bench;

mod process;
mod size;

/// Set-up, demo and tests of Margay
///
/// A fresh clone needs only cargo: `cargo xtask demo` shows Margay at work, `cargo xtask test` tests it.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Bring what is missing: redis-server, Rust's target for task modules, and TaskTiger for the tests
    ///
    /// Looks for redis-server (6.2 or newer) and for the wasm32-wasip2 target, and installs what is not
    /// there: with apt-get or brew, with rustup. Makes a Python environment with TaskTiger in
    /// target/tasktiger, with pip, and brings python3 first where there is none. Says nothing when nothing is
    /// missing. No service is started.
    Setup {
        /// Take the target from Debian's packages, even where rustup has it
        #[arg(long)]
        debian: bool,
    },
    /// Build every task module of the examples and the tests
    Guests,
    /// Run every test
    ///
    /// Brings what is missing, builds the task modules and the `margay` binary, and runs the tests of the
    /// examples, of the documentation and of the workspace: with cargo-nextest where it is installed.
    /// Each test starts the Redis it needs.
    Test {
        /// Goes to the test runner as it is, and leaves only the workspace's tests: `-- a_lost_lease`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Make thumbnails of a directory of photos, each in a sandbox of its own
    ///
    /// Starts `margay dev` with a Redis of its own, deploys `examples/thumbnails`, makes one task for each
    /// picture, and shows what became of them. Nothing is left behind but the thumbnails.
    Demo(demo::Arguments),
    /// Measure what the hot paths cost
    ///
    /// Builds for release, starts a Redis of its own and a worker, prints a table and writes JSON. Keep the
    /// machine quiet meanwhile.
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().job {
        Job::Setup { debian: false } => setup::run_for_tests(),
        Job::Setup { debian: true } => wasm_target::install_from_debian(),
        Job::Guests => guests::run(),
        Job::Test { arguments } => test::run_all(&arguments),
        Job::Demo(arguments) => demo::run(&arguments),
        Job::Bench(arguments) => bench::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            process::exit_code(&error)
        }
    }
}

/// The repository's folder.
fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}
