//! `margay dev`: a private Redis and a worker in one place.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use queue::{Address, Client};
use rustix::process::{Pid, Signal, kill_process};
use worker::Worker;

use crate::args::{Common, Dev};
use crate::config::Config;
use crate::{print, signals, usage};

pub async fn run(common: &Common, flags: &Dev) -> Result<()> {
    let stop = signals::stop(flags.worker.exit_after)?;
    let config = Config::load(common)?;
    let settings = config.settings(&flags.worker)?;
    let redis = PrivateRedis::start(&flags.data)?;
    let address = Address { url: redis.url(), ..config.address(common) };
    let client = Client::connect(&address).await?;
    let url = redis.url();
    let ready = || {
        print::line(format!("ready: export MARGAY_REDIS={url}"));
        eprintln!("Redis and a worker are running; Ctrl-C stops both. In another terminal:");
        eprintln!("  export MARGAY_REDIS={url}");
        eprintln!("  margay deploy COMPONENT && margay enqueue MODULE:FUNCTION --wait");
    };
    Worker::new(client, settings)?.run(stop, ready).await?;
    redis.stop()
}

/// A redis-server that lives as long as this process. Its data stays.
struct PrivateRedis {
    process: Child,
    folder: PathBuf,
}

/// What the address of a Unix socket has room for, with some to spare.
const LONGEST_SOCKET_PATH: usize = 100;

impl PrivateRedis {
    fn start(folder: &Path) -> Result<PrivateRedis> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        let folder = folder.canonicalize().with_context(|| format!("cannot open `{}`", folder.display()))?;
        let socket = folder.join("redis.sock");
        if socket.as_os_str().len() > LONGEST_SOCKET_PATH {
            return Err(usage(format!(
                "the path `{}` is too long for a socket; choose a shorter --data",
                socket.display()
            )));
        }
        if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
            let folder = folder.display();
            bail!(
                "a Redis answers in `{folder}` already: another `margay dev` runs there, or was killed; \
                 then stop its Redis with `kill $(cat {folder}/redis.pid)`"
            );
        }
        let mut process = Command::new("redis-server")
            .args([
                "--port",
                "0",
                "--unixsocket",
                "redis.sock",
                "--unixsocketperm",
                "700",
                "--pidfile",
                "redis.pid",
            ])
            .args(["--appendonly", "yes", "--save", "", "--dir", "."])
            .current_dir(&folder)
            // Ctrl-C is for the worker, which needs Redis to give its tasks back.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context(
                "cannot start `redis-server`; install it (apt install redis-server, brew install redis)",
            )?;
        let output = process.stdout.take().context("redis-server has no output")?;
        let mut redis = PrivateRedis { process, folder };
        redis.wait_until_ready(BufReader::new(output))?;
        // Redis writes its pidfile only as a daemon.
        std::fs::write(redis.folder.join("redis.pid"), redis.process.id().to_string())?;
        Ok(redis)
    }

    fn wait_until_ready(&mut self, output: BufReader<std::process::ChildStdout>) -> Result<()> {
        let mut lines = output.lines().map_while(Result::ok);
        let mut said = Vec::new();
        for line in lines.by_ref() {
            if line.contains("ready to accept connections") {
                // Read on, or Redis would one day block on its log.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(());
            }
            said.push(line);
        }
        let _ = self.process.wait();
        let last = said.iter().rev().take(5).rev().cloned().collect::<Vec<_>>().join("\n");
        bail!("redis-server did not start in `{}`:\n{last}", self.folder.display())
    }

    fn url(&self) -> String {
        format!("redis+unix://{}", self.folder.join("redis.sock").display())
    }

    /// Ends it gracefully: everything is written.
    fn stop(mut self) -> Result<()> {
        self.terminate();
        self.process.wait().context("cannot wait for redis-server")?;
        Ok(())
    }

    fn terminate(&self) {
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            self.terminate();
            let _ = self.process.wait();
        }
        let _ = std::fs::remove_file(self.folder.join("redis.pid"));
    }
}
