//! The `wasm32-wasip2` target: which cargo has it, and how to get it.
//!
//! rustup's is the better one and is tried first. Where rustup cannot bring it, Debian's own compiler can be
//! given the target; task modules are then built by `/usr/bin/cargo`, since a compiler takes no other
//! compiler's libraries.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{as_root, call, call_within, cargo, on_path, output};
use crate::root;

/// What task modules are compiled for.
pub const TARGET: &str = "wasm32-wasip2";

/// A download that takes longer than this will not arrive.
const RUSTUP_LIMIT: Duration = Duration::from_secs(300);

/// Makes sure that some cargo here can build for the target.
pub fn bring() -> Result<()> {
    if cargo_with_target().is_some() {
        return Ok(());
    }
    if on_path("rustup") {
        eprintln!("setup: adding the target {TARGET} with rustup");
        match call_within(Command::new("rustup").args(["target", "add", TARGET]), RUSTUP_LIMIT) {
            Ok(()) if cargo_with_target().is_some() => return Ok(()),
            Ok(()) => eprintln!("setup: rustup added the target to another toolchain than cargo's"),
            Err(error) => eprintln!("setup: {error:#}"),
        }
    }
    install_from_debian()
}

/// Builds the target's standard library from Debian's packages, for `/usr/bin/cargo`.
pub fn install_from_debian() -> Result<()> {
    if !on_path("apt-get") {
        bail!(
            "the target {TARGET} is missing; install rustup (https://rustup.rs), then `rustup target add {TARGET}`"
        );
    }
    eprintln!("setup: building the target {TARGET} from Debian's packages; this takes a few minutes");
    call(as_root("sh")?.arg(root().join("xtask/scripts/wasm-target.sh")))
        .with_context(|| format!("could not bring the target {TARGET}; try `rustup target add {TARGET}`"))?;
    if !has_target("/usr/bin/rustc") {
        bail!("the target {TARGET} was built, but /usr/bin/rustc does not find it");
    }
    Ok(())
}

/// The cargo that builds for the target.
pub fn guest_cargo() -> Result<Command> {
    cargo_with_target()
        .with_context(|| format!("no cargo here has the target {TARGET}; run `cargo xtask setup`"))
}

fn cargo_with_target() -> Option<Command> {
    if has_target("rustc") {
        return Some(cargo());
    }
    if !has_target("/usr/bin/rustc") {
        return None;
    }
    let mut cargo = Command::new("/usr/bin/cargo");
    let path = std::env::var("PATH").unwrap_or_default();
    // Without what rustup's cargo left in the environment for its own compiler.
    cargo
        .env("PATH", format!("/usr/bin:{path}"))
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("RUSTUP_TOOLCHAIN");
    Some(cargo)
}

/// Whether this compiler has a standard library for the target.
fn has_target(rustc: &str) -> bool {
    let Some(folder) = output(rustc, &["--print", "target-libdir", "--target", TARGET]) else { return false };
    let Ok(files) = fs::read_dir(Path::new(folder.trim())) else { return false };
    files.flatten().any(|file| {
        let name = file.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}
