//! Slots are shared, bounded, and always given back clean.

use std::time::Duration;

use margay_sandbox::{Limits, Settings};
use task::Outcome;
use tokio::time::timeout;

use crate::support::{PROBE, Probe, only};

fn four_slots() -> Probe {
    Probe::with(Settings { slots: 4, ..Settings::default() })
}

#[tokio::test]
async fn memory_of_one_run_is_not_seen_by_the_next() {
    for _ in 0..20 {
        assert_eq!(PROBE.result("remember", "[]").await, "0");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_runs_go_through_four_slots() {
    let probe = four_slots();
    assert_eq!(probe.sandbox.slots(), 4);
    let runs = (0..200).map(|n| {
        let (sandbox, module) = (probe.sandbox.clone(), probe.module.clone());
        tokio::spawn(async move {
            let function = ["noop", "remember", "panic", "trap", "grow"][n % 5];
            Probe { sandbox, module }.run(function, "[1000000]").await
        })
    });
    let mut words = std::collections::BTreeMap::new();
    for run in runs.collect::<Vec<_>>() {
        *words.entry(only(run.await.expect("no panic")).word()).or_insert(0) += 1;
    }
    assert_eq!(words, [("finished", 120), ("trapped", 80)].into());
}

#[tokio::test]
async fn a_dropped_run_gives_its_slot_back() {
    let probe = four_slots();
    for function in ["sleep", "spin"] {
        for _ in 0..20 {
            let run = probe.run(function, "[60000]");
            assert!(timeout(Duration::from_millis(10), run).await.is_err(), "`{function}` ended");
        }
    }
    assert_eq!(probe.result("remember", "[]").await, "0");
}

#[tokio::test]
async fn a_run_that_waits_for_a_slot_does_not_use_up_its_time() {
    let probe = Probe::with(Settings { slots: 1, ..Settings::default() });
    let short = Limits { hard_timeout: Duration::from_millis(1_000), ..Limits::default() };
    let (first, second) =
        tokio::join!(probe.run("sleep", "[1500]"), probe.run_within("sleep", "[1]", &short));
    assert!(matches!(only(first), Outcome::Finished(_)));
    assert!(matches!(only(second), Outcome::Finished(_)));
}

#[tokio::test]
async fn more_slots_than_the_system_can_map_are_not_promised() {
    let settings = Settings { slots: u32::MAX, ..Settings::default() };
    let sandbox = margay_sandbox::Sandbox::new(settings).expect("a sandbox with fewer slots");
    assert!(sandbox.slots() < u32::MAX);
}
