//! Measures what a fresh instance costs: runs a function that does nothing, again and again.
//!
//! ```sh
//! cargo run --release -p margay-sandbox --example fresh -- [COMPONENT [FUNCTION [RUNS]]]
//! ```

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use std::{env, fs};

use margay_sandbox::{Call, Grants, Limits, NoFunctions, NoOutput, Run, Sandbox, Settings, TaskInfo};

const PROBE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/guests/probe/target/wasm32-wasip2/release/probe.wasm");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let component = args.next().unwrap_or_else(|| PROBE.to_owned());
    let function = args.next().unwrap_or_else(|| "noop".to_owned());
    let runs: u32 = args.next().map_or(Ok(20_000), |runs| runs.parse())?;

    let sandbox = Sandbox::new(Settings::default())?;
    let started = Instant::now();
    let module = sandbox.compile(&fs::read(component)?)?;
    println!("compile: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);

    let (limits, grants) = (Limits::default(), Grants::default());
    let info = TaskInfo { function: format!("probe:{function}"), ..TaskInfo::default() };
    let call = Call { info, args: "[1]".to_owned(), kwargs: "{}".to_owned() };
    for round in 1..=5 {
        let started = Instant::now();
        for _ in 0..runs {
            let run = Run {
                function: &function,
                calls: vec![call.clone()],
                batch: false,
                limits: &limits,
                grants: &grants,
                functions: Arc::new(NoFunctions),
                output: Arc::new(NoOutput),
                cancelled: Arc::new(AtomicBool::new(false)),
            };
            let report = sandbox.run(&module, run).await;
            if report.outcomes[0].word() != "finished" {
                return Err(report.outcomes[0].traceback().into());
            }
        }
        let each = started.elapsed().as_secs_f64() * 1e6 / f64::from(runs);
        println!("round {round}: {each:.2} us per run");
    }
    Ok(())
}
