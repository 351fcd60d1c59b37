//! One file for each command.

mod build;
mod component;
mod deploy;
mod dev;
mod enqueue;
mod keys;
mod migrate;
mod modules;
mod new;
mod new_task;
mod queues;
mod run;
mod schedule;
mod selection;
mod tasks;
mod worker;

use std::process::ExitCode;

use anyhow::Result;
use clap::CommandFactory;
use queue::Client;

use crate::args::{Arguments, Command, Common};
use crate::config::Config;
use crate::logging;

/// Runs the command that was typed.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { common, command } = arguments;
    let noise = match &command {
        Command::Dev(_) => "info,margay::task=debug",
        Command::Worker(_) => "info",
        Command::Run(_) => "warn,margay::guest=info",
        _ => "warn",
    };
    if let Command::Completions { shell } = command {
        clap_complete::generate(shell, &mut Arguments::command(), "margay", &mut std::io::stdout());
        return Ok(ExitCode::SUCCESS);
    }
    logging::start(&common, noise)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run_command(&common, command))
}

async fn run_command(common: &Common, command: Command) -> Result<ExitCode> {
    let done = match command {
        Command::Dev(flags) => dev::run(common, &flags).await,
        Command::Worker(flags) => worker::run(common, &flags).await,
        Command::New(flags) => new::run(common, &flags),
        Command::Build(flags) => build::run(common, &flags).await,
        Command::Run(flags) => return run::run(common, &flags).await,
        Command::Deploy(flags) => deploy::run(common, &flags).await,
        Command::Modules(verb) => modules::run(common, verb).await,
        Command::Enqueue(flags) => return enqueue::run(common, *flags).await,
        Command::Tasks(verb) => return tasks::run(common, verb).await,
        Command::Queues(verb) => queues::run(common, verb).await,
        Command::Keys(verb) => return keys::run(common, verb).await,
        Command::Migrate(verb) => return migrate::run(common, verb).await,
        Command::Completions { .. } => Ok(()),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// A connection to the keyspace that flags, environment and configuration name.
async fn connect(common: &Common) -> Result<Client> {
    let config = Config::load(common)?;
    Ok(Client::connect(&config.address(common)).await?)
}
