//! What a module says about itself: read, and checked as far as it can be before anything runs.
//!
//! A refusal names the function and the field, as the contract spells it.

use std::collections::HashSet;

use serde_json::value::RawValue;
use task::{FunctionName, FunctionSpec, Hook, Options, RetryMethod, Schedule, WorkerLost};

use crate::bindings::margay::task::types as wit;
use crate::convert::{retry_method, seconds};

/// How many functions a module may have.
const MAX_FUNCTIONS: usize = 1_000;

/// How long the name of a function may be.
const MAX_NAME_BYTES: usize = 200;

/// Reads what a module says about itself.
pub(crate) fn description(specs: Vec<wit::FunctionSpec>) -> Result<Vec<FunctionSpec>, String> {
    if specs.is_empty() {
        return Err("it has no functions".to_owned());
    }
    if specs.len() > MAX_FUNCTIONS {
        return Err(format!("it has {} functions; {MAX_FUNCTIONS} are allowed", specs.len()));
    }
    let mut names = HashSet::new();
    for spec in &specs {
        check_function(&spec.name)?;
        if !names.insert(spec.name.as_str()) {
            return Err(format!("it names `{}` twice", spec.name));
        }
    }
    let specs: Vec<FunctionSpec> = specs.into_iter().map(function_spec).collect::<Result<_, _>>()?;
    for spec in &specs {
        check_hook(spec, &specs)?;
        check_asked(spec, &specs)?;
    }
    Ok(specs)
}

/// A hook is called by the runtime alone, for one run at a time.
fn check_hook(spec: &FunctionSpec, all: &[FunctionSpec]) -> Result<(), String> {
    let FunctionSpec { name, hook: Some(hook), .. } = spec else { return Ok(()) };
    if spec.batch {
        return Err(format!("`{name}`: `batch`: a hook is called for one run at a time"));
    }
    if spec.options.schedule.is_some() {
        return Err(format!("`{name}`: `schedule`: a hook never runs by itself"));
    }
    match all.iter().find(|other| other.hook == Some(*hook) && other.name != *name) {
        Some(other) => {
            Err(format!("`{name}`: `hook`: `{}` is the same kind of hook; a module has one", other.name))
        }
        None => Ok(()),
    }
}

/// Functions that are asked for a delay or for a time must be there, if they are the module's own.
fn check_asked(spec: &FunctionSpec, all: &[FunctionSpec]) -> Result<(), String> {
    let retry = match &spec.options.retry_method {
        Some(RetryMethod::Custom { function, .. }) => Some(("retry-method", function)),
        _ => None,
    };
    let schedule = match &spec.options.schedule {
        Some(Schedule::Custom(function)) => Some(("schedule", function)),
        _ => None,
    };
    for (field, asked) in retry.into_iter().chain(schedule) {
        check_callable(asked, all).map_err(|error| format!("`{}`: `{field}`: {error}", spec.name))?;
    }
    Ok(())
}

fn check_callable(asked: &str, all: &[FunctionSpec]) -> Result<(), String> {
    if asked.contains(':') {
        return FunctionName::parse(asked).map(|_| ()).map_err(|error| error.to_string());
    }
    match all.iter().find(|function| function.name == asked) {
        None => {
            Err(format!("the module has no function `{asked}`; write `module:function` for another module's"))
        }
        Some(FunctionSpec { batch: true, .. }) => {
            Err(format!("`{asked}` is a batch function; name one that takes a single call"))
        }
        Some(FunctionSpec { hook: Some(_), .. }) => {
            Err(format!("`{asked}` is a hook; name a plain function"))
        }
        Some(_) => Ok(()),
    }
}

fn check_function(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("a function has no name".to_owned());
    }
    if name.len() > MAX_NAME_BYTES {
        let start = &name[..name.floor_char_boundary(20)];
        return Err(format!("the name `{start}...` is longer than {MAX_NAME_BYTES} bytes"));
    }
    match name.chars().find(|c| *c == ':' || c.is_whitespace() || c.is_control()) {
        Some(found) => Err(format!("the function name {name:?} contains {found:?}")),
        None => Ok(()),
    }
}

fn function_spec(spec: wit::FunctionSpec) -> Result<FunctionSpec, String> {
    let name = spec.name;
    let of = |error: String| format!("`{name}`: {error}");
    let schema = |text: Option<String>, field: &str| {
        let json = text.map(RawValue::from_string).transpose();
        json.map_err(|error| of(format!("its {field} schema is not JSON: {error}")))
    };
    Ok(FunctionSpec {
        doc: spec.doc,
        input: schema(spec.input, "input")?,
        output: schema(spec.output, "output")?,
        batch: spec.batch,
        hook: spec.hook.map(hook),
        options: options(spec.options).map_err(of)?,
        name,
    })
}

fn hook(hook: wit::Hook) -> Hook {
    match hook {
        wit::Hook::Before => Hook::Before,
        wit::Hook::After => Hook::After,
        wit::Hook::OnPermanentError => Hook::OnPermanentError,
    }
}

fn options(options: wit::FunctionOptions) -> Result<Options, String> {
    if let Some(queue) = &options.queue {
        task::check_queue_name(queue).map_err(|error| error.to_string())?;
    }
    if options.hard_timeout == Some(0) {
        return Err("its hard timeout is 0 ms".to_owned());
    }
    if let Some(runner) = &options.runner {
        task::check_module_name(runner).map_err(|error| format!("`runner`: {error}"))?;
    }
    let retry = matches!(options.retry_method, Some(wit::RetryMethod::Default));
    let retry_method = options.retry_method.map(|method| retry_method(method, None)).transpose()?.flatten();
    Ok(Options {
        queue: options.queue,
        hard_timeout: options.hard_timeout.map(seconds),
        unique: options.unique,
        unique_key: options.unique_key,
        lock: options.lock,
        lock_key: options.lock_key,
        max_queue_size: options.max_queue_size,
        retry,
        retry_method,
        retry_on: options.retry_on,
        max_stored_executions: options.max_stored_executions,
        schedule: options.schedule.map(schedule).transpose()?,
        runner: options.runner,
        priority: options.priority,
        deadline: options.deadline.map(seconds),
        expires: options.expires.map(seconds),
        result_ttl: options.result_ttl.map(seconds),
        jitter: options.jitter.map(seconds),
        on_worker_lost: options.on_worker_lost.map(|wish| match wish {
            wit::WorkerLost::Requeue => WorkerLost::Requeue,
            wit::WorkerLost::Fail => WorkerLost::Fail,
        }),
    })
}

fn schedule(schedule: wit::Schedule) -> Result<Schedule, String> {
    let schedule = match schedule {
        wit::Schedule::Periodic(periodic) => Schedule::Periodic {
            period: seconds(periodic.period),
            start: periodic.start.map(seconds),
            end: periodic.end.map(seconds),
        },
        wit::Schedule::Cron(cron) => Schedule::Cron {
            expression: cron.expression,
            time_zone: cron.time_zone,
            start: cron.start.map(seconds),
            end: cron.end.map(seconds),
        },
        wit::Schedule::Custom(function) => Schedule::Custom(function),
    };
    schedule.check().map_err(|error| format!("`schedule`: {error}"))?;
    Ok(schedule)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(name: &str) -> wit::FunctionSpec {
        let options = wit::FunctionOptions {
            queue: None,
            hard_timeout: None,
            unique: false,
            unique_key: Vec::new(),
            lock: false,
            lock_key: Vec::new(),
            max_queue_size: None,
            retry_method: None,
            retry_on: Vec::new(),
            max_stored_executions: None,
            schedule: None,
            runner: None,
            priority: None,
            deadline: None,
            expires: None,
            result_ttl: None,
            jitter: None,
            on_worker_lost: None,
        };
        wit::FunctionSpec {
            name: name.to_owned(),
            doc: String::new(),
            input: None,
            output: None,
            batch: false,
            hook: None,
            options,
        }
    }

    fn scheduled(schedule: wit::Schedule) -> wit::FunctionSpec {
        let mut spec = plain("tick");
        spec.options.schedule = Some(schedule);
        spec
    }

    fn retried(function: &str) -> wit::FunctionSpec {
        let mut spec = plain("send");
        spec.options.retry_method = Some(wit::RetryMethod::Custom(function.to_owned()));
        spec
    }

    fn hooked(name: &str, hook: wit::Hook) -> wit::FunctionSpec {
        wit::FunctionSpec { hook: Some(hook), ..plain(name) }
    }

    fn refused<const N: usize>(specs: [wit::FunctionSpec; N]) -> String {
        description(specs.to_vec()).expect_err("it is refused")
    }

    fn cron(expression: &str, time_zone: Option<&str>) -> wit::Schedule {
        let (expression, time_zone) = (expression.to_owned(), time_zone.map(str::to_owned));
        wit::Schedule::Cron(wit::CronSchedule { expression, time_zone, start: None, end: None })
    }

    #[test]
    fn a_schedule_that_cannot_be_followed_is_refused() {
        let refusal = refused([scheduled(cron("0 25 * * *", None))]);
        assert!(
            refusal.starts_with("`tick`: `schedule`: `0 25 * * *` is not a cron expression"),
            "{refusal}"
        );
        let refusal = refused([scheduled(cron("0 4 * * 0", Some("Mars/Base")))]);
        assert!(refusal.starts_with("`tick`: `schedule`: `Mars/Base` is not a time zone"), "{refusal}");
        let never = wit::PeriodicSchedule { period: 0, start: None, end: None };
        let refusal = refused([scheduled(wit::Schedule::Periodic(never))]);
        assert!(refusal.starts_with("`tick`: `schedule`: the period"), "{refusal}");
    }

    #[test]
    fn a_function_that_is_asked_must_be_there_and_take_one_call() {
        let next = || scheduled(wit::Schedule::Custom("next".to_owned()));
        assert!(refused([next()]).starts_with("`tick`: `schedule`: the module has no function `next`"));
        assert!(refused([retried("next")]).starts_with("`send`: `retry-method`: the module has no function"));
        let batch = wit::FunctionSpec { batch: true, ..plain("next") };
        assert!(refused([batch, next()]).contains("`next` is a batch function"));
        let hook = hooked("next", wit::Hook::After);
        assert!(refused([retried("next"), hook]).contains("`next` is a hook"));
        assert!(description(vec![next(), retried("next"), plain("next")]).is_ok());
    }

    #[test]
    fn a_function_of_another_module_is_not_looked_for() {
        assert!(description(vec![retried("other:next")]).is_ok());
        assert!(
            refused([retried("other:")]).starts_with("`send`: `retry-method`: `other:` is not a function")
        );
    }

    #[test]
    fn a_hook_is_a_plain_function_and_the_only_one_of_its_kind() {
        let batch = wit::FunctionSpec { batch: true, ..hooked("watch", wit::Hook::Before) };
        assert!(refused([batch]).starts_with("`watch`: `batch`: "));
        let mut periodic = hooked("watch", wit::Hook::Before);
        periodic.options.schedule = scheduled(cron("0 4 * * 0", None)).options.schedule;
        assert!(refused([periodic]).starts_with("`watch`: `schedule`: "));
        let twice = refused([hooked("one", wit::Hook::After), hooked("two", wit::Hook::After)]);
        assert!(twice.starts_with("`one`: `hook`: `two` is the same kind"), "{twice}");
        let functions =
            description(vec![hooked("one", wit::Hook::Before), hooked("two", wit::Hook::OnPermanentError)]);
        let hooks: Vec<_> =
            functions.expect("good hooks").into_iter().map(|function| function.hook).collect();
        assert_eq!(hooks, [Some(Hook::Before), Some(Hook::OnPermanentError)]);
    }

    #[test]
    fn a_runner_is_the_name_of_a_module() {
        let mut spec = plain("send");
        spec.options.runner = Some("audit:before".to_owned());
        assert!(refused([spec]).starts_with("`send`: `runner`: `audit:before` is not a module name"));
    }
}
