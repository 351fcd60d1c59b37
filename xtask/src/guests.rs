//! Guests: the task projects of the repository, each compiled to a component in its own `target` folder,
//! just as a user's project would be.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::process;
use crate::wasm_target::{TARGET, guest_cargo};
use crate::{root, setup, size};

/// The folders that hold task projects.
const FOLDERS: [&str; 2] = ["examples", "tests/guests"];

/// Builds every guest.
pub fn run() -> Result<()> {
    setup::run()?;
    for project in all()? {
        build(&project)?;
    }
    Ok(())
}

/// Builds one guest, says so in a line, and answers where its component is.
pub fn build(project: &str) -> Result<PathBuf> {
    eprint!("{project:<24}");
    std::io::stderr().flush()?;
    let began = Instant::now();
    let built = compile(&root().join(project)).and_then(|component| {
        let size_bytes = fs::metadata(&component)
            .with_context(|| format!("cargo made no `{}`", component.display()))?
            .len();
        Ok((component, size_bytes))
    });
    // A message must not begin in the middle of a line.
    let (component, size_bytes) =
        built.inspect_err(|_| eprintln!()).with_context(|| format!("in `{project}`"))?;
    eprintln!("{:>8} {:>7.1} s", size::of_bytes(size_bytes), began.elapsed().as_secs_f64());
    Ok(component)
}

/// The task projects in these folders of the repository, in order.
pub fn projects(folders: &[&str]) -> Result<Vec<String>> {
    let mut projects = Vec::new();
    for folder in folders {
        let entries = fs::read_dir(root().join(folder)).with_context(|| format!("cannot read `{folder}`"))?;
        for entry in entries {
            let entry = entry?;
            if entry.path().join("Cargo.toml").is_file() {
                projects.push(format!("{folder}/{}", entry.file_name().to_string_lossy()));
            }
        }
    }
    projects.sort();
    Ok(projects)
}

/// Where cargo keeps what several task projects share.
pub fn shared_build_folder() -> PathBuf {
    root().join("target/guests")
}

fn all() -> Result<Vec<String>> {
    projects(&FOLDERS)
}

fn compile(project: &Path) -> Result<PathBuf> {
    let mut cargo = guest_cargo()?;
    cargo.current_dir(project).args(["build", "--quiet", "--release", "--target", TARGET]);
    // The host's flags and folders are not for guests; a project's own `.cargo/config.toml` has its flags.
    for variable in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"] {
        cargo.env_remove(variable);
    }
    // What the guests have in common is compiled once; the component itself lands in the project.
    cargo.env("CARGO_BUILD_BUILD_DIR", shared_build_folder());
    process::call(&mut cargo)?;
    let name = project.file_name().unwrap_or_default().to_string_lossy().replace('-', "_");
    Ok(project.join("target").join(TARGET).join("release").join(format!("{name}.wasm")))
}
