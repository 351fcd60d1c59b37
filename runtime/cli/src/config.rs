//! Settings: flags beat the environment, which beats margay.toml, which beats the defaults.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use sandbox::{Access, GrantedDirectory, Grants};
use serde::Deserialize;
use task::RetryMethod;
use worker::{Ends, Filter, MOST_AT_ONCE, Reporter, Settings};

use crate::args::{self, Common};
use crate::reporters::{Letterhead, Sentry, Webhook};
use crate::usage;
use crate::values::{Length, text};

/// What margay.toml may say. Durations are texts such as `500ms` or `5m`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    redis: Option<String>,
    prefix: Option<String>,
    queues: Vec<String>,
    exclude_queues: Vec<String>,
    concurrency: Option<usize>,
    batch_queues: HashMap<String, usize>,
    max_workers_per_queue: Option<usize>,
    single_worker_queues: Vec<String>,
    default_queue: Option<String>,
    #[serde(deserialize_with = "text")]
    batch_wait: Option<Length>,
    #[serde(deserialize_with = "text")]
    active_timeout: Option<Length>,
    reap: Option<bool>,
    #[serde(deserialize_with = "text")]
    reap_interval: Option<Length>,
    reap_batch: Option<usize>,
    #[serde(deserialize_with = "text")]
    default_hard_timeout: Option<Length>,
    #[serde(deserialize_with = "text")]
    default_retry: Option<RetryMethod>,
    max_redeliveries: Option<u32>,
    store_tracebacks: Option<bool>,
    #[serde(deserialize_with = "text")]
    heartbeat: Option<Length>,
    #[serde(deserialize_with = "text")]
    presence: Option<Length>,
    #[serde(deserialize_with = "text")]
    poll: Option<Length>,
    #[serde(deserialize_with = "text")]
    lock_retry: Option<Length>,
    #[serde(deserialize_with = "text")]
    module_grace: Option<Length>,
    #[serde(deserialize_with = "text")]
    shutdown_grace: Option<Length>,
    #[serde(deserialize_with = "text")]
    stats_interval: Option<Length>,
    limits: Limits,
    modules: HashMap<String, Module>,
    errors: Errors,
}

/// What a run may use.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Limits {
    memory_bytes: Option<u64>,
    fuel: Option<u64>,
    output_bytes: Option<u64>,
    result_bytes: Option<u64>,
    follow_ups: Option<u32>,
}

/// What the functions of a module may reach.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Module {
    directories: Vec<Directory>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Directory {
    path: PathBuf,
    guest: String,
    #[serde(default)]
    write: bool,
}

/// Who is told of tasks that have failed for good.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Errors {
    webhook: Option<String>,
    webhook_headers: BTreeMap<String, String>,
    sentry_dsn: Option<String>,
    environment: Option<String>,
    prefix: Option<String>,
}

impl Config {
    /// Reads the file that was named, else margay.toml where there is one.
    pub fn load(common: &Common) -> Result<Config> {
        let (path, named) = match &common.config {
            Some(path) => (path.as_path(), true),
            None => (Path::new("margay.toml"), false),
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => {
                return Ok(Config::default());
            }
            Err(error) => return Err(usage(format!("cannot read `{}`: {error}", path.display()))),
        };
        toml::from_str(&text).map_err(|error| usage(format!("`{}`: {error}", path.display())))
    }

    /// Where Redis is.
    pub fn address(&self, common: &Common) -> queue::Address {
        let url = common.redis.as_ref().or(self.redis.as_ref());
        let prefix = common.prefix.as_ref().or(self.prefix.as_ref());
        queue::Address {
            url: url.map_or_else(|| "redis://127.0.0.1:6379".to_owned(), Clone::clone),
            prefix: prefix.map_or_else(|| "t".to_owned(), Clone::clone),
        }
    }

    /// What a worker is told.
    pub fn settings(&self, flags: &args::Worker) -> Result<Settings> {
        let mut settings = Settings::default();
        set(&mut settings.concurrency, flags.concurrency.or(self.concurrency));
        settings.filter = Filter {
            only: first_named("queues", &flags.queues, &self.queues)?,
            exclude: first_named("exclude_queues", &flags.exclude_queues, &self.exclude_queues)?,
        };
        settings.batch_queues.clone_from(&self.batch_queues);
        settings.batch_queues.extend(flags.batch.iter().cloned());
        settings.max_workers_per_queue = flags.max_workers_per_queue.or(self.max_workers_per_queue);
        settings.single_worker_queues =
            first_named("single_worker_queues", &flags.single_worker_queues, &self.single_worker_queues)?;
        settings.ends = match (flags.once, flags.passes) {
            (true, Some(passes)) => Ends::AfterPasses(passes),
            (true, None) => Ends::WhenIdle,
            (false, _) => Ends::Never,
        };
        settings.reap = flags.reap || self.reap.unwrap_or(false);
        set_length(&mut settings.reap_interval, self.reap_interval);
        set(&mut settings.reap_batch, self.reap_batch);
        set_length(&mut settings.batch_wait, self.batch_wait);
        set_length(&mut settings.active_timeout, self.active_timeout);
        settings.default_queue = self.default_queue()?;
        settings.limits = self.limits();
        settings.fuel = self.limits.fuel;
        settings.policy.default_retry = self.default_retry();
        set(&mut settings.policy.max_redeliveries, self.max_redeliveries);
        let tracebacks =
            flags.store_tracebacks.then_some(true).or(flags.no_store_tracebacks.then_some(false));
        set(&mut settings.policy.store_tracebacks, tracebacks.or(self.store_tracebacks));
        set_length(&mut settings.heartbeat, self.heartbeat);
        set_length(&mut settings.presence, self.presence);
        set_length(&mut settings.poll, self.poll);
        set_length(&mut settings.lock_retry, self.lock_retry);
        set_length(&mut settings.module_grace, self.module_grace);
        set_length(&mut settings.shutdown_grace, flags.shutdown_grace.map(Length).or(self.shutdown_grace));
        set_length(&mut settings.stats, self.stats_interval);
        for name in self.modules.keys() {
            settings.grants.insert(name.clone(), self.grants(name)?);
        }
        settings.reporters = self.errors.reporters()?;
        check(&settings)?;
        Ok(settings)
    }

    /// The queue of tasks that name none, and whose function names none.
    pub fn default_queue(&self) -> Result<String> {
        let queue = self.default_queue.as_deref().unwrap_or("default");
        task::check_queue_name(queue).map_err(|error| usage(format!("`default_queue`: {error}")))?;
        Ok(queue.to_owned())
    }

    /// How a task is retried that wants that and names no method.
    pub fn default_retry(&self) -> RetryMethod {
        self.default_retry.clone().unwrap_or(RetryMethod::DEFAULT)
    }

    /// What a run may use.
    pub fn limits(&self) -> sandbox::Limits {
        let mut limits = sandbox::Limits::default();
        set_length(&mut limits.hard_timeout, self.default_hard_timeout);
        set(&mut limits.memory_bytes, self.limits.memory_bytes);
        set(&mut limits.output_bytes, self.limits.output_bytes);
        set(&mut limits.result_bytes, self.limits.result_bytes);
        set(&mut limits.follow_ups, self.limits.follow_ups);
        limits
    }

    /// The CPU budget of a run.
    pub fn fuel(&self) -> Option<u64> {
        self.limits.fuel
    }

    /// What the functions of a module may reach.
    pub fn grants(&self, module: &str) -> Result<Grants> {
        let mut grants = Grants::default();
        for Directory { path, guest, write } in
            self.modules.get(module).iter().flat_map(|module| &module.directories)
        {
            let access = if *write { Access::ReadWrite } else { Access::ReadOnly };
            grants.directories.push(open_directory(path, guest, access)?);
        }
        Ok(grants)
    }
}

impl Errors {
    fn reporters(&self) -> Result<Vec<Arc<dyn Reporter>>> {
        let letterhead = Letterhead {
            prefix: self.prefix.clone().unwrap_or_else(|| "Margay".to_owned()),
            environment: self.environment.clone(),
        };
        let mut reporters: Vec<Arc<dyn Reporter>> = Vec::new();
        if let Some(url) = &self.webhook {
            let webhook = Webhook::new(url, letterhead.clone()).map_err(|reason| {
                usage(format!("`errors.webhook`: {reason}; write it as `https://host/path`"))
            })?;
            let webhook = webhook
                .with_headers(&self.webhook_headers)
                .map_err(|reason| usage(format!("`errors.webhook_headers`: {reason}")))?;
            reporters.push(Arc::new(webhook));
        }
        if let Some(dsn) = &self.sentry_dsn {
            let sentry = Sentry::new(dsn, letterhead).map_err(|reason| {
                usage(format!("`errors.sentry_dsn`: {reason}; write it as `https://key@host/1`"))
            })?;
            reporters.push(Arc::new(sentry));
        }
        Ok(reporters)
    }
}

/// Opens a directory of the host for a guest.
pub fn open_directory(path: &Path, guest: &str, access: Access) -> Result<GrantedDirectory> {
    GrantedDirectory::open(path, guest, access).with_context(|| {
        format!("cannot open the directory `{}` that is granted as `{guest}`", path.display())
    })
}

fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}

fn set_length(setting: &mut Duration, given: Option<Length>) {
    set(setting, given.map(|Length(given)| given));
}

fn first_named(field: &str, flags: &[String], config: &[String]) -> Result<Vec<String>> {
    let names = if flags.is_empty() { config } else { flags };
    for name in names {
        task::check_queue_name(name).map_err(|error| usage(format!("`{field}`: {error}")))?;
    }
    Ok(names.to_vec())
}

fn check(settings: &Settings) -> Result<()> {
    if !(1..=MOST_AT_ONCE).contains(&settings.concurrency) {
        return Err(usage(format!("`concurrency` must be between 1 and {MOST_AT_ONCE}")));
    }
    if !(1..=queue::MAX_BATCH).contains(&settings.reap_batch) {
        return Err(usage(format!("`reap_batch` must be between 1 and {}", queue::MAX_BATCH)));
    }
    if settings.max_workers_per_queue == Some(0) {
        return Err(usage(
            "`max_workers_per_queue` must be at least 1; to stop a queue use `margay queues pause`",
        ));
    }
    for (queue, size) in &settings.batch_queues {
        task::check_queue_name(queue).map_err(|error| usage(format!("`batch_queues`: {error}")))?;
        if !(1..=queue::MAX_BATCH).contains(size) {
            let most = queue::MAX_BATCH;
            return Err(usage(format!(
                "`batch_queues`: the size of `{queue}` is {size}; it must be between 1 and {most}"
            )));
        }
    }
    if settings.active_timeout < 2 * settings.heartbeat {
        return Err(usage(
            "`active_timeout` must be at least twice `heartbeat`, or locks expire while their tasks run",
        ));
    }
    if settings.batch_wait > settings.poll {
        return Err(usage("`batch_wait` must not be longer than `poll`"));
    }
    for (name, length) in [
        ("heartbeat", settings.heartbeat),
        ("presence", settings.presence),
        ("poll", settings.poll),
        ("lock_retry", settings.lock_retry),
        ("default_hard_timeout", settings.limits.hard_timeout),
        ("reap_interval", settings.reap_interval),
    ] {
        if length < Duration::from_millis(10) {
            return Err(usage(format!("`{name}` must be at least 10ms")));
        }
    }
    if settings.heartbeat > Duration::from_secs(30) {
        return Err(usage("`heartbeat` must be at most 30s: Python workers take over tasks after 60s"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_read() {
        let text = r#"
            redis = "redis://example:6379"
            queues = ["a"]
            concurrency = 4
            default_hard_timeout = "90s"
            default_retry = "fixed:500ms:2"
            heartbeat = "2500ms"
            [batch_queues]
            words = 50
            [limits]
            memory_bytes = 1048576
            [modules.thumbnails]
            directories = [{ path = ".", guest = "/photos" }]
            [errors]
            webhook = "https://example.org/hook"
            webhook_headers = { authorization = "Bearer secret" }
            sentry_dsn = "https://key@example.org/1"
        "#;
        let config: Config = toml::from_str(text).expect("a configuration");
        let flags = args::Worker {
            concurrency: Some(8),
            batch: vec![("words".to_owned(), 10)],
            no_store_tracebacks: true,
            ..args::Worker::default()
        };
        let settings = config.settings(&flags).expect("settings");
        assert_eq!(settings.concurrency, 8, "a flag beats the file");
        assert_eq!(settings.batch_queues["words"], 10);
        assert!(!settings.policy.store_tracebacks);
        assert_eq!(settings.limits.hard_timeout, Duration::from_secs(90));
        assert_eq!(settings.heartbeat, Duration::from_millis(2500));
        assert_eq!(settings.policy.default_retry, RetryMethod::Fixed { delay: 0.5, max: 2 });
        assert_eq!(settings.grants["thumbnails"].directories.len(), 1);
        assert_eq!(settings.reporters.len(), 2);
    }

    #[test]
    fn a_setting_that_does_not_exist_is_named() {
        let error = toml::from_str::<Config>("concurency = 4").err().expect("refused").to_string();
        assert!(error.contains("concurency"), "{error}");
        let error = toml::from_str::<Config>("poll = \"fast\"").err().expect("refused").to_string();
        assert!(error.contains("`fast` is not a duration"), "{error}");
    }
}
