//! Set-up: brings what a machine lacks, once. Looking costs milliseconds, so every command does it first.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{as_root, call, on_path, output};
use crate::{root, tasktiger, wasm_target};

/// The oldest Redis that has every command that Margay uses.
const OLDEST_REDIS: (u32, u32) = (6, 2);

/// Brings what is missing; says what it does, and nothing where all is there.
///
/// There is no look for a C compiler: without a linker this program would not have been built.
pub fn run() -> Result<()> {
    bring_redis()?;
    wasm_target::bring()
}

/// The same, and what only the tests need: Python's TaskTiger.
pub fn run_for_tests() -> Result<()> {
    run()?;
    tasktiger::bring()
}

fn bring_redis() -> Result<()> {
    if output("redis-server", &["--version"]).is_none() {
        eprintln!("setup: installing redis-server");
        install_redis()
            .context("could not install redis-server; install 6.2 or newer from https://redis.io")?;
    }
    let text = output("redis-server", &["--version"]).context("redis-server is not on the PATH")?;
    if version(&text).is_some_and(|version| version < OLDEST_REDIS) {
        bail!(
            "redis-server is too old ({}); install 6.2 or newer, from https://redis.io or your system's packages",
            text.trim()
        );
    }
    Ok(())
}

fn install_redis() -> Result<()> {
    if on_path("brew") {
        return call(Command::new("brew").args(["install", "--quiet", "redis"]));
    }
    if on_path("apt-get") {
        return call(as_root("sh")?.arg(root().join("xtask/scripts/redis.sh")));
    }
    bail!("there is neither apt-get nor brew here")
}

/// Major and minor number out of `Redis server v=7.0.15 sha=00000000:0 ...`.
fn version(text: &str) -> Option<(u32, u32)> {
    let version = text.split_whitespace().find_map(|word| word.strip_prefix("v="))?;
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn the_version_is_read_from_what_the_server_says() {
        let said = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=e8b2";
        assert_eq!(version(said), Some((7, 0)));
        assert_eq!(version("something else"), None);
    }
}
