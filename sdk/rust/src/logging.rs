//! The `log` crate's messages, given to the runtime with their fields.

use log::kv::{Error, Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};

use crate::bindings::margay::task::types::LogLevel;
use crate::runtime;

/// Finer messages cost a host call each and count against the run's log limit, so a function that wants
/// them asks for them with `log::set_max_level`.
const LEVEL: LevelFilter = LevelFilter::Debug;

/// Sends what is logged from now on to the runtime. A logger that the module has installed itself stays.
pub(crate) fn install() {
    if log::set_logger(&Forward).is_ok() {
        log::set_max_level(LEVEL);
    }
}

struct Forward;

impl Log for Forward {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut fields = Fields(vec![("target".to_owned(), record.target().to_owned())]);
        // Only a visitor can fail, and ours does not.
        let _ = record.key_values().visit(&mut fields);
        runtime::write_log(level(record.level()), &record.args().to_string(), &fields.0);
    }

    fn flush(&self) {}
}

fn level(level: log::Level) -> LogLevel {
    match level {
        log::Level::Trace => LogLevel::Trace,
        log::Level::Debug => LogLevel::Debug,
        log::Level::Info => LogLevel::Info,
        log::Level::Warn => LogLevel::Warn,
        log::Level::Error => LogLevel::Error,
    }
}

struct Fields(Vec<(String, String)>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        self.0.push((key.to_string(), value.to_string()));
        Ok(())
    }
}
