//! `margay migrate`.

use serde_json::json;

use crate::harness::{Answer, Site};

/// The time of a lock that ends so many seconds from now.
fn ends_in(seconds: f64) -> String {
    format!("{:.1}", queue::now() + seconds)
}

async fn locks(site: &Site, flags: &[&str]) -> Answer {
    site.margay(&[&["migrate", "tasktiger-locks"], flags].concat()).await
}

fn refused(answer: &Answer, needles: &[&str]) {
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""), "{}", answer.stderr);
    for needle in needles {
        assert!(answer.stderr.contains(needle), "`{needle}` is missing in {}", answer.stderr);
    }
}

#[tokio::test]
async fn the_way_to_take_must_be_said() {
    let site = Site::start().await;
    for flags in [&[][..], &["--wait"], &["--live", "--downtime"], &["--live", "--active-timeout", "5s"]] {
        assert_eq!(locks(&site, flags).await.code, 2, "{flags:?}");
    }
}

#[tokio::test]
async fn expired_locks_are_deleted_once() {
    let site = Site::start().await;
    for mode in ["--live", "--downtime"] {
        site.redis_says(&["SET", "t:lock:a", &ends_in(-1.0)]).await;
        site.redis_says(&["SET", "t:queue_periodic_tasks_lock", "1616000000.0"]).await;
        let said = locks(&site, &[mode, "--dry-run"]).await.ok();
        assert_eq!(said, "2 expired locks would be deleted\n");
        assert_eq!(locks(&site, &[mode]).await.ok(), "2 expired locks deleted\n");
        assert_eq!(locks(&site, &[mode]).await.ok(), "no old lock is left\n");
        assert!(site.redis_says(&["KEYS", "*"]).await.is_empty());
    }
}

#[tokio::test]
async fn a_lock_that_is_held_is_in_the_way() {
    let site = Site::start().await;
    site.redis_says(&["SET", "t:lock:a", &ends_in(3600.0)]).await;
    site.redis_says(&["SET", "t:lock:b", &ends_in(60.0)]).await;
    site.redis_says(&["SET", "t:lock:c", &ends_in(-60.0)]).await;
    for mode in ["--live", "--downtime"] {
        let answer = locks(&site, &[mode, "--force"]).await;
        refused(&answer, &["2 old locks are held, ", " at the longest", "and try again"]);
    }
    let answer = locks(&site, &["--live", "--json"]).await;
    let said: serde_json::Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!((answer.code, &said["clear"], &said["held"]), (1, &json!(false), &json!(2)));
    assert_eq!(site.redis_says(&["DBSIZE"]).await, ["3"], "nothing is deleted");
}

#[tokio::test]
async fn waiting_looks_again_until_no_lock_is_held() {
    let site = Site::start().await;
    site.redis_says(&["SET", "t:lock:a", &ends_in(3600.0)]).await;
    let wait = async { locks(&site, &["--live", "--wait"]).await };
    let renew = async {
        while !site.redis_says(&["INFO", "commandstats"]).await.concat().contains("cmdstat_scan:") {
            tokio::task::yield_now().await;
        }
        let end = queue::now() + 0.5;
        site.redis_says(&["SET", "t:lock:a", &end.to_string()]).await;
        end
    };
    let (answer, end) = tokio::join!(wait, renew);
    assert_eq!(answer.ok(), "1 expired lock deleted\n");
    assert!(queue::now() > end);
}

#[tokio::test]
async fn locks_that_time_does_not_decide_need_force() {
    let site = Site::start().await;
    site.redis_says(&["SET", "t:lock:forever", "2147483649.0"]).await;
    site.redis_says(&["SET", "t:lock:odd", "whatever"]).await;
    for flags in [&["--live"][..], &["--live", "--wait"], &["--downtime"]] {
        let answer = locks(&site, flags).await;
        refused(
            &answer,
            &["`t:lock:forever` has no end", "`t:lock:odd` has the value `whatever`", "--force"],
        );
    }
    assert_eq!(locks(&site, &["--live", "--force"]).await.ok(), "2 expired locks deleted\n");
}

#[tokio::test]
async fn a_downtime_has_begun_when_no_worker_is_heard_of() {
    let site = Site::start().await;
    let worker = site.worker(&[]).await;
    refused(&locks(&site, &["--downtime"]).await, &["the Margay worker ", "stop all workers"]);
    locks(&site, &["--live"]).await.ok();
    worker.stop().await;
    site.redis_says(&["ZADD", "t:active:mail", &ends_in(-10.0), "a"]).await;
    refused(&locks(&site, &["--downtime"]).await, &["1 task is active", "and try again"]);
    locks(&site, &["--downtime", "--active-timeout", "5"]).await.ok();
    locks(&site, &["--live"]).await.ok();
}

#[tokio::test]
async fn executions_are_counted_once() {
    let site = Site::start().await;
    site.redis_says(&["RPUSH", "t:task:a:executions", "{}", "{}"]).await;
    site.redis_says(&["RPUSH", "t:task:b:executions", "{}"]).await;
    site.redis_says(&["SET", "t:task:b:executions_count", "5"]).await;
    let count = async || site.margay(&["migrate", "executions-count", "--json"]).await.json();
    assert_eq!(count().await, json!({ "tasks": 2, "changed": 1 }));
    assert_eq!(count().await, json!({ "tasks": 2, "changed": 0 }));
    assert_eq!(
        site.redis_says(&["MGET", "t:task:a:executions_count", "t:task:b:executions_count"]).await,
        ["2", "5"]
    );
}
