//! `margay worker`.

use anyhow::Result;
use queue::Client;
use worker::Worker;

use crate::args::{self, Common};
use crate::config::Config;
use crate::signals;

pub async fn run(common: &Common, flags: &args::Worker) -> Result<()> {
    let stop = signals::stop(flags.exit_after)?;
    let config = Config::load(common)?;
    let settings = config.settings(flags)?;
    let client = Client::connect(&config.address(common)).await?;
    Ok(Worker::new(client, settings)?.run(stop, || {}).await?)
}
