//! Components from files: read, compiled and checked, with the file's name in every error.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use comfy_table::Table;
use sandbox::{Module, Sandbox, Settings};
use task::{FunctionSpec, Hook, Options, RetryMethod, Schedule};

use crate::print;
use crate::usage;

/// A checked component.
pub struct Component {
    pub bytes: Vec<u8>,
    pub sandbox: Sandbox,
    pub module: Module,
    pub functions: Vec<FunctionSpec>,
}

impl Component {
    /// Reads a component and asks it what it offers.
    pub async fn load(path: &Path, fuel: Option<u64>) -> Result<Component> {
        let size = std::fs::metadata(path)
            .map_err(|error| usage(format!("cannot read `{}`: {error}", path.display())))?;
        let settings = Settings { slots: 1, fuel, ..Settings::default() };
        if size.len() > settings.max_component_bytes {
            let (size, limit) = (size.len(), settings.max_component_bytes);
            return Err(anyhow!("`{}` has {size} bytes, the limit is {limit}", path.display()));
        }
        let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let sandbox = Sandbox::new(settings)?;
        let refused = |refusal| anyhow!("`{}` {refusal}", path.display());
        let module = sandbox.compile(&bytes).map_err(refused)?;
        let functions = sandbox.describe(&module).await.map_err(refused)?;
        Ok(Component { bytes, sandbox, module, functions })
    }
}

/// The module's name that a component's file stands for.
pub fn module_name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a module offers, as a table.
pub fn functions_table(functions: &[FunctionSpec]) -> Table {
    let mut table = print::table(["FUNCTION", "QUEUE", "OPTIONS", "WHAT IT DOES"]);
    for function in functions {
        let queue = function.options.queue.as_deref().unwrap_or("default");
        let summary = function.doc.lines().next().unwrap_or_default();
        table.add_row([&function.name, queue, &options(function), summary]);
    }
    table
}

/// A function's options in one line, such as `batch, hard_timeout=30s, retry=fixed:1m:3`.
fn options(function: &FunctionSpec) -> String {
    let Options { hard_timeout, retry, retry_method, retry_on, schedule, .. } = &function.options;
    let Options { unique, unique_key, lock, lock_key, max_queue_size, .. } = &function.options;
    let Options { max_stored_executions, jitter, runner, result_ttl, .. } = &function.options;
    let mut words = Vec::new();
    let mut word = |shown: bool, text: String| shown.then(|| words.push(text));
    word(function.hook.is_some(), format!("hook={}", function.hook.map(hook).unwrap_or_default()));
    word(function.batch, "batch".to_owned());
    word(*unique && unique_key.is_empty(), "unique".to_owned());
    word(!unique_key.is_empty(), format!("unique_key={}", unique_key.join("+")));
    word(*lock && lock_key.is_empty(), "lock".to_owned());
    word(!lock_key.is_empty(), format!("lock_key={}", lock_key.join("+")));
    word(hard_timeout.is_some(), format!("hard_timeout={}", length(hard_timeout.unwrap_or_default())));
    word(max_queue_size.is_some(), format!("max_queue_size={}", max_queue_size.unwrap_or_default()));
    word(*retry && retry_method.is_none(), "retry".to_owned());
    word(retry_method.is_some(), format!("retry={}", retry_method.as_ref().map(method).unwrap_or_default()));
    word(!retry_on.is_empty(), format!("retry_on={}", retry_on.join("+")));
    word(jitter.is_some(), format!("jitter={}", length(jitter.unwrap_or_default())));
    let kept = max_stored_executions.unwrap_or_default();
    word(max_stored_executions.is_some(), format!("max_stored_executions={kept}"));
    word(result_ttl.is_some(), format!("result_ttl={}", length(result_ttl.unwrap_or_default())));
    word(runner.is_some(), format!("runner={}", runner.as_deref().unwrap_or_default()));
    word(schedule.is_some(), format!("schedule={}", schedule.as_ref().map(when).unwrap_or_default()));
    words.join(", ")
}

fn hook(hook: Hook) -> &'static str {
    match hook {
        Hook::Before => "before",
        Hook::After => "after",
        Hook::OnPermanentError => "on_permanent_error",
    }
}

fn method(method: &RetryMethod) -> String {
    match method {
        RetryMethod::Fixed { delay, max } => format!("fixed:{}:{max}", length(*delay)),
        RetryMethod::Linear { delay, increment, max } => {
            format!("linear:{}:{}:{max}", length(*delay), length(*increment))
        }
        RetryMethod::Exponential { delay, factor, max } => {
            format!("exponential:{}:{factor}:{max}", length(*delay))
        }
        RetryMethod::Custom { function, .. } => function.clone(),
    }
}

fn when(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Periodic { period, .. } => format!("every {}", length(*period)),
        Schedule::Cron { expression, time_zone, .. } => {
            let zone = time_zone.as_deref().unwrap_or("UTC");
            format!("\"{expression}\" {zone}")
        }
        Schedule::Custom(function) => function.clone(),
    }
}

fn length(seconds: f64) -> String {
    let length = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
    humantime::format_duration(length).to_string()
}
