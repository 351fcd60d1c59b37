//! `margay run`: one run, here, without Redis.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use sandbox::{Access, Call, Grants, Limits, NoFunctions, Output, Stream, TaskInfo};
use serde_json::value::RawValue;
use task::Outcome;

use super::component::{Component, module_name};
use super::new_task::json_of_kind;
use crate::args::{Common, Run};
use crate::config::{Config, open_directory};
use crate::{print, usage};

pub async fn run(common: &Common, flags: &Run) -> Result<ExitCode> {
    let args = json_of_kind(&flags.args, '[', "ARGS")?;
    let kwargs = json_of_kind(&flags.kwargs, '{', "--kwargs")?;
    let config = Config::load(common)?;
    let module = module_name(&flags.component);
    let component = Component::load(&flags.component, flags.fuel.or(config.fuel())).await?;
    let name = flags.function.rsplit_once(':').map_or(flags.function.as_str(), |(_, name)| name);
    let Some(function) = component.functions.iter().find(|function| function.name == name) else {
        let known: Vec<String> =
            component.functions.iter().map(|function| format!("`{}`", function.name)).collect();
        bail!("`{}` has no function `{name}`; it has {}", flags.component.display(), known.join(", "));
    };
    let own = function.options.hard_timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let limits = config.limits();
    let hard_timeout = flags.hard_timeout.or(own).unwrap_or(limits.hard_timeout);
    let info = TaskInfo {
        id: queue::new_id(),
        function: format!("{module}:{name}"),
        queue: function.options.queue.clone().unwrap_or_else(|| "default".to_owned()),
        attempt: 1,
        ..TaskInfo::default()
    };
    let run = sandbox::Run {
        function: name,
        calls: vec![Call { info, args: args.get().to_owned(), kwargs: kwargs.get().to_owned() }],
        batch: function.batch,
        limits: &Limits { hard_timeout, ..limits },
        grants: &grants(&config, &module, flags)?,
        functions: Arc::new(NoFunctions),
        output: Arc::new(Console),
        cancelled: Arc::default(),
    };
    let report = component.sandbox.run(&component.module, run).await;
    let outcome = report.outcomes.into_iter().next().unwrap_or(Outcome::Cancelled);
    for follow_up in &report.effects.follow_ups {
        eprintln!("would enqueue {} as {}", follow_up.task.func, follow_up.task.id);
    }
    let saved = report.effects.results.into_iter().next_back().map(|(_, saved)| saved);
    show(common, &outcome, saved, report.elapsed)
}

fn grants(config: &Config, module: &str, flags: &Run) -> Result<Grants> {
    let mut grants = config.grants(module)?;
    let readable = flags.directories.iter().map(|directory| (directory, Access::ReadOnly));
    let writable = flags.writable_directories.iter().map(|directory| (directory, Access::ReadWrite));
    for (directory, access) in readable.chain(writable) {
        let Some((path, guest)) = directory.rsplit_once(':') else {
            return Err(usage(format!(
                "`{directory}` is no directory grant; write it as `./photos:/photos`"
            )));
        };
        grants.directories.push(open_directory(Path::new(path), guest, access)?);
    }
    Ok(grants)
}

fn show(common: &Common, outcome: &Outcome, saved: Option<String>, elapsed: Duration) -> Result<ExitCode> {
    let failed = !matches!(outcome, Outcome::Finished(_));
    if common.json {
        let result = match outcome {
            Outcome::Finished(result) => {
                Some(RawValue::from_string(saved.unwrap_or_else(|| result.clone()))?)
            }
            _ => None,
        };
        print::json(&serde_json::json!({
            "outcome": outcome.word(),
            "result": result,
            "error": failed.then(|| outcome.exception_name()),
            "message": failed.then(|| outcome.message()),
            "traceback": failed.then(|| outcome.traceback()),
            "elapsed_ms": elapsed.as_secs_f64() * 1e3,
        }))?;
    } else if let Outcome::Finished(result) = outcome {
        print::line(saved.as_ref().unwrap_or(result));
    } else {
        eprintln!("{} after {:.3} s", outcome.word(), elapsed.as_secs_f64());
        eprintln!("{}", outcome.traceback());
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A guest's output, as it comes, on standard error: standard output is for the result.
struct Console;

impl Output for Console {
    fn line(&self, _stream: Stream, line: &str) {
        eprintln!("{line}");
    }

    fn log(&self, level: tracing::Level, message: &str, fields: &[(String, String)]) {
        let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        eprintln!("{level:>5} {message}{fields}");
    }

    fn progress(&self, fraction: f64, message: Option<&str>) {
        eprintln!("{:3.0} % {}", fraction * 100.0, message.unwrap_or_default());
    }
}
