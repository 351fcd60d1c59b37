//! Python's TaskTiger, the peer that the tests check Margay's protocol against: in a virtual environment of
//! its own, with exactly the versions of `tests/tasktiger/requirements.txt`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{as_root, call, call_within, on_path, output};
use crate::root;

/// The oldest Python that the pinned packages take.
const OLDEST_PYTHON: (u32, u32) = (3, 11);

/// Packages that take longer than this will not arrive.
const PIP_LIMIT: Duration = Duration::from_secs(300);

/// Makes sure that the environment is there and is what the requirements say.
///
/// The environment keeps a copy of the requirements' text, written last: another text, or none, and it is
/// built anew.
pub fn bring() -> Result<()> {
    let wanted = root().join("tests/tasktiger/requirements.txt");
    let text = fs::read_to_string(&wanted).with_context(|| format!("cannot read `{}`", wanted.display()))?;
    let folder = root().join("target/tasktiger");
    let stamp = folder.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|built| built == text) && works(&folder) {
        return Ok(());
    }
    bring_python()?;
    eprintln!("setup: installing TaskTiger for the tests, in target/tasktiger");
    build(&folder, &wanted).context("could not install TaskTiger; the tests need it as their peer")?;
    fs::write(&stamp, text).with_context(|| format!("cannot write `{}`", stamp.display()))
}

/// Whether the environment's Python is still there and finds its packages: both end with an upgrade of the
/// Python that it was made with.
fn works(folder: &Path) -> bool {
    let look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('tasktiger') is None)";
    output(python_of(folder), &["-c", look]).is_some()
}

fn build(folder: &Path, requirements: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove `{}`", folder.display()))?;
    }
    call(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    // Nothing but what the file names, so that every machine tests against the same.
    let install =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"];
    call_within(Command::new(python_of(folder)).args(install).arg("-r").arg(requirements), PIP_LIMIT)
}

fn python_of(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

fn bring_python() -> Result<()> {
    // Debian has the module for environments in a package of its own.
    if output("python3", &["-c", "import ensurepip, venv"]).is_none() {
        eprintln!("setup: installing python3");
        install_python().context("could not install python3; install 3.11 or newer, with its venv module")?;
    }
    let text = output("python3", &["--version"]).context("python3 is not on the PATH")?;
    if version(&text).is_some_and(|version| version < OLDEST_PYTHON) {
        bail!("python3 is too old ({}); install 3.11 or newer, from https://www.python.org", text.trim());
    }
    Ok(())
}

fn install_python() -> Result<()> {
    if on_path("brew") {
        return call(Command::new("brew").args(["install", "--quiet", "python3"]));
    }
    if on_path("apt-get") {
        return call(as_root("sh")?.arg(root().join("xtask/scripts/python.sh")));
    }
    bail!("there is neither apt-get nor brew here")
}

/// Major and minor number out of `Python 3.11.7`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix("Python ")?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn the_version_is_read_from_what_python_says() {
        assert_eq!(version("Python 3.11.7\n"), Some((3, 11)));
        assert_eq!(version("Python 3.14.0rc1\n"), Some((3, 14)));
        assert_eq!(version("something else"), None);
    }
}
