//! No guest gets more time, memory or room than its limits say.

use std::time::{Duration, Instant};

use margay_sandbox::{Limits, Settings};
use task::Outcome;

use crate::support::{PROBE, Probe, only};

const MIB: u64 = 1 << 20;

fn a_tenth_of_a_second() -> Limits {
    Limits { hard_timeout: Duration::from_millis(100), ..Limits::default() }
}

#[tokio::test]
async fn a_spinning_guest_ends_at_its_hard_timeout() {
    let report = PROBE.run_within("spin", "[]", &a_tenth_of_a_second()).await;
    assert!(report.elapsed >= Duration::from_millis(100), "{:?}", report.elapsed);
    let Outcome::TimedOut { limit, traceback } = only(report) else { panic!("not timed out") };
    assert_eq!(limit, 0.1);
    assert!(traceback.contains("Guest>::run"), "{traceback}");
}

#[tokio::test]
async fn a_sleeping_guest_ends_at_its_hard_timeout() {
    let report = PROBE.run_within("sleep", "[60000]", &a_tenth_of_a_second()).await;
    assert!(report.elapsed < Duration::from_secs(30), "{:?}", report.elapsed);
    let Outcome::TimedOut { traceback, .. } = only(report) else { panic!("not timed out") };
    assert!(traceback.contains("waiting in a host call"), "{traceback}");
}

#[tokio::test]
async fn many_spinning_guests_on_one_thread_all_end() {
    let limits = a_tenth_of_a_second();
    let runs = (0..10).map(|_| PROBE.run_within("spin", "[]", &limits));
    for report in futures_util::future::join_all(runs).await {
        assert!(matches!(only(report), Outcome::TimedOut { .. }));
    }
}

#[tokio::test]
async fn a_sleeping_guest_leaves_its_thread_to_others() {
    let sleeper = PROBE.run("sleep", "[1000]");
    let others = async {
        for _ in 0..10 {
            PROBE.result("noop", "[]").await;
        }
        Instant::now()
    };
    let (slept, others_done) = tokio::join!(async { (sleeper.await, Instant::now()) }, others);
    assert!(matches!(only(slept.0), Outcome::Finished(_)));
    assert!(others_done < slept.1);
}

#[tokio::test]
async fn a_guest_that_wants_too_much_memory_is_told_apart_from_a_trap() {
    let limits = Limits { memory_bytes: 16 * MIB, ..Limits::default() };
    let report = PROBE.run_within("grow", "[67108864]", &limits).await;
    assert!(report.peak_memory_bytes <= 16 * MIB, "{}", report.peak_memory_bytes);
    let Outcome::OutOfMemory { limit_bytes, traceback } = only(report) else { panic!("not out of memory") };
    assert_eq!(limit_bytes, 16 * MIB);
    assert!(traceback.contains("memory allocation of 67108864 bytes failed"), "{traceback}");
}

#[tokio::test]
async fn a_guest_may_live_with_the_memory_it_has() {
    let limits = Limits { memory_bytes: 16 * MIB, ..Limits::default() };
    let outcome = only(PROBE.run_within("try_grow", "[67108864]", &limits).await);
    assert!(matches!(&outcome, Outcome::Finished(had) if had == "false"), "{outcome:?}");
}

#[tokio::test]
async fn no_limits_allow_more_memory_than_the_settings() {
    let limits = Limits { memory_bytes: 4096 * MIB, ..Limits::default() };
    let outcome = only(PROBE.run_within("grow", "[1073741824]", &limits).await);
    assert!(matches!(outcome, Outcome::OutOfMemory { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_guest_whose_memory_is_too_large_from_the_start_is_out_of_memory() {
    let limits = Limits { memory_bytes: MIB, ..Limits::default() };
    let outcome = only(PROBE.run_within("noop", "[]", &limits).await);
    assert!(matches!(outcome, Outcome::OutOfMemory { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_large_fill_ends_well_within_the_memory_limit() {
    let report = PROBE.run("fill", "[67108864]").await;
    assert!(report.peak_memory_bytes >= 64 * MIB);
    assert!(matches!(only(report), Outcome::Finished(_)));
}

#[tokio::test]
async fn too_many_table_elements_are_a_trap_in_words() {
    let limits = Limits { table_elements: 1, ..Limits::default() };
    let outcome = only(PROBE.run_within("noop", "[]", &limits).await);
    let Outcome::Trapped { message, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(message, "wanted more than its 1 table elements");
}

#[tokio::test]
async fn too_many_instances_are_the_guests_fault() {
    let limits = Limits { instances: 2, ..Limits::default() };
    let outcome = only(PROBE.run_within("noop", "[]", &limits).await);
    let Outcome::Trapped { message, .. } = outcome else { panic!("{outcome:?}") };
    assert!(message.contains("instance count too high"), "{message}");
}

#[tokio::test]
async fn a_result_beyond_its_limit_is_a_failure() {
    let limits = Limits { result_bytes: 100, ..Limits::default() };
    let Outcome::Failed(failure) = only(PROBE.run_within("big_result", "[1000]", &limits).await) else {
        panic!("not failed")
    };
    assert_eq!(failure.kind, "result-too-large");
}

#[tokio::test]
async fn a_host_call_with_too_many_bytes_is_a_trap() {
    let limits = Limits { hostcall_bytes: 1_000, ..Limits::default() };
    let args = format!("[{:?}]", "x".repeat(10_000));
    let outcome = only(PROBE.run_within("log", &args, &limits).await);
    assert!(matches!(outcome, Outcome::Trapped { .. }), "{outcome:?}");
}

#[tokio::test]
async fn fuel_bounds_what_a_guest_computes() {
    let probe = Probe::with(Settings { slots: 2, fuel: Some(50_000_000), ..Settings::default() });
    let report = probe.run("spin", "[]").await;
    assert_eq!(report.fuel_used, Some(50_000_000));
    let Outcome::OutOfFuel { limit, traceback } = only(report) else { panic!("not out of fuel") };
    assert_eq!(limit, 50_000_000);
    assert!(traceback.contains("Guest>::run"), "{traceback}");
}

#[tokio::test]
async fn the_same_work_takes_the_same_fuel() {
    let probe = Probe::with(Settings { slots: 2, fuel: Some(1 << 40), ..Settings::default() });
    let first = probe.run("spin_for", "[10000]").await.fuel_used;
    assert!(first.is_some());
    assert_eq!(first, probe.run("spin_for", "[10000]").await.fuel_used);
}
