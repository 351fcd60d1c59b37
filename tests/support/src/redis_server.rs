//! A redis-server that belongs to one test: on a socket in a folder of its own, gone with the test.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use queue::{Address, Client};
use tempfile::TempDir;

/// A private redis-server.
pub struct RedisServer {
    process: Child,
    folder: TempDir,
    arguments: Vec<String>,
}

impl RedisServer {
    /// Starts one, and waits until it accepts connections.
    pub fn start() -> RedisServer {
        RedisServer::start_with(&[])
    }

    /// Starts one with more arguments on its command line.
    pub fn start_with(arguments: &[&str]) -> RedisServer {
        let folder = tempfile::tempdir().expect("a folder for Redis");
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let process = start(&folder, &arguments);
        RedisServer { process, folder, arguments }
    }

    /// Kills the server and starts another in its place, on the same data. There is some only where it was
    /// started with `--appendonly yes`.
    pub fn restart(&mut self) {
        self.stop();
        self.process = start(&self.folder, &self.arguments);
    }

    /// Kills the server.
    pub fn stop(&mut self) {
        // It may be gone already; then there is nothing to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Its address, for `--redis`.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// A connection to the keyspace with this prefix.
    pub async fn client(&self, prefix: &str) -> Client {
        let address = Address { url: self.url(), prefix: prefix.to_owned() };
        Client::connect(&address).await.expect("the private Redis accepts connections")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start(folder: &TempDir, arguments: &[String]) -> Child {
    let mut process = Command::new("redis-server")
        .args(["--port", "0", "--unixsocket", "redis.sock", "--save", "", "--dir"])
        .arg(folder.path())
        .args(arguments)
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-server is installed: run `cargo xtask setup`");
    let output = BufReader::new(process.stdout.take().expect("its output is piped"));
    let mut lines = output.lines();
    let ready = lines.any(|line| line.is_ok_and(|line| line.contains("ready to accept connections")));
    assert!(ready, "redis-server ended before it was ready");
    // The pipe must be read on, or the server would one day block on its log.
    std::thread::spawn(move || lines.for_each(drop));
    process
}
