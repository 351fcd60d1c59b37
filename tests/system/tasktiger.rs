//! Python TaskTiger beside Margay, in one Redis: who enqueues, who runs, who looks and repairs may be either.

use queue::{NewTask, State};
use serde_json::{Value, json};
use task::RetryMethod;

use crate::harness::{PROBE, Site, call};

/// A call for one of the two kinds of worker.
fn call_for(queue: &str, func: &str, args: Value) -> NewTask {
    NewTask { queue: queue.to_owned(), ..call(func, args) }
}

/// A site with the probe, where Margay has the queue `wasm`.
async fn site() -> Site {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    site
}

/// The states that TaskTiger sees, and how many tasks are in each.
async fn stats(site: &Site, queue: &str) -> Value {
    site.python("stats", json!({})).await[queue].clone()
}

/// A failed task of Margay's in the queue `wasm`.
async fn failed(site: &Site) -> String {
    let failure = json!([{ "kind": "smtp", "message": "no route", "retry": "never" }]);
    let id = site.enqueue(call_for("wasm", "probe:fail", failure)).await;
    assert_eq!(site.ended(&id).await.error.as_deref(), Some("smtp"));
    id
}

#[tokio::test]
async fn a_python_producer_enqueues_for_wasm_with_a_function_that_only_has_the_name() {
    let site = site().await;
    let mut worker = site.worker(&["-q", "wasm"]).await;
    let plain = json!({ "args": ["from Python"], "queue": "wasm" });
    let id = site.python_enqueues("probe:log", plain).await;
    worker.says_of(&id, "from Python").await;

    // Text all the way, so that no digit is lost here.
    let kwargs = r#"{"text": "\u00e9\ud83d\ude00", "n": 123456789012345678901234567890, "x": [1.5, null]}"#;
    let named = format!(
        r#"{{"func": "probe:kwargs", "kwargs": {kwargs}, "queue": "wasm", "margay": {{"result_ttl": 600}}}}"#
    );
    let task = site.python("delay", named).await;
    let ended = site.ended(task["id"].as_str().expect("an id")).await;
    assert_eq!(ended.result.expect("a result").get(), kwargs);

    let later =
        json!({ "args": ["later"], "queue": "wasm", "seconds": 0.3, "margay": { "result_ttl": 600 } });
    let id = site.python_enqueues("probe:echo", later).await;
    let ended = site.ended(&id).await;
    assert!(ended.started >= ended.due.expect("a time"), "{ended:?}");
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn a_unique_task_that_both_enqueue_is_one_task() {
    let site = site().await;
    let arguments = json!({ "args": ["/signals/go", 1.0, "é"], "queue": "wasm", "unique": true });
    let theirs = site.python_enqueues("probe:hold", arguments.clone()).await;
    let enqueue = ["enqueue", "probe:hold", r#"["/signals/go", 1.0, "é"]"#, "--unique", "--queue", "wasm"];
    assert_eq!(site.margay(&enqueue).await.ok().trim(), theirs);
    assert_eq!(site.count("wasm", State::Queued).await, 1);

    let mut worker = site.worker(&["-q", "wasm"]).await;
    worker.says_of(&theirs, "holding").await;
    assert_eq!(site.python_enqueues("probe:hold", arguments).await, theirs);
    assert_eq!(site.margay(&enqueue).await.ok().trim(), theirs);
    site.release();
    worker.says_so_often(&theirs, "holding", 2).await;
    worker.stop().await;
    site.is_empty().await;

    let key = json!({
        "kwargs": { "user": 7, "text": "a" }, "unique_key": ["user", "absent"], "queue": "wasm",
    });
    let theirs = site.python_enqueues("probe:noop", key).await;
    let enqueue = ["enqueue", "probe:noop", "--kwargs", r#"{"user": 7, "text": "b"}"#, "--queue", "wasm"];
    let ours = site.margay(&[enqueue.as_slice(), &["--unique-key", "absent,user"]].concat()).await.ok();
    assert_eq!(ours.trim(), theirs);
    site.is_consistent().await;
}

#[tokio::test]
async fn a_margay_producer_enqueues_for_a_python_worker() {
    let site = Site::start().await;
    let mut python = site.python_worker(&["-q", "py", "--executor", "sync"]).await;
    let enqueue = async |more: &[&str]| {
        let arguments = [&["enqueue", "--queue", "py"], more].concat();
        site.margay(&arguments).await.ok().trim().to_owned()
    };
    let plain = enqueue(&["peer:note", r#"["from the command line"]"#]).await;
    python.says_of(&plain, "done").await;
    let from_rust = site.enqueue(call_for("py", "peer:note", json!(["from Rust"]))).await;
    python.says_of(&from_rust, "done").await;
    // Nobody else is there to promote it.
    let later = enqueue(&["peer:note", r#"["later"]"#, "--in", "300ms"]).await;
    python.says_of(&later, "done").await;
    assert_eq!(site.notes().await, ["from the command line", "from Rust", "later"]);
    python.stop_python().await;

    let once = ["peer:unique", r#"["once"]"#, "--unique"];
    assert_eq!(enqueue(&once).await, enqueue(&once).await);
    let unique = site.python_enqueues("peer:unique", json!({ "args": ["once"], "queue": "py" })).await;
    let mut python = site.python_worker(&["-q", "py"]).await;
    python.says_of(&unique, "done").await;
    python.stop_python().await;
    assert_eq!(site.notes().await[3..], ["once"]);
    site.is_empty().await;
}

#[tokio::test]
async fn a_python_worker_retries_and_times_out_as_margays_producer_asked() {
    let site = Site::start().await;
    let mut python = site.python_worker(&["-q", "py", "--executor", "sync"]).await;
    let fixed = Some(RetryMethod::Fixed { delay: 0.1, max: 2 });
    let mut good = call_for("py", "peer:succeed_at", json!([3]));
    good.task.retry_method = fixed.clone();
    let good = site.enqueue(good).await;
    python.says_of(&good, "done").await;
    assert_eq!(site.notes().await, ["run 1", "run 2", "run 3"]);

    let mut bad = call_for("py", "peer:fail", json!(["again"]));
    bad.task.retry_method = fixed.clone();
    bad.task.retry_on = vec!["builtins:ValueError".to_owned()];
    let bad = site.enqueue(bad).await;
    python.says_so_often(&bad, "task error", 3).await;
    let mut other = call_for("py", "peer:fail", json!(["once"]));
    other.task.retry_method = fixed;
    other.task.retry_on = vec!["builtins:KeyError".to_owned()];
    let other = site.enqueue(other).await;
    python.says_of(&other, "task error").await;

    let timeout = ["enqueue", "peer:sleep", "[3600]", "--hard-timeout", "300ms", "--queue", "py"];
    let slow = site.margay(&timeout).await.ok().trim().to_owned();
    // A worker that runs tasks in its own process ends after a timeout.
    assert_eq!(python.exit().await, 1, "{}", python.log());
    for (id, runs, exception) in [
        (&bad, 3, "builtins:ValueError"),
        (&other, 1, "builtins:ValueError"),
        (&slow, 1, "tasktiger.exceptions:JobTimeoutException"),
    ] {
        let found = site.find(id).await;
        assert_eq!((found.state, found.executions.len()), (State::Error, runs));
        assert_eq!(found.executions[0].exception_name, exception);
        assert_eq!(site.executions(id).await.1, runs as u64);
    }
    let shown = site.margay(&["tasks", "show", &bad]).await.ok();
    assert!(shown.contains("ValueError: again"), "{shown}");
    // An operator repairs what Python left, with Margay's means.
    site.margay(&["tasks", "delete", &bad, &other]).await.ok();
    site.margay(&["tasks", "retry", &slow]).await.ok();
    assert_eq!(stats(&site, "py").await, json!({ "queued": 1 }));
    site.is_consistent().await;
}

#[tokio::test]
async fn a_batch_that_margay_enqueued_reaches_a_batch_function_of_pythons() {
    let site = Site::start().await;
    let ids = site.enqueue_all((0..5).map(|n| call_for("many.py", "peer:batch", json!([n])))).await;
    let settings = json!({ "BATCH_QUEUES": { "many": 10 } });
    let mut python = site.python_worker_with(&["-q", "many"], settings).await;
    for id in &ids {
        python.says_of(id, "done").await;
    }
    assert_eq!(site.notes().await, ["[[0], [1], [2], [3], [4]]"]);
    python.stop_python().await;
    site.is_empty().await;
}

#[tokio::test]
async fn a_lock_that_margays_producer_asked_for_holds_among_python_workers() {
    let site = Site::start().await;
    let settings = json!({ "LOCK_RETRY": 0.2 });
    let mut first = site.python_worker_with(&["-q", "first"], settings.clone()).await;
    let mut second = site.python_worker_with(&["-q", "second"], settings).await;
    let locked = |queue: &str, name: &str| {
        let path = site.path("signals/go").to_string_lossy().into_owned();
        let mut new = call_for(queue, "peer:hold", json!([name, path]));
        new.task.kwargs = Some(serde_json::value::to_raw_value(&json!({ "user": 7 })).expect("JSON"));
        new.task.lock = true;
        new.task.lock_key = vec!["user".to_owned()];
        new
    };
    let holder = site.enqueue(locked("first", "holder")).await;
    first.says_of(&holder, "processing").await;
    let waiter = site.enqueue(locked("second", "waiter")).await;
    second.says_so_often(&waiter, "could not acquire lock", 2).await;
    site.release();
    second.says_of(&waiter, "done").await;
    assert_eq!(site.notes().await, ["begin holder", "end holder", "begin waiter", "end waiter"]);
    first.stop_python().await;
    second.stop_python().await;
    site.is_empty().await;
}

#[tokio::test]
async fn the_task_api_reads_retries_and_deletes_what_margay_ran() {
    let site = site().await;
    let mut worker = site.worker(&["-q", "wasm"]).await;
    let id = failed(&site).await;
    let place = json!({ "queue": "wasm", "id": id });
    let in_error = json!({ "queue": "wasm", "state": "error", "id": id });
    assert_eq!(stats(&site, "wasm").await, json!({ "error": 1 }));

    let task = site.python("find", in_error.clone()).await;
    assert_eq!((&task["func"], &task["n_executions"]), (&json!("probe:fail"), &json!(1)));
    let execution = &task["executions"][0];
    assert_eq!((&execution["exception_name"], &execution["success"]), (&json!("smtp"), &json!(false)));
    assert_eq!(execution["traceback"], "smtp: no route");
    assert!(execution["time_failed"].as_f64() >= execution["time_started"].as_f64(), "{execution}");
    assert!(task["ts"].as_f64() >= task["time_last_queued"].as_f64(), "{task}");
    let listed = site.python("tasks", json!({ "queue": "wasm", "state": "error" })).await;
    assert_eq!((&listed["total"], &listed["tasks"][0]["id"]), (&json!(1), &json!(id)));
    assert_eq!(listed["tasks"][0]["executions"], task["executions"]);

    assert_eq!(site.python("retry", place.clone()).await, Value::Null);
    worker.says_so_often(&id, "failed", 2).await;
    assert_eq!(site.python("find", in_error.clone()).await["n_executions"], 2);
    assert_eq!(site.python("delete", place).await, Value::Null);
    assert_eq!(site.python("find", in_error).await, json!({ "raised": "TaskNotFound" }));
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn the_task_api_sees_what_margay_runs_and_leaves_it_alone() {
    let site = site().await;
    let mut worker = site.worker(&["-q", "wasm"]).await;
    let id = site.enqueue(call_for("wasm", "probe:hold", json!(["/signals/go"]))).await;
    worker.says_of(&id, "holding").await;
    let active = json!({ "queue": "wasm", "state": "active", "id": id });
    assert_eq!(site.python("find", active).await["state"], "active");
    let sizes = site.python("sizes", json!({ "queue": "wasm" })).await;
    assert_eq!(sizes, json!({ "queued": 0, "scheduled": 0, "active": 1 }));
    let full = json!({ "func": "probe:noop", "queue": "wasm", "max_queue_size": 1 });
    assert_eq!(site.python("delay", full).await, json!({ "raised": "QueueFullException" }));
    for verb in ["retry", "delete", "cancel"] {
        let answer = site.python(verb, json!({ "queue": "wasm", "id": id })).await;
        assert_eq!(answer, json!({ "raised": "TaskNotFound" }));
    }
    site.release();
    assert_eq!(site.ended(&id).await.outcome, "finished");
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn the_task_api_cancels_and_purges() {
    let site = site().await;
    let worker = site.worker(&["-q", "wasm"]).await;
    let later = ["enqueue", "probe:noop", "--queue", "wasm", "--in", "1h"];
    let later = site.margay(&later).await.ok().trim().to_owned();
    assert_eq!(site.python("cancel", json!({ "queue": "wasm", "id": later })).await, Value::Null);
    for _ in 0..3 {
        failed(&site).await;
    }
    assert_eq!(stats(&site, "wasm").await, json!({ "error": 3 }));
    assert_eq!(site.python("purge", json!({ "exclude_queues": ["wasm"] })).await, 0);
    assert_eq!(site.python("purge", json!({ "queues": ["wasm"], "limit": 2 })).await, 2);
    assert_eq!(site.python("purge", json!({})).await, 1);
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn a_task_whose_payload_redis_rewrote_runs_at_its_new_time() {
    let site = site().await;
    let mut task = call_for("wasm", "probe:kwargs", json!([]));
    task.due = Some(queue::now() + 3600.0);
    let kwargs = r#"{"user": 7, "path": "a/b", "deep": {"é": [1, 2.5]}}"#;
    task.task.kwargs = Some(serde_json::value::to_raw_value(&kwargs_of(kwargs)).expect("JSON"));
    task.task.retry_method = Some(RetryMethod::Fixed { delay: 0.1, max: 2 });
    let id = site.enqueue(task).await;
    // The worker is there first, so that its promoter must notice the new time by itself.
    let worker = site.worker(&["-q", "wasm"]).await;
    let to = |seconds| json!({ "queue": "wasm", "id": id, "seconds": seconds });
    site.python("reschedule", to(7200.0)).await;
    let payload = site.redis_says(&["GET", &site.client.keys().payload(&id)]).await.concat();
    assert!(payload.contains(r#""args":{}"#) && payload.contains(r"a\/b"), "Redis wrote it: {payload}");

    let moved = site.python("reschedule", to(0.2)).await;
    let ended = site.ended(&id).await;
    let due = moved["scheduled_at"].as_f64().expect("a time");
    assert!(ended.started >= due, "{ended:?}");
    let result: Value = serde_json::from_str(ended.result.expect("a result").get()).expect("JSON");
    assert_eq!(result, kwargs_of(kwargs));
    worker.stop().await;
    site.is_empty().await;
}

fn kwargs_of(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[tokio::test]
async fn tasktiger_admin_shows_retries_and_deletes_margays_tasks() {
    let site = site().await;
    let mut worker = site.worker(&["-q", "wasm"]).await;
    let id = site.enqueue(call_for("wasm", "probe:panic", json!(["oh no"]))).await;
    assert_eq!(site.ended(&id).await.outcome, "trapped");
    let held = site.enqueue(call_for("wasm", "probe:hold", json!(["/signals/go"]))).await;
    worker.says_of(&held, "holding").await;
    let later = ["enqueue", "probe:noop", "--queue", "wasm", "--in", "1h"];
    let later = site.margay(&later).await.ok().trim().to_owned();

    let pages = site.python_admin().await;
    let shows = async |path: &str, texts: &[&str]| {
        let (status, page) = pages.get(path).await;
        assert_eq!(status, 200, "{path}");
        for text in texts {
            assert!(page.contains(text), "`{path}` lacks `{text}`: {page}");
        }
    };
    shows("", &["wasm/error/\">1<", "wasm/active/\">1<", "wasm/scheduled/\">1<"]).await;
    shows("wasm/error/", &[&id, "probe:panic", "oh no", "margay:Trapped"]).await;
    shows("wasm/active/", &[&held, "probe:hold"]).await;
    shows("wasm/scheduled/", &[&later, "probe:noop"]).await;
    let task = format!("wasm/error/{id}/");
    shows(&task, &[&id, "oh no", "margay:Trapped", "probe::Probe as "]).await;
    shows(&format!("wasm/active/{held}/"), &[&held]).await;

    assert_eq!(pages.post(&format!("{task}retry/")).await.0, 302);
    worker.says_so_often(&id, "failed", 2).await;
    assert_eq!(pages.post("wasm/error/retry/").await.0, 302);
    worker.says_so_often(&id, "failed", 3).await;
    assert_eq!(site.find(&id).await.state, State::Error);
    assert_eq!(pages.post(&format!("{task}delete/")).await.0, 302);
    assert_eq!(pages.get(&task).await.0, 404);
    site.margay(&["tasks", "delete", &later]).await.ok();
    site.release();
    assert_eq!(site.ended(&held).await.outcome, "finished");
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn both_kinds_of_worker_share_a_keyspace() {
    let site = site().await;
    let mut margay = site.worker(&["-q", "wasm", "-c", "8"]).await;
    let mut python = site.python_worker(&["-q", "py", "--executor", "sync"]).await;
    let calls: Vec<Value> = (0..200).map(|n| json!([format!("note {n}")])).collect();
    let for_python = calls.iter().map(|args| call_for("py", "peer:note", args.clone()));
    let for_python = site.enqueue_all(for_python).await;
    let for_margay = json!({ "func": "probe:log", "calls": calls, "queue": "wasm" });
    let for_margay = site.python("delay", for_margay).await;
    for id in for_margay.as_array().expect("ids") {
        margay.says_of(id.as_str().expect("an id"), "note ").await;
    }
    for id in &for_python {
        python.says_of(id, "done").await;
    }
    assert_eq!(site.notes().await.len(), 200);
    python.stop_python().await;
    margay.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn payloads_that_other_programs_broke_end_in_error_with_the_reason_or_run() {
    let site = site().await;
    let mut worker = site.worker(&["-q", "wasm"]).await;
    let broken = [
        ("no-json", "ceci n'est pas", "cannot be read"),
        ("nothing", "", "cannot be read"),
        ("half", r#"{"id":"half","func":"probe:noop""#, "cannot be read"),
        ("a-list", r#"["a-list","probe:noop"]"#, "a JSON object"),
        ("no-func", r#"{"id":"no-func"}"#, "`func`"),
        ("no-id", r#"{"func":"probe:noop"}"#, "`id`"),
        ("other-id", r#"{"id":"another","func":"probe:noop"}"#, "`another`"),
        ("nan", r#"{"id":"nan","func":"probe:echo","args":[NaN]}"#, "cannot be read"),
        ("infinity", r#"{"id":"infinity","func":"probe:echo","args":[-Infinity]}"#, "cannot be read"),
        ("args-object", r#"{"id":"args-object","func":"probe:echo","args":{"a":1}}"#, "`args`"),
        ("kwargs-list", r#"{"id":"kwargs-list","func":"probe:echo","kwargs":[1]}"#, "`kwargs`"),
        ("bad-func", r#"{"id":"bad-func","func":"probe"}"#, "module:function"),
        ("method", r#"{"id":"method","func":"probe:noop","retry_method":["x"]}"#, "`retry_method`"),
    ];
    for (id, payload, _) in broken {
        queue_raw(&site, id, payload).await;
    }
    for (id, _, reason) in broken {
        worker.says_of(id, "failed").await;
        assert_eq!(site.find(id).await.state, State::Error);
        let (executions, _) = site.executions(id).await;
        assert_eq!(executions[0]["exception_name"], "margay:BadPayload", "{id}");
        let text = executions[0]["traceback"].as_str().expect("a text");
        assert!(text.contains(reason), "{id}: {text}");
    }

    let number = "123456789012345678901234567890";
    let lists = r#""args":{},"kwargs":[],"retry_method":{},"retry_on":{},"unique_key":{},"lock_key":{}"#;
    let kept = r#""margay":{"result_ttl":600}"#;
    let fine = [
        ("empty-lists", format!(r#"{{"id":"empty-lists","func":"probe:kwargs",{lists},{kept}}}"#), "{}"),
        (
            "digits",
            format!(r#"{{"id":"digits","func":"probe:kwargs","kwargs":{{"n":{number}}},{kept}}}"#),
            number,
        ),
    ];
    for (id, payload, result) in fine {
        queue_raw(&site, id, &payload).await;
        let ended = site.ended(id).await;
        let found = ended.result.unwrap_or_else(|| panic!("{:?}", ended.error));
        assert!(found.get().contains(result), "{}", found.get());
    }
    worker.stop().await;
    site.is_consistent().await;
}

/// Puts a payload into the queue `wasm`, as a program does that knows no better.
async fn queue_raw(site: &Site, id: &str, payload: &str) {
    site.redis_says(&["SET", &site.client.keys().payload(id), payload]).await;
    site.redis_says(&["ZADD", "t:queued:wasm", "1", id]).await;
    site.redis_says(&["SADD", "t:queued", "wasm"]).await;
    site.redis_says(&["PUBLISH", "t:activity", "wasm"]).await;
}

#[tokio::test]
async fn a_python_worker_takes_nothing_from_queues_that_it_was_told_to_leave() {
    let site = Site::start().await;
    let mut python = site.python_worker(&["-e", "wasm"]).await;
    let theirs = ["wasm", "wasm.acme"].map(|queue| call_for(queue, "probe:noop", json!([])));
    site.enqueue_all(theirs).await;
    let now = queue::now();
    let later =
        |queue: &str, func: &str, due| NewTask { due: Some(due), ..call_for(queue, func, json!([1])) };
    site.enqueue(later("wasm", "probe:noop", now + 0.01)).await;
    // When this has been promoted, the other would have been.
    let own = site.enqueue(later("py", "peer:note", now + 0.02)).await;
    python.says_of(&own, "done").await;
    python.stop_python().await;
    assert_eq!(site.count("wasm.acme", State::Queued).await, 1);
    let left = [site.count("wasm", State::Queued).await, site.count("wasm", State::Scheduled).await];
    assert_eq!(left, [1, 1], "it promotes nothing either");
    site.is_consistent().await;
}

#[tokio::test]
async fn python_workers_do_not_take_a_running_task_for_expired() {
    let site = site().await;
    site.configure("heartbeat = \"500ms\"");
    let mut margay = site.worker(&["-q", "wasm"]).await;
    let held = site.enqueue(call_for("wasm", "probe:hold", json!(["/signals/go"]))).await;
    margay.says_of(&held, "holding").await;
    // A task without heartbeats, claimed after Margay's: it expires, and Margay's would have by then.
    let lost = json!({ "id": "lost", "func": "probe:hold" }).to_string();
    site.redis_says(&["SET", &site.client.keys().payload("lost"), &lost]).await;
    site.redis_says(&["ZADD", "t:active:lost", &queue::now().to_string(), "lost"]).await;
    site.redis_says(&["SADD", "t:active", "lost"]).await;
    let mut python = site.python_worker_with(&["-q", "py"], strict()).await;
    python.says_of("lost", "failing expired task").await;
    assert_eq!(site.find(&held).await.state, State::Active);

    site.release();
    let ended = site.ended(&held).await;
    assert_eq!((ended.outcome.as_str(), ended.attempts), ("finished", 1));
    python.stop_python().await;
    margay.stop().await;
    site.margay(&["tasks", "delete", "lost"]).await.ok();
    site.is_empty().await;
}

/// What makes a worker of TaskTiger's take a task for expired after two seconds.
fn strict() -> Value {
    json!({ "ACTIVE_TASK_UPDATE_TIMEOUT": 2, "REQUEUE_EXPIRED_TASKS_INTERVAL": 0.1 })
}

#[tokio::test]
async fn a_run_that_a_python_worker_took_for_expired_changes_nothing_any_more() {
    let site = site().await;
    site.configure("heartbeat = \"500ms\"");
    let mut margay = site.worker(&["-q", "wasm"]).await;
    let fails = call_for("wasm", "probe:hold", json!(["/signals/go"]));
    let mut again = fails.clone();
    again.task.id = queue::new_id();
    again.task.retry_method = Some(RetryMethod::Fixed { delay: 0.1, max: 1 });
    again.task.retry_on = vec!["tasktiger.exceptions:JobTimeoutException".to_owned()];
    let ids = site.enqueue_all([fails, again]).await;
    for id in &ids {
        margay.says_of(id, "holding").await;
    }
    margay.freeze();
    let mut python = site.python_worker_with(&["-q", "py"], strict()).await;
    python.says_of(&ids[0], "failing expired task").await;
    python.says_of(&ids[1], "queueing expired task").await;
    margay.thaw();
    for id in &ids {
        margay.says_of(id, "the lease is lost").await;
    }
    margay.says_so_often(&ids[1], "holding", 2).await;
    site.release();
    assert_eq!(site.ended(&ids[1]).await.outcome, "finished");
    assert_eq!(site.find(&ids[0]).await.state, State::Error);
    python.stop_python().await;
    margay.stop().await;
    site.is_consistent().await;
}
