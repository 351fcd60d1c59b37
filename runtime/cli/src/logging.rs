//! Log messages go to standard error: text for people, JSON lines for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::args::{Common, LogFormat};
use crate::usage;

/// Starts logging; `default` is the filter where the user names none.
pub fn start(common: &Common, default: &str) -> anyhow::Result<()> {
    let filter = common.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        usage(format!("`{filter}` is not a log filter: {error}; write a level such as `debug`"))
    })?;
    let terminal = std::io::stderr().is_terminal();
    let format = common.log_format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let logging = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => logging.with_ansi(terminal).init(),
        LogFormat::Json => logging.json().flatten_event(true).init(),
    }
    Ok(())
}
