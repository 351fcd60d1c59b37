//! Functions that run by themselves.

use queue::State;
use serde_json::json;
use task::{FunctionName, Task, Timestamp};

use crate::harness::{CLOCKWORK, PROBE, Running, Site, call, call_in, changed};

/// The id of a periodic function's only task.
fn id_of(func: &str) -> String {
    Task::periodic(FunctionName::parse(func).expect("a name")).id
}

fn tick() -> String {
    id_of("clockwork:tick")
}

/// The clockwork, in a version whose `tick` runs every hour.
async fn deploy_hourly(site: &Site) {
    let hourly = changed(CLOCKWORK, "a tick every 0001000 ms", "a tick every 3600000 ms");
    site.deploy_file(&site.write("hourly.wasm", hourly), "clockwork").await;
}

/// Puts off the planned run of a function to another time.
async fn plan_for(site: &Site, queue: &str, id: &str, due: Timestamp) {
    site.redis_says(&["ZADD", &format!("t:scheduled:{queue}"), &due.to_string(), id]).await;
}

/// Takes away all that is there of a periodic function.
async fn lose(site: &Site, queue: &str, id: &str) {
    site.redis_says(&["DEL", &format!("t:scheduled:{queue}"), &site.client.keys().payload(id)]).await;
    site.redis_says(&["SREM", "t:scheduled", queue]).await;
}

async fn tells_planned(worker: &mut Running, func: &str) {
    worker.says_with("planned a periodic task", "func", func).await;
}

#[tokio::test]
async fn a_deploy_plans_periodic_functions_before_any_worker_runs() {
    let site = Site::start().await;
    let now = queue::now();
    site.deploy(CLOCKWORK).await;
    let tick = site.find(&tick()).await;
    assert_eq!((tick.state, tick.queue.as_str()), (State::Scheduled, "ticks"));
    assert!(tick.score > now && tick.score.fract() == 0.0, "every full second: {}", tick.score);
    let custom = site.find(&id_of("clockwork:tick_custom")).await;
    assert_eq!((custom.state, custom.queue.as_str()), (State::Scheduled, "ticks.custom"));
    assert!(custom.score > now + 0.4, "400 ms after it was asked");
    let payload = custom.task.expect("a payload");
    assert!(payload.unique && payload.args.is_none());
    site.is_consistent().await;
}

#[tokio::test]
async fn a_periodic_function_runs_once_a_period_over_all_workers() {
    let site = Site::start().await;
    let began = queue::now();
    site.deploy(CLOCKWORK).await;
    let mut dues = site.dues().await;
    let mut workers = [site.worker(&[]).await, site.worker(&[]).await];
    let mut times = Vec::new();
    for _ in 0..3 {
        times.push(dues.of("ticks").await);
    }
    for pair in times.windows(2) {
        assert!(pair[1] > pair[0] && pair[1].fract() == 0.0, "{times:?}");
    }
    let custom = id_of("clockwork:tick_custom");
    let [first, second] = &mut workers;
    tokio::select! {
        () = first.says_so_often(&custom, "tick_custom", 2) => {}
        () = second.says_so_often(&custom, "tick_custom", 2) => {}
    }
    for worker in &mut workers {
        worker.terminate();
        assert_eq!(worker.exit().await, 0, "{}", worker.log());
    }
    // A run plans the next one when it begins, so that at least two have begun.
    let runs: usize = workers.iter().map(|worker| worker.said_of(&tick(), "tick")).sum();
    let periods = queue::now().floor() - began.floor();
    assert!((2.0..=periods).contains(&(runs as f64)), "{runs} runs in {periods} s");
    for id in [tick(), custom] {
        let state = site.find(&id).await.state;
        assert!([State::Scheduled, State::Queued].contains(&state), "the next run is not planned: {state}");
    }
    site.is_consistent().await;
}

#[tokio::test]
async fn a_periodic_task_that_was_lost_is_planned_by_a_worker_that_may_take_it() {
    let site = Site::start().await;
    deploy_hourly(&site).await;
    lose(&site, "ticks", &tick()).await;
    lose(&site, "ticks.custom", &id_of("clockwork:tick_custom")).await;
    site.is_empty().await;

    let mut other = site.worker(&["-q", "other"]).await;
    let mut custom = site.worker(&["-q", "ticks.custom"]).await;
    tells_planned(&mut custom, "clockwork:tick_custom").await;
    let task = site.enqueue(call_in("other", "clockwork:work", json!([1]))).await;
    assert_eq!(site.ended(&task).await.outcome, "finished");
    assert!(site.client.find(&tick(), 0).await.expect("Redis answers").is_empty(), "nobody is for it");

    let mut worker = site.worker(&["-q", "ticks"]).await;
    tells_planned(&mut worker, "clockwork:tick").await;
    assert_eq!(site.find(&tick()).await.state, State::Scheduled);
    for worker in [&mut other, &mut custom, &mut worker] {
        worker.terminate();
        assert_eq!(worker.exit().await, 0);
    }
    assert!(!other.log().contains("planned"), "{}", other.log());
    site.is_consistent().await;
}

#[tokio::test]
async fn a_run_that_is_five_periods_late_is_made_up_for_once() {
    let site = Site::start().await;
    deploy_hourly(&site).await;
    let late = queue::now() - 5.0 * 3600.0;
    plan_for(&site, "ticks", &tick(), late).await;
    let mut dues = site.dues().await;
    let mut worker = site.worker(&["-q", "ticks,default"]).await;
    worker.says_of(&tick(), "tick").await;
    let next = dues.of("ticks").await;
    assert!(next > queue::now() && next % 3600.0 == 0.0, "{next}");
    let task = site.enqueue(call("clockwork:work", json!([1]))).await;
    assert_eq!(site.ended(&task).await.outcome, "finished");
    worker.terminate();
    assert_eq!(worker.exit().await, 0);
    assert_eq!(worker.said_of(&tick(), "tick"), 1);
    assert_eq!((site.find(&tick()).await.state, site.find(&tick()).await.score), (State::Scheduled, next));
    site.is_consistent().await;
}

#[tokio::test]
async fn a_deploy_moves_a_planned_run_to_its_new_time_or_takes_it_back() {
    let site = Site::start().await;
    deploy_hourly(&site).await;
    let hourly = site.find(&tick()).await.score;
    assert!(hourly % 3600.0 == 0.0, "{hourly}");
    // Somebody has moved the other by hand. Its schedule stays the same, and so does its time.
    let custom = id_of("clockwork:tick_custom");
    plan_for(&site, "ticks.custom", &custom, 4e9).await;

    let now = queue::now();
    site.deploy(CLOCKWORK).await;
    let secondly = site.find(&tick()).await.score;
    assert!(secondly > now && secondly < now + 60.0, "{secondly} after {now}");
    assert_eq!(site.find(&custom).await.score, 4e9);

    site.deploy_file(&test_support::guest(PROBE), "clockwork").await;
    site.is_empty().await;
}
