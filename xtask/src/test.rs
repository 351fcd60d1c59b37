//! Test: everything that says whether this repository is in order, the long part last, so that the runner's
//! own summary is what one sees at the end.

use anyhow::{Result, bail};

use crate::process::{call, cargo, on_path};
use crate::{guests, root, setup};

/// Runs every test; with `arguments`, only the workspace's, and passes them to the runner.
///
/// A failure does not keep the tests after it from running; the error names every part that failed.
pub fn run_all(arguments: &[String]) -> Result<()> {
    setup::run_for_tests()?;
    guests::run()?;
    // The whole-system tests start the binary. Test builds come along, so that no crate is built twice.
    call(cargo().args(["build", "--quiet", "--workspace", "--bins", "--tests"]))?;
    let mut failed = Vec::new();
    if arguments.is_empty() {
        for example in guests::projects(&["examples"])? {
            failed.extend(part(&example, test_example(&example)));
        }
        if on_path("cargo-nextest") {
            failed.extend(part("the documentation", test_documentation()));
        }
    }
    failed.extend(part("the workspace", test_workspace(arguments)));
    if !failed.is_empty() {
        bail!("tests failed in {}", failed.join(", "));
    }
    Ok(())
}

/// The name of a part that failed.
fn part(name: &str, result: Result<()>) -> Option<String> {
    let error = result.err()?;
    eprintln!("error: {error:#}");
    Some(name.to_owned())
}

/// An example's own tests, on the host, as its author runs them. All examples share what they build.
fn test_example(example: &str) -> Result<()> {
    eprintln!("tests of {example}");
    let mut cargo = cargo();
    cargo.current_dir(root().join(example)).env("CARGO_TARGET_DIR", guests::shared_build_folder());
    call(cargo.args(["test", "--quiet"]))
}

/// The code in documentation, which nextest does not run.
fn test_documentation() -> Result<()> {
    eprintln!("tests of the documentation");
    call(cargo().args(["test", "--quiet", "--workspace", "--doc"]))
}

fn test_workspace(arguments: &[String]) -> Result<()> {
    eprintln!("tests of the workspace");
    let mut cargo = cargo();
    if on_path("cargo-nextest") {
        cargo.args(["nextest", "run", "--workspace"]);
    } else {
        cargo.args(["test", "--workspace", "--no-fail-fast"]);
    }
    call(cargo.args(arguments))
}
