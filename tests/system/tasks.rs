//! What an operator does to tasks that do not run.

use std::time::Duration;

use queue::{Asked, Incarnation, NewTask, Settlement, Source, State};
use serde_json::{Value, json};
use task::{Execution, Failure, Outcome, RetryWish, Verdict};

use crate::harness::{PROBE, Site, call};

/// A task that failed for good, so many seconds ago.
async fn failed(site: &Site, queue: &str, func: &str, kind: &str, ago: f64) -> String {
    let (worker, now) = (Incarnation::fresh(), queue::now() - ago);
    let id = site.enqueue(NewTask { queue: queue.to_owned(), ..call(func, json!([])) }).await;
    let asked = Asked { batches: 1, due_again: now, seat: Duration::from_secs(60) };
    let claimed =
        site.client.claim(&worker, &[Source::unlimited(queue)], asked, now).await.expect("Redis answers");
    let claim = &claimed[0].claims[0];
    assert_eq!(claim.lease.id, id, "nothing else was queued");
    let outcome = Outcome::Failed(Failure {
        kind: kind.to_owned(),
        message: "as asked\nin two lines".to_owned(),
        detail: None,
        retry: RetryWish::Never,
        log_error: true,
    });
    let verdict = Verdict::Error { execution: Execution::of(&outcome, now, now, "host", true) };
    let settlement = Settlement::new(claim.lease.clone(), claim.task.as_ref().ok(), verdict);
    site.client.settle(&worker, &mut [settlement], now).await.expect("Redis answers");
    id
}

#[tokio::test]
async fn scheduled_tasks_are_cancelled_by_id_and_others_are_not() {
    let site = Site::start().await;
    let later = site.margay(&["enqueue", "mail:send", "--in", "1h"]).await.ok();
    let queued = site.margay(&["enqueue", "mail:send"]).await.ok();
    let answer = site.margay(&["tasks", "cancel", later.trim(), queued.trim()]).await;
    assert_eq!((answer.code, answer.stdout), (1, format!("{} is cancelled\n", later.trim())));
    assert!(answer.stderr.contains("is queued; only scheduled tasks can be cancelled"), "{}", answer.stderr);
    site.margay(&["tasks", "delete", queued.trim()]).await.ok();
    site.is_empty().await;
}

#[tokio::test]
async fn a_rescheduled_task_runs_when_it_is_due() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let worker = site.worker(&[]).await;
    let mut task = call("probe:echo", json!([7]));
    task.due = Some(queue::now() + 3600.0);
    let id = site.enqueue(task).await;
    let said = site.margay(&["tasks", "reschedule", &id, "--at", "2100-01-01T00:00:00Z"]).await.ok();
    assert_eq!(said, format!("{id} is scheduled for 2100-01-01 00:00:00.000Z\n"));
    let payload = site.find(&id).await.task.expect("readable");
    assert_eq!(payload.scheduled_at, Some(4_102_444_800.0));
    site.margay(&["tasks", "reschedule", &id, "--in", "100ms"]).await.ok();
    assert_eq!(site.ended(&id).await.outcome, "finished");
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn failed_tasks_are_retried_by_what_they_have_in_common() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let echoes = [
        failed(&site, "mail", "probe:noop", "smtp", 9.0).await,
        failed(&site, "mail.acme", "probe:noop", "smtp", 5.0).await,
    ];
    let kept = [
        failed(&site, "mail", "probe:noop", "dns", 0.0).await,
        failed(&site, "mail.dull", "probe:noop", "smtp", 0.0).await,
        failed(&site, "mail", "other:noop", "smtp", 0.0).await,
    ];
    let criteria =
        ["--queue", "mail", "--exclude-queue", "mail.dull", "--kind", "smtp", "--function", "probe"];
    let retry =
        async |more: &[&str]| site.margay(&[&["tasks", "retry"], criteria.as_slice(), more].concat()).await;
    assert_eq!(retry(&["--dry-run"]).await.ok(), "would queue 2 tasks again\n");
    let counted = retry(&["--dry-run", "--json"]).await.json();
    assert_eq!(counted, json!({ "matched": 2, "retried": 0, "dry_run": true }));
    assert_eq!(retry(&[]).await.ok(), "queued 2 tasks again\n");
    let nothing = retry(&[]).await;
    assert_eq!((nothing.code, nothing.stdout.as_str()), (0, ""));
    assert!(nothing.stderr.contains("no failed task matches"), "{}", nothing.stderr);

    let worker = site.worker(&[]).await;
    for id in &echoes {
        assert_eq!(site.ended(id).await.outcome, "finished");
    }
    worker.stop().await;
    for id in &kept {
        assert_eq!(site.find(id).await.state, State::Error);
    }
    site.is_consistent().await;
}

#[tokio::test]
async fn tasks_are_deleted_by_state_age_and_number() {
    let site = Site::start().await;
    let delete = async |more: &[&str]| {
        let answer = site.margay(&[&["tasks", "delete", "--json"], more].concat()).await.json();
        (answer["matched"].clone(), answer["deleted"].clone())
    };
    let old = failed(&site, "mail", "m:f", "smtp", 700.0).await;
    for _ in 0..3 {
        failed(&site, "mail", "m:f", "smtp", 0.0).await;
    }
    for delay in ["0s", "1h"] {
        site.margay(&["enqueue", "m:f", "--queue", "mail", "--in", delay]).await.ok();
    }
    assert_eq!(delete(&["--older-than", "10m"]).await, (json!(1), json!(1)));
    assert!(site.client.find(&old, 0).await.expect("Redis answers").is_empty());
    assert_eq!(delete(&["--all", "--limit", "2"]).await, (json!(2), json!(2)));
    assert_eq!(delete(&["--all", "--dry-run"]).await, (json!(1), json!(0)));
    for state in ["queued", "scheduled", "error"] {
        assert_eq!(delete(&["--function", "m:f", "--state", state]).await, (json!(1), json!(1)));
    }
    site.is_empty().await;
}

#[tokio::test]
async fn a_purge_deletes_old_failures_up_to_its_limit() {
    let site = Site::start().await;
    for (queue, ago) in [("mail", 700.0), ("mail", 690.0), ("mail", 0.0), ("pages", 700.0)] {
        failed(&site, queue, "m:f", "smtp", ago).await;
    }
    let purge =
        async |more: &[&str]| site.margay(&[&["tasks", "purge", "--older-than", "10m"], more].concat()).await;
    assert_eq!(purge(&["--dry-run"]).await.ok(), "would delete 3 tasks\n");
    let one = purge(&["--queue", "mail", "--limit", "1"]).await;
    assert!(one.stderr.contains("there may be more"), "{}", one.stderr);
    assert_eq!(one.ok(), "deleted 1 task\n");
    assert_eq!(purge(&["--exclude-queue", "pages"]).await.ok(), "deleted 1 task\n");
    assert_eq!((site.count("mail", State::Error).await, site.count("pages", State::Error).await), (1, 1));
    site.margay(&["tasks", "purge"]).await.ok();
    site.is_empty().await;
}

#[tokio::test]
async fn a_list_shows_the_executions_of_each_task_below_it() {
    let site = Site::start().await;
    let old = failed(&site, "mail", "m:f", "smtp", 60.0).await;
    let new = failed(&site, "mail", "m:f", "dns", 0.0).await;
    let list = async |more: &[&str]| site.margay(&[&["tasks", "list", "mail"], more].concat()).await;
    let text = list(&["--executions", "3", "--newest"]).await.ok();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 9, "{text}");
    assert!(lines[1].contains(&new) && lines[2].contains("dns  on host"), "{text}");
    assert_eq!(lines[3..5], ["    dns: as asked", "    in two lines"]);
    assert!(lines[5].contains(&old) && lines[6].contains("smtp  on host"), "{text}");
    let text = list(&["--oldest"]).await.ok();
    assert!(text.contains("smtp") && !text.contains("on host"), "{text}");
    let listed = list(&["--executions", "3", "--state", "error", "--json"]).await.json();
    assert_eq!(listed[0]["tasks"][0]["executions"][0]["traceback"], "smtp: as asked\nin two lines");
    site.margay(&["tasks", "purge"]).await.ok();
    site.is_empty().await;
}

#[tokio::test]
async fn queues_are_sorted_as_wanted() {
    let site = Site::start().await;
    let mut now = queue::now() - 60.0;
    for (name, tasks) in [("b", 1), ("a", 2), ("c", 3)] {
        let new = |_| NewTask { queue: name.to_owned(), ..call("m:f", json!([])) };
        site.client.enqueue((0..tasks).map(new), now).await.expect("Redis takes tasks");
        now += 1.0;
    }
    failed(&site, "d", "m:f", "smtp", 0.0).await;
    for (order, names) in [("name", ["a", "b", "c", "d"]), ("queued", ["c", "a", "b", "d"])] {
        assert_eq!(queues(&site, &["--sort", order]).await, names);
    }
    assert_eq!(queues(&site, &["--sort", "oldest"]).await, ["b", "a", "c", "d"]);
    assert_eq!(queues(&site, &[]).await, ["a", "b", "c", "d"]);
    let listed: Value = site.margay(&["queues", "list", "--json"]).await.json();
    assert_eq!(listed["c"]["oldest_queued"].as_f64(), Some(now - 1.0));
    assert_eq!(listed["d"]["oldest_queued"], Value::Null);
    site.margay(&["tasks", "delete", "--all"]).await.ok();
    site.margay(&["tasks", "delete", "--all", "--state", "queued"]).await.ok();
    site.is_empty().await;
}

/// The queues' names as they are listed.
async fn queues(site: &Site, flags: &[&str]) -> Vec<String> {
    let table = site.margay(&[&["queues", "list"], flags].concat()).await.ok();
    table.lines().skip(1).filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

#[tokio::test]
async fn what_does_not_say_clearly_which_tasks_is_refused() {
    let site = Site::start().await;
    let cases: [(&[&str], &str); 20] = [
        (&["retry"], "say --all if you mean every failed task"),
        (&["delete"], "say --all if you mean every failed task"),
        (&["delete", "--state", "queued"], "say --all if you mean every queued task"),
        (&["retry", "--limit", "3"], "say which tasks"),
        (&["retry", "a", "--all"], "leave out all other options"),
        (&["delete", "a", "--kind", "smtp"], "leave out all other options"),
        (&["delete", "a", "--dry-run"], "leave out all other options"),
        (&["delete", "a", "--state", "error"], "leave it out where you name ids"),
        (&["delete", "--all", "--state", "active"], "a running task cannot be deleted"),
        (&["delete", "--all", "--state", "lost"], "`lost` is not a state"),
        (&["retry", "a:b"], "ID: `a:b` is not a task's id"),
        (&["cancel", "a:b"], "ID: `a:b` is not a task's id"),
        (&["retry", "--queue", "a:b"], "--queue: the queue name `a:b` contains `:`"),
        (&["purge", "--exclude-queue", "a/b"], "--exclude-queue: the queue name `a/b` contains `/`"),
        (&["purge", "--older-than", "soon"], "'--older-than <DURATION>': `soon` is not a duration"),
        (&["retry", "--function", "mail:"], "--function: `mail:` is neither a function nor a module"),
        (&["retry", "--kind", ""], "--kind is empty"),
        (&["purge", "--limit", "0"], "'--limit <N>'"),
        (&["reschedule", "a"], "--in <DURATION>|--at <TIME>"),
        (&["reschedule", "a", "--at", "noon"], "`noon` is not a time"),
    ];
    for (arguments, needle) in cases {
        let answer = site.margay(&[&["tasks"], arguments].concat()).await;
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{arguments:?} said {}", answer.stderr);
        assert!(answer.stderr.contains(needle), "{arguments:?} said {}", answer.stderr);
    }
    site.is_empty().await;
}
