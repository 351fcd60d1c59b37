//! Queues that take only so much: so many batches at once, nothing while they are locked, so many tasks in all.
//! Workers look for themselves every half minute; only being told explains that they go on in time.

use queue::{Ended, State};
use serde_json::json;
use task::RetryMethod;

use crate::harness::{Answer, PROBE, Running, Site, call, call_in};

async fn site() -> Site {
    let site = Site::start().await;
    site.configure("poll = \"30s\"");
    site.deploy(PROBE).await;
    site
}

/// Waits until a worker has run some tasks of the queue `free`: whatever it wanted to claim before, it has claimed.
async fn it_goes_round(site: &Site) {
    for _ in 0..5 {
        let free = site.enqueue(call_in("free", "probe:noop", json!([]))).await;
        assert_eq!(site.ended(&free).await.outcome, "finished");
    }
}

/// That these ran one after the other, and that nobody waited long for its turn.
fn one_at_a_time(mut ended: Vec<Ended>) {
    ended.sort_by(|one, other| one.started.total_cmp(&other.started));
    for pair in ended.windows(2) {
        let pause = pair[1].started - pair[0].ended;
        assert!((0.0..10.0).contains(&pause), "{pair:?}");
    }
}

#[tokio::test]
async fn one_task_of_a_queue_runs_at_once_over_two_workers_and_the_next_follows_at_once() {
    let site = site().await;
    let mut first = site.worker(&["-M", "1"]).await;
    let held = site.enqueue(call_in("tight", "probe:hold", json!(["/signals/go"]))).await;
    first.says_of(&held, "holding").await;
    let second = site.worker(&["-M", "1"]).await;
    let short = |_| call_in("tight", "probe:sleep", json!([5]));
    let mut ids = site.enqueue_all((0..10).map(short)).await;
    let below = site.enqueue(call_in("tight.below", "probe:noop", json!([]))).await;
    assert_eq!(site.ended(&below).await.outcome, "finished", "a subqueue counts for itself");
    it_goes_round(&site).await;
    assert_eq!(site.count("tight", State::Queued).await, 10);

    site.release();
    ids.push(held);
    one_at_a_time(site.ends().await.of(&site, &ids).await);
    first.stop().await;
    second.stop().await;
    assert!(site.redis_says(&["KEYS", "t:qslock:*"]).await.is_empty(), "every seat is free");
    site.is_empty().await;
}

#[tokio::test]
async fn single_worker_queues_and_their_subqueues_run_one_task_each_and_others_as_many_as_they_like() {
    let site = site().await;
    let mut worker = site.worker(&["--single-worker-queues", "tight"]).await;
    let queues = ["tight", "tight.below", "wide"];
    let two = queues.map(|queue| [(); 2].map(|()| call_in(queue, "probe:hold", json!(["/signals/go"]))));
    let ids = site.enqueue_all(two.into_iter().flatten()).await;
    for id in [&ids[0], &ids[2], &ids[4], &ids[5]] {
        worker.says_of(id, "holding").await;
    }
    it_goes_round(&site).await;
    for id in [&ids[1], &ids[3]] {
        assert_eq!(site.find(id).await.state, State::Queued);
    }
    site.release();
    let ended = site.ends().await.of(&site, &ids[..4]).await;
    one_at_a_time(ended[..2].to_vec());
    one_at_a_time(ended[2..].to_vec());
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn the_seat_of_a_killed_worker_is_free_when_its_tasks_are_taken_back() {
    let site = Site::start().await;
    site.configure("active_timeout = \"10m\"");
    site.deploy(PROBE).await;
    // One seat for both, that begins with the first and is still taken while the second runs.
    let both = ["/signals/first", "/signals/go"].map(|path| call_in("tight", "probe:hold", json!([path])));
    let [first, second] = site.enqueue_all(both).await.try_into().expect("two");
    let flags = ["-M", "1", "--batch", "tight=2"];
    let mut unlucky = site.worker(&flags).await;
    unlucky.says_of(&first, "holding").await;
    site.write("signals/first", "");
    assert_eq!(site.ended(&first).await.outcome, "finished");
    unlucky.says_of(&second, "holding").await;
    unlucky.kill().await;
    site.forget_presences().await;
    site.release();
    let next = site.worker(&flags).await;
    assert_eq!(site.ended(&second).await.outcome, "finished");
    next.stop().await;
    site.is_empty().await;
}

/// Closes a queue, sees that what runs goes on and nothing else begins, and opens it again.
async fn closed_and_opened(site: &Site, worker: &mut Running, queue: &str, close: &[&str], open: &str) {
    let signal = format!("signals/{queue}");
    let running = site.enqueue(call_in(queue, "probe:hold", json!([format!("/{signal}")]))).await;
    worker.says_of(&running, "holding").await;
    site.margay(&[&["queues"], close].concat()).await.ok();
    let waiting = site.enqueue(call_in(queue, "probe:noop", json!([]))).await;
    site.write(&signal, "");
    assert_eq!(site.ended(&running).await.outcome, "finished");
    it_goes_round(site).await;
    assert_eq!(site.find(&waiting).await.state, State::Queued);
    let listed = site.margay(&["queues", "list", "--json"]).await.json();
    assert!(listed[queue]["locked_until"].as_f64() > Some(queue::now() + 3000.0), "{listed}");

    site.margay(&["queues", open, queue]).await.ok();
    assert_eq!(site.ended(&waiting).await.outcome, "finished");
    let again = site.margay(&["queues", open, queue]).await;
    assert!(again.stderr.contains(&format!("`{queue}` was open already")), "{}", again.stderr);
}

#[tokio::test]
async fn nothing_is_claimed_from_a_locked_or_paused_queue_and_what_runs_goes_on() {
    let site = site().await;
    let mut worker = site.worker(&[]).await;
    closed_and_opened(&site, &mut worker, "locked", &["lock", "locked", "--for", "1h"], "unlock").await;
    closed_and_opened(&site, &mut worker, "paused", &["pause", "paused"], "resume").await;
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn a_full_queue_refuses_a_task_and_all_of_a_bulk() {
    let site = site().await;
    let full = |answer: Answer, queue: &str| {
        assert_eq!((answer.code, answer.stdout.as_str()), (1, ""));
        assert!(answer.stderr.contains(&format!("the queue `{queue}` is full")), "{}", answer.stderr);
    };
    let limited = ["enqueue", "probe:noop", "--queue", "small", "--max-queue-size", "2"];
    site.margay(&limited).await.ok();
    // What waits for its time counts too.
    site.margay(&[limited.as_slice(), &["--in", "1h"]].concat()).await.ok();
    full(site.margay(&limited).await, "small");

    let own = ["enqueue", "probe:few", "--queue", "few"];
    site.write("three.jsonl", "{\"func\":\"probe:few\",\"queue\":\"few\"}\n".repeat(3));
    full(site.margay(&["enqueue", "--bulk", "three.jsonl"]).await, "few");
    assert_eq!(site.count("few", State::Queued).await, 0, "nothing of it is there");
    for _ in 0..2 {
        site.margay(&own).await.ok();
    }
    full(site.margay(&own).await, "few");
    let more = site.margay(&[own.as_slice(), &["--max-queue-size", "3"]].concat()).await;
    more.ok();
    assert_eq!((site.count("few", State::Queued).await, site.count("small", State::Queued).await), (3, 1));
    site.is_consistent().await;
}

#[tokio::test]
async fn a_task_whose_follow_up_finds_a_full_queue_fails_and_may_be_retried() {
    let site = site().await;
    let few = site.enqueue_all([(); 2].map(|()| call_in("few", "probe:few", json!([])))).await;
    let worker = site.worker(&["-e", "few"]).await;
    let follow_up = json!([{ "function": "probe:few", "queue": "few" }]);
    let full = "tasktiger.exceptions:QueueFullException";

    let failed = site.enqueue(call("probe:follow_up", follow_up.clone())).await;
    let ended = site.ended(&failed).await;
    assert_eq!((ended.outcome.as_str(), ended.error.as_deref()), ("failed", Some(full)));
    assert!(ended.message.is_some_and(|message| message.contains("`few`")));
    assert_eq!((site.find(&failed).await.state, site.count("few", State::Queued).await), (State::Error, 2));

    let mut patient = call("probe:follow_up", follow_up);
    patient.task.retry_method = Some(RetryMethod::Fixed { delay: 0.1, max: 1000 });
    patient.task.retry_on = vec![full.to_owned()];
    let mut dues = site.dues().await;
    let patient = site.enqueue(patient).await;
    dues.of("default").await;
    site.margay(&["tasks", "delete", &few[0]]).await.ok();
    let ended = site.ended(&patient).await;
    assert_eq!(ended.outcome, "finished");
    assert!(ended.attempts > 1, "{ended:?}");
    assert_eq!(site.count("few", State::Queued).await, 2);
    worker.stop().await;
    site.is_consistent().await;
}
