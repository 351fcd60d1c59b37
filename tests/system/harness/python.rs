//! Python TaskTiger, in the same Redis as a site: its producer and its `Task` API, its worker, and the pages
//! of tasktiger-admin. The programs are in `tests/tasktiger`; `cargo xtask setup` brings the Python for them.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use super::PATIENCE;
use super::process::{Answer, Running};
use super::site::Site;

/// What makes a worker of TaskTiger's quick: how long it waits, and how often it promotes, in seconds.
const QUICK: [(&str, f64); 3] =
    [("SELECT_TIMEOUT", 0.1), ("QUEUE_SCHEDULED_TASKS_TIME", 0.1), ("STATS_INTERVAL", 0.0)];

impl Site {
    /// Calls a verb of `drive.py` with these arguments, a JSON object, and answers its answer.
    pub async fn python(&self, verb: &str, arguments: impl Display) -> Value {
        let command = self.program("drive.py", &[verb, &arguments.to_string()]);
        Answer::of(command).await.json()
    }

    /// Enqueues a task with TaskTiger's producer, and answers its id.
    pub async fn python_enqueues(&self, func: &str, arguments: Value) -> String {
        let mut arguments = arguments;
        arguments["func"] = json!(func);
        let task = self.python("delay", arguments).await;
        task["id"].as_str().expect("a task has an id").to_owned()
    }

    /// Starts a worker of TaskTiger's with these flags, and waits until it is ready.
    pub async fn python_worker(&self, flags: &[&str]) -> Running {
        self.python_worker_with(flags, json!({})).await
    }

    /// The same, with settings of TaskTiger's.
    pub async fn python_worker_with(&self, flags: &[&str], settings: Value) -> Running {
        let mut config: serde_json::Map<String, Value> =
            QUICK.iter().map(|(name, seconds)| ((*name).to_owned(), json!(seconds))).collect();
        config.extend(settings.as_object().expect("settings have names").clone());
        let mut command = self.program("worker.py", flags);
        command.env("PEER_CONFIG", Value::from(config).to_string());
        let mut worker = Running::start(command);
        worker.says("ready").await;
        worker
    }

    /// Starts tasktiger-admin.
    pub async fn python_admin(&self) -> Pages {
        let mut server = Running::start(self.program("admin.py", &[]));
        let port = server.says("ready").await["port"].as_u64().expect("a number");
        Pages { address: format!("127.0.0.1:{port}"), _server: server }
    }

    /// What Python's tasks have noted, in order.
    pub async fn notes(&self) -> Vec<String> {
        self.redis_says(&["LRANGE", "notes", "0", "-1"]).await
    }

    fn program(&self, name: &str, arguments: &[&str]) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut command = Command::new(interpreter(&root));
        command.arg(root.join("tests/tasktiger").join(name)).args(arguments);
        command.env("PEER_REDIS", self.redis.socket()).env("PEER_SITE", self.path(""));
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

fn interpreter(root: &Path) -> PathBuf {
    let python = root.join("target/tasktiger/bin/python");
    assert!(python.exists(), "{} is missing: run `cargo xtask setup` first", python.display());
    python
}

impl Running {
    /// Stops a worker of TaskTiger's, which must not have died before. While it waits for work the signal
    /// ends it on the spot; otherwise it finishes what it runs.
    pub async fn stop_python(mut self) {
        assert!(self.is_running(), "it died:\n{}", self.log());
        self.terminate();
        let status = self.status().await;
        assert!(status.code().is_none_or(|code| code == 0), "it ended badly:\n{}", self.log());
    }
}

/// The pages of tasktiger-admin.
pub struct Pages {
    address: String,
    _server: Running,
}

impl Pages {
    /// Asks for a page below `/tasktiger/`; answers the status and the text.
    pub async fn get(&self, path: &str) -> (u16, String) {
        self.request("GET", path).await
    }

    /// Presses a button.
    pub async fn post(&self, path: &str) -> (u16, String) {
        self.request("POST", path).await
    }

    async fn request(&self, method: &str, path: &str) -> (u16, String) {
        let request = format!("{method} /tasktiger/{path} HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
        let exchange = async {
            let mut stream = TcpStream::connect(&self.address).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = timeout(PATIENCE, exchange).await.expect("the pages answer").expect("HTTP");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), answer)
    }
}
