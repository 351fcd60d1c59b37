//! A keyspace with a clock that tests turn by hand.

use std::time::Duration;

use queue::{Asked, Claim, Client, Incarnation, Lease, NewTask, Presence, Settled, Settlement, State};
use task::{Execution, FunctionName, Outcome, Task, Verdict};
use test_support::{RedisServer, check_invariants};

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
        let new = NewTask { due: Some(due), ..NewTask::new(queue, a_task(id)) };
        self.client.enqueue([new], self.now).await.expect("scheduled");
    }

    pub async fn claim(&self, queues: &[&str], tasks: usize) -> Vec<Claim> {
        let asked = Asked { tasks, due_again: self.now + 1.0 };
        let claimed = self.client.claim(&self.worker, queues, asked, self.now).await.expect("claimed");
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
        let (present, presence) = (Duration::from_secs(5), presence());
        let beat = self.client.heartbeat(&self.worker, &presence, present, leases, self.now, repeated);
        beat.await.expect("a heartbeat")
    }

    pub async fn ids(&self, state: State, queue: &str) -> Vec<String> {
        let listing = self.client.list(queue, state, queue::Page::default()).await.expect("a listing");
        listing.tasks.into_iter().map(|found| found.id).collect()
    }

    /// Every test ends here.
    pub async fn finish(self) {
        check_invariants(&self.client).await;
    }
}

pub fn a_task(id: &str) -> Task {
    Task::new(id, FunctionName::parse("mail:send").expect("a name"))
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
    }
}
