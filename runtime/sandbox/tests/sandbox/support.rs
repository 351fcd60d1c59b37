//! A compiled probe, a way to run it, and an ear for its output.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock, Mutex};

use margay_sandbox::{
    Call, Grants, Limits, Module, Output, Report, Run, Sandbox, Settings, Stream, TaskInfo,
};
use task::Outcome;

/// The second guest, in the probe's sandbox: functions that run by themselves, and hooks.
pub static CLOCKWORK: LazyLock<Module> =
    LazyLock::new(|| PROBE.sandbox.compile(&guest("clockwork")).expect("the clockwork compiles"));

/// One sandbox and one compiled probe for all tests that need no settings of their own.
pub static PROBE: LazyLock<Probe> = LazyLock::new(|| Probe::with(Settings::default()));

pub struct Probe {
    pub sandbox: Sandbox,
    pub module: Module,
}

impl Probe {
    pub fn with(settings: Settings) -> Probe {
        let sandbox = Sandbox::new(settings).expect("a sandbox");
        let module = sandbox.compile(&probe()).expect("the probe compiles");
        Probe { sandbox, module }
    }

    /// Runs one function with these arguments, under default limits and without grants.
    pub async fn run(&self, function: &str, args: &str) -> Report {
        self.run_within(function, args, &Limits::default()).await
    }

    pub async fn run_within(&self, function: &str, args: &str, limits: &Limits) -> Report {
        self.sandbox.run(&self.module, Run { limits, ..plain(function, vec![call(args)]) }).await
    }

    pub async fn run_batch(&self, inputs: &[&str]) -> Report {
        let calls = inputs.iter().map(|input| call(&format!("[{input:?}]"))).collect();
        self.sandbox.run(&self.module, Run { batch: true, ..plain("batch", calls) }).await
    }

    /// Runs one function and answers its result.
    pub async fn result(&self, function: &str, args: &str) -> String {
        let report = self.run(function, args).await;
        match only(report) {
            Outcome::Finished(result) => result,
            other => panic!("`{function}` did not finish: {other:?}"),
        }
    }
}

/// The probe's bytes.
pub fn probe() -> Vec<u8> {
    guest("probe")
}

fn guest(name: &str) -> Vec<u8> {
    let guests = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/guests");
    let path = format!("{guests}/{name}/target/wasm32-wasip2/release/{name}.wasm");
    fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}; run `cargo xtask guests` first"))
}

pub fn call(args: &str) -> Call {
    let info = TaskInfo {
        id: "a1".to_owned(),
        function: "probe:test".to_owned(),
        queue: "default".to_owned(),
        attempt: 1,
        enqueued_at: Some(1_700_000_000.25),
        scheduled_at: None,
    };
    Call { info, args: args.to_owned(), kwargs: "{}".to_owned() }
}

/// A run with nothing special about it.
pub fn plain(function: &str, calls: Vec<Call>) -> Run<'_> {
    static LIMITS: LazyLock<Limits> = LazyLock::new(Limits::default);
    static GRANTS: LazyLock<Grants> = LazyLock::new(Grants::default);
    Run {
        function,
        calls,
        batch: false,
        limits: &LIMITS,
        grants: &GRANTS,
        functions: Arc::new(margay_sandbox::NoFunctions),
        output: Arc::new(margay_sandbox::NoOutput),
        cancelled: Arc::new(AtomicBool::new(false)),
    }
}

/// The outcome of a run of one call.
pub fn only(mut report: Report) -> Outcome {
    assert_eq!(report.outcomes.len(), 1, "{report:?}");
    report.outcomes.remove(0)
}

/// Remembers all output, in order.
#[derive(Default)]
pub struct Ear(Mutex<Vec<String>>);

impl Ear {
    pub fn heard(&self) -> Vec<String> {
        self.0.lock().expect("no test panics while it listens").clone()
    }

    fn hear(&self, words: String) {
        self.0.lock().expect("no test panics while it listens").push(words);
    }
}

impl Output for Ear {
    fn line(&self, stream: Stream, line: &str) {
        self.hear(format!("{stream:?}: {line}"));
    }

    fn log(&self, level: tracing::Level, message: &str, fields: &[(String, String)]) {
        self.hear(format!("{level}: {message} {fields:?}"));
    }

    fn progress(&self, fraction: f64, message: Option<&str>) {
        self.hear(format!("{fraction}: {message:?}"));
    }
}
