//! Reports: tasks that have failed for good are told to whoever watches, such as a webhook.
//!
//! Reporters talk to services that may be slow or away, and a worker waits for none of them: each has a
//! thread and a bounded queue of its own. What does not fit into the queue is dropped, counted and logged.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures_util::future::join_all;
use queue::Lease;
use task::{Task, Timestamp, Verdict};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{error, warn};

/// Tells somebody about tasks that have failed for good. A retry is not reported, nor is a failure that wished
/// to leave no trace.
pub trait Reporter: Send + Sync {
    /// Tells of one failure, and says in the log where that cannot be done. It may take its time: it is
    /// called on a thread of its own, for one failure after the other.
    fn report(&self, failure: &TaskFailure);
}

impl fmt::Debug for dyn Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reporter")
    }
}

/// A task that has failed for good. Texts are cut where they are longer than 16 KiB.
#[derive(Clone, Debug)]
pub struct TaskFailure {
    /// The task's id.
    pub task_id: String,
    /// What it called, `module:function`; empty where its payload cannot be read.
    pub func: String,
    /// The queue it was claimed from.
    pub queue: String,
    /// What went wrong, as a name: the `exception_name` of its last execution.
    pub kind: String,
    /// What went wrong, for people.
    pub message: String,
    /// Where it went wrong, unless tracebacks are not stored.
    pub traceback: Option<String>,
    /// The host whose worker saw it fail.
    pub host: String,
    /// When its last run began.
    pub time_started: Timestamp,
    /// When it failed.
    pub time_failed: Timestamp,
    /// How often it has failed, this time included.
    pub executions: u32,
    /// The positional arguments: a JSON array, or a JSON text with its beginning where it was cut.
    pub args: String,
    /// The named arguments: a JSON object, or a JSON text with its beginning where it was cut.
    pub kwargs: String,
}

/// What a report keeps of each text at most: a full queue of them must not fill the memory.
const MOST_BYTES: usize = 16 << 10;

impl TaskFailure {
    /// What there is to report of a verdict; `None` unless the task has failed for good. `executions` are
    /// those recorded before. The task is `None` where its payload cannot be read.
    pub(crate) fn of(
        lease: &Lease,
        task: Option<&Task>,
        verdict: &Verdict,
        executions: u32,
        message: impl FnOnce() -> String,
    ) -> Option<Box<TaskFailure>> {
        let Verdict::Error { execution } = verdict else { return None };
        Some(Box::new(TaskFailure {
            task_id: lease.id.clone(),
            func: task.map_or_else(String::new, |task| task.func.to_string()),
            queue: lease.queue.clone(),
            kind: execution.exception_name.clone(),
            message: beginning(&message()).to_owned(),
            traceback: execution.traceback.as_deref().map(|text| beginning(text).to_owned()),
            host: execution.host.clone(),
            time_started: execution.time_started,
            time_failed: execution.time_failed,
            executions: executions.saturating_add(1),
            args: short_json(task.map_or("[]", Task::args_json)),
            kwargs: short_json(task.map_or("{}", Task::kwargs_json)),
        }))
    }
}

fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_BYTES)]
}

fn short_json(json: &str) -> String {
    if json.len() <= MOST_BYTES {
        return json.to_owned();
    }
    serde_json::Value::from(beginning(json)).to_string()
}

/// The way to all reporters. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Reports {
    desks: Arc<[Desk]>,
}

/// One reporter's queue.
struct Desk {
    failures: mpsc::Sender<Arc<TaskFailure>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Reports in the queue, and the one that is being made.
    waiting: watch::Sender<usize>,
    dropped: AtomicU64,
}

/// How many reports wait for one reporter at most.
const QUEUE: usize = 1_000;

impl Reports {
    /// Starts a thread for each reporter. It ends when nobody can report any more.
    pub(crate) fn start(reporters: &[Arc<dyn Reporter>]) -> std::io::Result<Reports> {
        let desks: std::io::Result<Arc<[Desk]>> = reporters.iter().map(Desk::open).collect();
        Ok(Reports { desks: desks? })
    }

    /// Hands a failure to every reporter, without waiting for any.
    pub(crate) fn send(&self, failure: TaskFailure) {
        let failure = Arc::new(failure);
        self.desks.iter().for_each(|desk| desk.send(Arc::clone(&failure)));
    }

    /// Waits until everything is reported, and for no longer than this; what is left then is lost.
    pub(crate) async fn flush(&self, patience: Duration) {
        join_all(self.desks.iter().map(|desk| desk.flush(patience))).await;
    }
}

impl Desk {
    fn open(reporter: &Arc<dyn Reporter>) -> std::io::Result<Desk> {
        let (failures, incoming) = mpsc::channel();
        let state = Arc::new(State::default());
        let (reporter, here) = (Arc::clone(reporter), Arc::clone(&state));
        let thread = std::thread::Builder::new().name("margay-reports".to_owned());
        thread.spawn(move || report_all(&*reporter, &incoming, &here))?;
        Ok(Desk { failures, state })
    }

    fn send(&self, failure: Arc<TaskFailure>) {
        let fits = self.state.waiting.send_if_modified(|waiting| {
            let fits = *waiting < QUEUE;
            *waiting += usize::from(fits);
            fits
        });
        if fits && self.failures.send(failure).is_ok() {
            return;
        }
        if self.state.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            warn!("error reports are dropped: their receiver is too slow");
        }
    }

    async fn flush(&self, patience: Duration) {
        let mut waiting = self.state.waiting.subscribe();
        // An error would mean that the state is gone, which is ours.
        let _ = timeout(patience, waiting.wait_for(|waiting| *waiting == 0)).await;
        let left = *self.state.waiting.borrow();
        if left > 0 {
            warn!(reports = left, "stopped before all error reports were sent");
        }
        self.state.say_dropped();
    }
}

impl State {
    fn say_dropped(&self) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            warn!(
                reports = dropped,
                "dropped error reports; the failures are in the error state all the same"
            );
        }
    }
}

fn report_all(reporter: &dyn Reporter, failures: &mpsc::Receiver<Arc<TaskFailure>>, state: &State) {
    for failure in failures {
        // One report that goes wrong must not end all others.
        if catch_unwind(AssertUnwindSafe(|| reporter.report(&failure))).is_err() {
            error!(task_id = failure.task_id, "a reporter panicked; this report is lost");
        }
        state.say_dropped();
        state.waiting.send_modify(|waiting| *waiting -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use task::{Execution, FunctionName, Outcome};

    /// Reports once for each permission.
    struct Slow {
        permissions: std::sync::Mutex<mpsc::Receiver<()>>,
        reported: mpsc::Sender<String>,
    }

    impl Reporter for Slow {
        fn report(&self, failure: &TaskFailure) {
            let permitted = self.permissions.lock().expect("nobody panicked").recv();
            assert!(permitted.is_ok(), "as a reporter that fails");
            self.reported.send(failure.task_id.clone()).expect("the test listens");
        }
    }

    fn slow() -> (Reports, mpsc::Sender<()>, mpsc::Receiver<String>) {
        let (permit, permissions) = mpsc::channel();
        let (reported, done) = mpsc::channel();
        let reporter: Arc<dyn Reporter> = Arc::new(Slow { permissions: permissions.into(), reported });
        (Reports::start(&[reporter]).expect("a thread"), permit, done)
    }

    fn failure(id: &str, args: &str) -> TaskFailure {
        let mut task = Task::new(id, FunctionName::parse("mail:send").expect("a name"));
        task.args = serde_json::value::RawValue::from_string(args.to_owned()).ok();
        let execution = Execution::of(&Outcome::Cancelled, 1.0, 2.0, "host", true);
        let lease = Lease { queue: "mail.acme".to_owned(), id: id.to_owned(), score: 1.0 };
        let verdict = Verdict::Error { execution };
        *TaskFailure::of(&lease, Some(&task), &verdict, 2, || "no".to_owned()).expect("a failure")
    }

    #[tokio::test]
    async fn a_slow_reporter_holds_nobody_up_and_loses_what_does_not_fit() {
        let (reports, permit, done) = slow();
        for number in 0..QUEUE + 5 {
            reports.send(failure(&number.to_string(), "[]"));
        }
        let desk = &reports.desks[0];
        assert_eq!(*desk.state.waiting.borrow(), QUEUE);
        assert_eq!(desk.state.dropped.load(Ordering::Relaxed), 5);
        for number in 0..QUEUE {
            permit.send(()).expect("the reporter waits");
            assert_eq!(done.recv().expect("reported"), number.to_string());
        }
        reports.flush(Duration::from_secs(60)).await;
        assert_eq!(*desk.state.waiting.borrow(), 0);
        assert_eq!(desk.state.dropped.load(Ordering::Relaxed), 0, "the count was told");
    }

    #[tokio::test]
    async fn a_flush_waits_no_longer_than_its_patience() {
        let (reports, _permit, _done) = slow();
        reports.send(failure("a", "[]"));
        reports.flush(Duration::from_millis(10)).await;
        assert_eq!(*reports.desks[0].state.waiting.borrow(), 1);
    }

    #[tokio::test]
    async fn a_reporter_that_panics_is_called_again() {
        let (reports, permit, _done) = slow();
        drop(permit);
        reports.send(failure("a", "[]"));
        reports.send(failure("b", "[]"));
        reports.flush(Duration::from_secs(60)).await;
        assert_eq!(*reports.desks[0].state.waiting.borrow(), 0);
    }

    #[test]
    fn a_failure_tells_what_the_execution_and_the_task_say() {
        let failure = failure("a", "[7]");
        assert_eq!((failure.func.as_str(), failure.queue.as_str()), ("mail:send", "mail.acme"));
        assert_eq!((failure.kind.as_str(), failure.executions), ("margay:Cancelled", 3));
        assert_eq!((failure.args.as_str(), failure.kwargs.as_str()), ("[7]", "{}"));
    }

    #[test]
    fn long_arguments_are_cut_to_a_text() {
        let args = failure("a", &format!("[\"{}\"]", "é".repeat(MOST_BYTES))).args;
        let text: String = serde_json::from_str(&args).expect("a JSON text");
        assert!(text.starts_with("[\"é") && text.len() <= MOST_BYTES, "{} bytes", text.len());
    }
}
