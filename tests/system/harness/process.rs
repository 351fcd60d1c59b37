//! Processes of the `margay` command: those that answer, and those that run on.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use super::PATIENCE;

/// A `margay` command in a folder, with nothing from the environment of whoever runs the tests. The process
/// never outlives the test.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    for variable in ["MARGAY_REDIS", "MARGAY_PREFIX", "MARGAY_CONFIG", "MARGAY_LOG", "CARGO_TARGET_DIR"] {
        command.env_remove(variable);
    }
    command
}

fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("MARGAY_BIN") {
        return named.into();
    }
    let test = std::env::current_exe().expect("the test has a path");
    let binary = test.ancestors().nth(2).expect("a target folder").join("margay");
    assert!(binary.exists(), "{} is missing: run `cargo build -p margay-cli` first", binary.display());
    binary
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// Waits for a command's end. It may have to compile a project.
    pub async fn of(mut command: Command) -> Answer {
        let output = timeout(5 * PATIENCE, command.output()).await;
        let output = output.expect("the command ends").expect("the command starts");
        Answer {
            code: output.status.code().expect("it was not killed"),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// The standard output of a command that must have gone well.
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout
    }

    /// The standard output as JSON.
    pub fn json(self) -> Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }
}

/// A process that runs on, with every line it has written: as JSON where it is some.
pub struct Running {
    process: Child,
    lines: watch::Receiver<Vec<Value>>,
}

impl Running {
    /// Starts a command.
    pub fn start(mut command: Command) -> Running {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the command starts");
        let (sender, lines) = watch::channel(Vec::new());
        tokio::spawn(read(process.stdout.take().expect("it is piped"), sender.clone()));
        tokio::spawn(read(process.stderr.take().expect("it is piped"), sender));
        Running { process, lines }
    }

    /// Waits for a line with this text.
    pub async fn says(&mut self, text: &str) -> Value {
        self.line(text, |line| message(line).contains(text)).await
    }

    /// Waits for a line with this text about a task.
    pub async fn says_of(&mut self, id: &str, text: &str) -> Value {
        self.says_with(text, "task_id", id).await
    }

    /// Waits for a line with this text and with this value in a field.
    pub async fn says_with(&mut self, text: &str, field: &str, value: impl Into<Value>) -> Value {
        let value = value.into();
        self.line(text, |line| line[field] == value && message(line).contains(text)).await
    }

    /// Waits until a line with this text about a task has come so often.
    pub async fn says_so_often(&mut self, id: &str, text: &str, times: usize) {
        let enough = |lines: &Vec<Value>| count(lines, id, text) >= times;
        let said = timeout(PATIENCE, self.lines.wait_for(enough)).await.is_ok_and(|said| said.is_ok());
        assert!(said, "it did not say `{text}` {times} times:\n{}", self.log());
    }

    /// How often it has said a text about a task.
    pub fn said_of(&self, id: &str, text: &str) -> usize {
        count(&self.lines.borrow(), id, text)
    }

    async fn line(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = timeout(PATIENCE, self.lines.wait_for(|lines| lines.iter().any(&wanted)))
            .await
            .map(|found| found.ok().and_then(|lines| lines.iter().find(|line| wanted(line)).cloned()));
        let Ok(Some(line)) = found else { panic!("it never said `{what}`:\n{}", self.log()) };
        line
    }

    /// Everything it has written.
    pub fn log(&self) -> String {
        let lines: Vec<String> = self.lines.borrow().iter().map(Value::to_string).collect();
        lines.join("\n")
    }

    /// Ends it as the kernel does when memory is short: with no chance to say goodbye.
    pub async fn kill(&mut self) {
        self.process.kill().await.expect("it runs");
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Lets it stand still, as a machine does that has no processor left.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = self.process.id().and_then(|id| Pid::from_raw(id.cast_signed())).expect("it runs");
        kill_process(id, signal).expect("it takes signals");
    }

    /// Waits for its end.
    pub async fn exit(&mut self) -> i32 {
        self.status().await.code().expect("it was not killed")
    }

    /// Waits for its end, which may be a signal's work.
    pub async fn status(&mut self) -> ExitStatus {
        let Ok(status) = timeout(PATIENCE, self.process.wait()).await else {
            panic!("it does not end:\n{}", self.log())
        };
        status.expect("it can be waited for")
    }

    /// Waits until it has ended by itself, and well.
    pub async fn exits_well(mut self) {
        let code = self.exit().await;
        assert_eq!(code, 0, "it ended badly:\n{}", self.log());
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().expect("it can be asked").is_none()
    }

    /// Stops it, and expects that it ends well.
    pub async fn stop(self) {
        self.terminate();
        self.exits_well().await;
    }
}

async fn read(output: impl AsyncRead + Unpin, lines: watch::Sender<Vec<Value>>) {
    let mut output = BufReader::new(output).lines();
    while let Ok(Some(line)) = output.next_line().await {
        let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
        lines.send_modify(|lines| lines.push(line));
    }
}

fn count(lines: &[Value], id: &str, text: &str) -> usize {
    lines.iter().filter(|line| line["task_id"] == id && message(line).contains(text)).count()
}

/// The text of a line: a log line's message (`event` in Python's), or all of a line that is no JSON.
fn message(line: &Value) -> &str {
    line["message"].as_str().or(line["event"].as_str()).or(line.as_str()).unwrap_or_default()
}
