//! A site: one installation of Margay, for one test. A Redis of its own, a folder with its configuration, and
//! whatever workers the test starts.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use queue::{Activity, Client, Ended, Event, Found, NewTask, State};
use redis::Value as Answered;
use serde_json::Value;
use task::{FunctionName, Task, Timestamp};
use tempfile::TempDir;
use test_support::{RedisServer, check_invariants, guest};
use tokio::time::timeout;

use super::PATIENCE;
use super::process::{Answer, Running, command};

/// The guest that does what its input says.
pub const PROBE: &str = "tests/guests/probe";

/// The guest with functions that run by themselves, and with hooks.
pub const CLOCKWORK: &str = "tests/guests/clockwork";

/// The probe may see one folder, so that a test can tell a run to go on.
const SIGNALS: &str = r#"
    [modules.probe]
    directories = [{ path = "signals", guest = "/signals" }]
"#;

/// One installation.
pub struct Site {
    pub redis: RedisServer,
    pub client: Client,
    folder: TempDir,
}

impl Site {
    /// With a Redis that forgets everything at its end.
    pub async fn start() -> Site {
        Site::on(RedisServer::start()).await
    }

    /// With a Redis that keeps what it has acknowledged.
    pub async fn durable() -> Site {
        Site::on(RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"])).await
    }

    async fn on(redis: RedisServer) -> Site {
        let folder = tempfile::tempdir().expect("a folder for the site");
        let client = redis.client("t").await;
        let site = Site { redis, client, folder };
        std::fs::create_dir(site.path("signals")).expect("an empty folder");
        site.configure("");
        site
    }

    /// A file or folder of the site.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the site.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, contents).expect("the site's folder takes files");
        path
    }

    /// Writes the site's margay.toml.
    pub fn configure(&self, settings: &str) {
        self.write("margay.toml", format!("{settings}\n{SIGNALS}"));
    }

    /// Lets every run go on that holds for `/signals/go`.
    pub fn release(&self) {
        self.write("signals/go", "");
    }

    /// Runs a command to its end.
    pub async fn margay(&self, arguments: &[&str]) -> Answer {
        let mut command = command(self.folder.path(), arguments);
        command.env("MARGAY_REDIS", self.redis.url());
        Answer::of(command).await
    }

    /// Deploys a project's component under the name of its folder.
    pub async fn deploy(&self, project: &str) {
        let name = Path::new(project).file_name().expect("a folder's name").to_string_lossy();
        self.deploy_file(&guest(project), &name).await;
    }

    /// Deploys a component.
    pub async fn deploy_file(&self, component: &Path, name: &str) {
        let component = component.to_str().expect("a path that is text");
        self.margay(&["deploy", component, "--name", name]).await.ok();
    }

    /// Starts a worker, and waits until it is ready.
    pub async fn worker(&self, flags: &[&str]) -> Running {
        let mut command = command(self.folder.path(), &["worker", "--log", "info", "--log-format", "json"]);
        command.args(flags).env("MARGAY_REDIS", self.redis.url());
        let mut worker = Running::start(command);
        worker.says("ready").await;
        worker
    }

    /// Kills Redis, and starts it again on the same data.
    pub async fn restart_redis(&mut self) {
        self.redis.restart();
        self.client = self.redis.client("t").await;
    }

    /// Enqueues a task and answers its id.
    pub async fn enqueue(&self, task: NewTask) -> String {
        self.enqueue_all([task]).await.remove(0)
    }

    /// Enqueues tasks and answers their ids.
    pub async fn enqueue_all(&self, tasks: impl IntoIterator<Item = NewTask>) -> Vec<String> {
        let tasks: Vec<NewTask> = tasks.into_iter().collect();
        let ids = tasks.iter().map(|new| new.task.id.clone()).collect();
        self.client.enqueue(tasks, queue::now()).await.expect("Redis takes tasks");
        ids
    }

    /// Waits until a task has ended.
    pub async fn ended(&self, id: &str) -> Ended {
        let Ok(ended) = timeout(PATIENCE, self.client.wait(id)).await else {
            panic!("the task {id} does not end: {:?}", self.client.find(id, 9).await)
        };
        ended.expect("Redis answers")
    }

    /// Listens to the ends of tasks from now on.
    pub async fn ends(&self) -> Ends {
        Ends { activity: self.client.listen_to_ends().await.expect("Redis tells"), seen: HashSet::new() }
    }

    /// Listens to what is scheduled from now on.
    pub async fn dues(&self) -> Dues {
        let channel = self.client.keys().due();
        Dues { activity: self.client.listen(vec![channel]).await.expect("Redis tells") }
    }

    /// Lets every worker count as vanished that does not run any more, as its presence would have expired.
    pub async fn forget_presences(&self) {
        for worker in self.redis_says(&["SMEMBERS", "t:workers"]).await {
            self.redis_says(&["DEL", &format!("t:worker:{worker}")]).await;
        }
    }

    /// The one place where a task is.
    pub async fn find(&self, id: &str) -> Found {
        let mut places = self.client.find(id, 100).await.expect("Redis answers");
        assert_eq!(places.len(), 1, "{places:?}");
        places.remove(0)
    }

    /// The records of a task's failed runs, as other programs read them, and their count.
    pub async fn executions(&self, id: &str) -> (Vec<Value>, u64) {
        let keys = self.client.keys();
        let records = self.redis_says(&["LRANGE", &keys.executions(id), "0", "-1"]).await;
        let count = self.redis_says(&["GET", &keys.executions_count(id)]).await.concat();
        let records = records.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect();
        (records, count.parse().unwrap_or(0))
    }

    /// Redis' answer to any command, as texts.
    pub async fn redis_says(&self, words: &[&str]) -> Vec<String> {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        match self.client.command("answer a test", &command).await.expect("Redis answers") {
            Answered::Nil => Vec::new(),
            list @ (Answered::Array(_) | Answered::Set(_)) => {
                redis::from_redis_value(list).expect("a list of texts")
            }
            one => vec![redis::from_redis_value(one).expect("a text")],
        }
    }

    /// Checks that nothing waits, runs or has failed, once all workers have stopped.
    pub async fn is_empty(&self) {
        let queues = self.client.queues().await.expect("Redis answers");
        assert!(queues.is_empty(), "{queues:?}");
        self.is_consistent().await;
    }

    /// Checks what must be true of the keyspace, whatever happened.
    pub async fn is_consistent(&self) {
        check_invariants(&self.client).await;
    }

    /// How many tasks a queue has in a state.
    pub async fn count(&self, queue: &str, state: State) -> u64 {
        let page = queue::Page { limit: 0, ..Default::default() };
        self.client.list(queue, state, page).await.expect("Redis answers").total
    }
}

/// The ends of tasks.
pub struct Ends {
    activity: Activity,
    seen: HashSet<String>,
}

impl Ends {
    /// Waits until so many tasks have ended.
    pub async fn reach(&mut self, number: usize) {
        let reached = async {
            while self.seen.len() < number {
                if let Event::Ended(id) = self.activity.next().await {
                    self.seen.insert(id);
                }
            }
        };
        timeout(PATIENCE, reached).await.expect("tasks end");
    }

    /// Waits until all of these tasks have ended, and answers how.
    pub async fn of(&mut self, site: &Site, ids: &[String]) -> Vec<Ended> {
        let read = async |ids: &[String]| site.client.ended(ids).await.expect("Redis answers");
        // Whatever ended while nobody listened is there to be read.
        let known = read(ids).await;
        self.seen.extend(known.into_iter().flatten().map(|ended| ended.id));
        let missing = |seen: &HashSet<String>| ids.iter().filter(|id| !seen.contains(*id)).count();
        let all = async {
            while missing(&self.seen) > 0 {
                if let Event::Ended(id) = self.activity.next().await {
                    self.seen.insert(id);
                }
            }
        };
        if timeout(PATIENCE, all).await.is_err() {
            panic!("{} tasks never ended: {:?}", missing(&self.seen), site.client.queues().await);
        }
        read(ids).await.into_iter().map(|ended| ended.expect("it has ended")).collect()
    }
}

/// The times for which tasks are scheduled.
pub struct Dues {
    activity: Activity,
}

impl Dues {
    /// Waits until a task of this queue is scheduled, and answers for when.
    pub async fn of(&mut self, queue: &str) -> Timestamp {
        let told = async {
            loop {
                match self.activity.next().await {
                    Event::Due(name, due) if name == queue => return due,
                    _ => {}
                }
            }
        };
        timeout(PATIENCE, told).await.expect("a task is scheduled")
    }
}

/// A project's component with one text in its bytes changed to another, which makes it another version.
pub fn changed(project: &str, old: &str, new: &str) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let mut bytes = std::fs::read(guest(project)).expect("a component");
    let mut places = bytes.windows(old.len()).enumerate().filter(|(_, window)| *window == old.as_bytes());
    let (Some((at, _)), None) = (places.next(), places.next()) else { panic!("not exactly one `{old}`") };
    bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
    bytes
}

/// A call whose end is recorded, for a queue.
pub fn call_in(queue: &str, func: &str, args: Value) -> NewTask {
    NewTask { queue: queue.to_owned(), ..call(func, args) }
}

/// A call whose end is recorded, for the queue `default`.
pub fn call(func: &str, args: Value) -> NewTask {
    let mut task = Task::new(queue::new_id(), FunctionName::parse(func).expect("a function's name"));
    task.args = Some(serde_json::value::to_raw_value(&args).expect("JSON"));
    task.margay.result_ttl = Some(600.0);
    NewTask::new("default", task)
}
