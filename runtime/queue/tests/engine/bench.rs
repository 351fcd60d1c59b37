//! A keyspace with a clock that tests turn by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use queue::{
    Asked, Beat, Claim, Client, Found, Incarnation, Lease, NewTask, Presence, Settled, Settlement, Source,
    State,
};
use task::{Execution, FunctionName, Outcome, Task, Verdict};
use test_support::{RedisServer, check_invariants};

/// For how long locks and seats hold.
pub const HOLD: Duration = Duration::from_secs(60);

pub struct Bench {
    pub client: Client,
    pub server: RedisServer,
    pub worker: Incarnation,
    pub now: f64,
}

impl Bench {
    pub async fn new() -> Bench {
        let server = RedisServer::start();
        let client = server.client("t").await;
        Bench { client, server, worker: Incarnation::fresh(), now: 1_000_000.25 }
    }

    pub async fn enqueue(&self, queue: &str, id: &str) {
        self.enqueue_task(queue, a_task(id)).await;
    }

    pub async fn enqueue_task(&self, queue: &str, task: Task) {
        self.client.enqueue([NewTask::new(queue, task)], self.now).await.expect("enqueued");
    }

    pub async fn schedule(&self, queue: &str, id: &str, due: f64) {
        self.schedule_task(queue, a_task(id), due).await;
    }

    pub async fn schedule_task(&self, queue: &str, task: Task, due: f64) {
        let new = NewTask { due: Some(due), ..NewTask::new(queue, task) };
        self.client.enqueue([new], self.now).await.expect("scheduled");
    }

    pub async fn claim(&self, queues: &[&str], tasks: usize) -> Vec<Claim> {
        let queues: Vec<Source<'_>> = queues.iter().map(|queue| Source::unlimited(queue)).collect();
        self.claim_from(&queues, tasks).await
    }

    pub async fn claim_from(&self, queues: &[Source<'_>], tasks: usize) -> Vec<Claim> {
        self.claim_as(&self.worker, queues, tasks).await
    }

    pub async fn claim_as(&self, worker: &Incarnation, queues: &[Source<'_>], tasks: usize) -> Vec<Claim> {
        let asked = Asked { batches: tasks, due_again: self.now + 1.0, seat: HOLD };
        let claimed = self.client.claim(worker, queues, asked, self.now).await.expect("claimed");
        claimed.into_iter().flat_map(|queue| queue.claims).collect()
    }

    pub async fn claim_one(&self, queue: &str) -> Claim {
        self.claim(&[queue], 1).await.pop().expect("a task was queued")
    }

    pub async fn settle(&self, claim: &Claim, verdict: Verdict) -> Settled {
        let settlement = Settlement::new(claim.lease.clone(), claim.task.as_ref().ok(), verdict);
        self.settle_all(vec![settlement]).await[0]
    }

    pub async fn settle_all(&self, mut settlements: Vec<Settlement>) -> Vec<Settled> {
        self.client.settle(&self.worker, &mut settlements, self.now).await.expect("settled")
    }

    pub async fn heartbeat(&self, leases: &[Lease]) -> Vec<usize> {
        self.beat(leases, false).await
    }

    pub async fn repeat_heartbeat(&self, leases: &[Lease]) -> Vec<usize> {
        self.beat(leases, true).await
    }

    async fn beat(&self, leases: &[Lease], repeated: bool) -> Vec<usize> {
        let presence = presence();
        let beat = Beat { leases, repeated, ..self::beat(&presence) };
        self.client.heartbeat(&self.worker, beat, self.now).await.expect("a heartbeat").leases
    }

    pub async fn ids(&self, state: State, queue: &str) -> Vec<String> {
        self.ids_of(state, queue, 100).await
    }

    pub async fn ids_of(&self, state: State, queue: &str, limit: usize) -> Vec<String> {
        let page = queue::Page { limit, ..queue::Page::default() };
        let listing = self.client.list(queue, state, page).await.expect("a listing");
        listing.tasks.into_iter().map(|found| found.id).collect()
    }

    /// Redis' answer to any command, as texts.
    pub async fn says(&self, words: &[&str]) -> Vec<String> {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        match self.client.command("answer a test", &command).await.expect("Redis answers") {
            redis::Value::Nil => Vec::new(),
            list @ redis::Value::Array(_) => redis::from_redis_value(list).expect("a list of texts"),
            one => vec![redis::from_redis_value(one).expect("a text")],
        }
    }

    /// Lets tasks fail for good, as they were enqueued and all at once.
    pub async fn fail(&self, queue: &str, tasks: Vec<Task>, kind: &str) {
        let number = tasks.len();
        let tasks = tasks.into_iter().map(|task| NewTask::new(queue, task));
        self.client.enqueue(tasks, self.now).await.expect("enqueued");
        self.fail_queued(queue, number, kind).await;
    }

    /// Lets so many tasks fail for good that are queued.
    pub async fn fail_queued(&self, queue: &str, number: usize, kind: &str) {
        let mut left = number;
        while left > 0 {
            let claims = self.claim(&[queue], left).await;
            assert!(!claims.is_empty(), "`{queue}` has no {left} tasks more");
            left -= claims.len();
            let execution = || Execution { exception_name: kind.to_owned(), ..an_execution() };
            let failed = |claim: &Claim| {
                let verdict = Verdict::Error { execution: execution() };
                Settlement::new(claim.lease.clone(), claim.task.as_ref().ok(), verdict)
            };
            self.settle_all(claims.iter().map(failed).collect()).await;
        }
    }

    /// The one place where a task is.
    pub async fn find(&self, id: &str) -> Found {
        let mut places = self.client.find(id, 9).await.expect("an answer");
        assert_eq!(places.len(), 1, "{places:?}");
        places.remove(0)
    }

    /// A task in one of its places.
    pub async fn find_in(&self, state: State, id: &str) -> Found {
        let places = self.client.find(id, 9).await.expect("an answer");
        places.into_iter().find(|found| found.state == state).expect("it is there")
    }

    /// Stores any payload.
    pub async fn set_payload(&self, id: &str, payload: &str) {
        let mut set = redis::cmd("SET");
        set.arg(self.client.keys().payload(id)).arg(payload);
        self.client.command("set a payload", &set).await.expect("set");
    }

    /// Every test ends here.
    pub async fn finish(self) {
        check_invariants(&self.client).await;
    }
}

/// A heartbeat of a worker that holds nothing.
pub fn beat(presence: &Presence) -> Beat<'_> {
    let present = Duration::from_secs(5);
    Beat { presence, present, leases: &[], locks: &[], seats: &[], hold: HOLD, repeated: false }
}

pub fn a_task(id: &str) -> Task {
    Task::new(id, FunctionName::parse("mail:send").expect("a name"))
}

pub fn a_unique_task(id: &str) -> Task {
    Task { unique: true, ..a_task(id) }
}

/// So many tasks, whose ids sort as they come.
pub fn tasks(number: usize) -> Vec<Task> {
    (0..number).map(|n| a_task(&format!("{n:04}"))).collect()
}

pub fn ids(claims: &[Claim]) -> Vec<&str> {
    claims.iter().map(|claim| claim.lease.id.as_str()).collect()
}

pub fn done() -> Verdict {
    Verdict::Done { result: "null".to_owned() }
}

pub fn an_execution() -> Execution {
    Execution::of(&Outcome::Cancelled, 1.0, 2.0, "host", true)
}

pub fn presence() -> Presence {
    Presence {
        host: "host".to_owned(),
        pid: 1,
        started: 1.0,
        version: "0".to_owned(),
        concurrency: 1,
        queues: Vec::new(),
        rates: BTreeMap::new(),
    }
}
