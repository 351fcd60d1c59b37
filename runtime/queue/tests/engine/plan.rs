//! Periodic tasks.

use queue::{NewTask, Running, State};
use task::{Task, Verdict};

use crate::Bench;
use crate::bench::{a_task, an_execution, done};

impl Bench {
    fn tick(&self, due: Option<f64>) -> NewTask {
        NewTask { due, ..NewTask::new("ticks", Task { unique: true, ..a_task("tick") }) }
    }

    async fn plan(&self, due: f64, running: Running) -> bool {
        let planned = self.client.plan(&mut [self.tick(Some(due))], running, self.now).await;
        planned.expect("planned")[0]
    }

    async fn due(&self) -> Vec<f64> {
        let found = self.client.find("tick", 0).await.expect("found");
        found.iter().filter(|found| found.state == State::Scheduled).map(|found| found.score).collect()
    }
}

#[tokio::test]
async fn a_run_is_planned_once_by_however_many_workers() {
    let bench = Bench::new().await;
    assert!(bench.plan(bench.now + 5.0, Running::IsPlanned).await);
    assert!(!bench.plan(bench.now + 9.0, Running::IsPlanned).await);
    assert_eq!(bench.due().await, [bench.now + 5.0]);
    bench.finish().await;
}

#[tokio::test]
async fn the_next_run_is_planned_while_this_one_runs() {
    let mut bench = Bench::new().await;
    bench.plan(bench.now + 5.0, Running::IsPlanned).await;
    bench.now += 5.0;
    bench.client.promote(&["ticks"], bench.now).await.expect("promoted");
    assert!(!bench.plan(bench.now + 5.0, Running::NeedsNext).await, "it waits in its queue");
    let claim = bench.claim_one("ticks").await;
    assert!(!bench.plan(bench.now + 5.0, Running::IsPlanned).await);
    assert!(bench.plan(bench.now + 5.0, Running::NeedsNext).await);
    bench.settle(&claim, done()).await;
    assert_eq!(bench.due().await, [bench.now + 5.0]);
    bench.finish().await;
}

#[tokio::test]
async fn a_deploy_moves_the_planned_run_or_takes_it_back() {
    let bench = Bench::new().await;
    bench.plan(bench.now + 5.0, Running::IsPlanned).await;
    let replan = async |due| bench.client.replan(&mut [bench.tick(due)], bench.now).await.expect("replanned");
    assert_eq!(replan(Some(bench.now + 2.0)).await, 1);
    assert_eq!(bench.due().await, [bench.now + 2.0]);
    assert_eq!(replan(Some(bench.now + 2.0)).await, 0);
    assert_eq!(replan(None).await, 1);
    assert!(bench.client.find("tick", 0).await.expect("looked").is_empty());
    assert_eq!(replan(Some(bench.now + 2.0)).await, 0, "what is not planned is not moved");
    bench.finish().await;
}

#[tokio::test]
async fn a_planned_run_that_lost_its_payload_gets_it_back() {
    let bench = Bench::new().await;
    bench.plan(bench.now + 5.0, Running::IsPlanned).await;
    bench.says(&["DEL", &bench.client.keys().payload("tick")]).await;
    assert!(!bench.plan(bench.now + 9.0, Running::IsPlanned).await);
    assert_eq!(bench.due().await, [bench.now + 5.0]);
    bench.finish().await;
}

#[tokio::test]
async fn a_deploy_does_not_put_off_a_retry() {
    let bench = Bench::new().await;
    bench.plan(bench.now, Running::IsPlanned).await;
    bench.client.promote(&["ticks"], bench.now).await.expect("promoted");
    let claim = bench.claim_one("ticks").await;
    bench.settle(&claim, Verdict::Retry { at: bench.now + 1.0, execution: an_execution() }).await;
    let moved = bench.client.replan(&mut [bench.tick(Some(bench.now + 99.0))], bench.now).await;
    assert_eq!(moved.expect("replanned"), 0);
    assert_eq!(bench.due().await, [bench.now + 1.0]);
    bench.finish().await;
}
