//! Running other programs, and saying how it ended.

use std::ffi::OsStr;
use std::fmt;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail};

use crate::root;

/// The user asked for something that cannot be: exit code 2.
#[derive(Debug)]
pub struct Misuse(pub String);

/// The user stopped it: exit code 130, as shells have it.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Misuse {}
impl std::error::Error for Interrupted {}

/// The exit code for an error.
pub fn exit_code(error: &Error) -> ExitCode {
    if error.is::<Misuse>() {
        ExitCode::from(2)
    } else if error.is::<Interrupted>() {
        ExitCode::from(130)
    } else {
        ExitCode::FAILURE
    }
}

/// The cargo that runs this, for work on the repository.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// Runs a program to its end; an error if it fails.
pub fn call(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs a program to its end, or kills it when its time is up.
pub fn call_within(command: &mut Command, limit: Duration) -> Result<()> {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::null()).spawn().with_context(|| cannot_start(command))?;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("`{}` failed: {status}", shown(command)),
            None if began.elapsed() > limit => {
                child.kill()?;
                child.wait()?;
                bail!("`{}` took longer than {} s", shown(command), limit.as_secs());
            }
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// What a program prints; `None` if there is no such program or it fails.
pub fn output(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether there is a program of this name on the `PATH`.
pub fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A command that runs as root: as it is where we are root, else with sudo.
pub fn as_root(program: &str) -> Result<Command> {
    if output("id", &["-u"]).is_some_and(|id| id.trim() == "0") {
        return Ok(Command::new(program));
    }
    if !on_path("sudo") {
        bail!("installing packages needs root, and there is no sudo; run `cargo xtask setup` as root");
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    Ok(command)
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`; is it installed?", command.get_program().to_string_lossy())
}

/// The command line, short enough for a message: `cargo test --workspace`.
fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
    let arguments = command.get_args().map(OsStr::to_string_lossy);
    std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
}
