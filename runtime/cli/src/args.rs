//! The command line as types. What the flags mean together is settled in each command.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use queue::{Expiry, State};
use task::RetryMethod;

use crate::values::{batch, duration, expiry, seconds, time};

/// Margay runs tasks from Redis as sandboxed WebAssembly components.
///
/// Write a function, mark it #[task], and:
///
///   margay new mail && cd mail      a project that builds
///   margay dev                      a private Redis and a worker (leave it running)
///   margay build                    compile it to a component
///   margay deploy mail.wasm         put it live; running workers pick it up
///   margay enqueue mail:hello '["you"]' --wait
#[derive(Parser)]
#[command(name = "margay", version, verbatim_doc_comment, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

const COMMON: &str = "Options of every command";

/// What every command takes. Flags beat the environment, which beats margay.toml, which beats the defaults.
#[derive(Args, Clone)]
pub struct Common {
    /// Where Redis is: redis://host:port/db or redis+unix:///path [default: redis://127.0.0.1:6379]
    #[arg(long, global = true, help_heading = COMMON, env = "MARGAY_REDIS", value_name = "URL")]
    pub redis: Option<String>,
    /// What every key begins with [default: t, as TaskTiger's]
    #[arg(long, global = true, help_heading = COMMON, env = "MARGAY_PREFIX", value_name = "PREFIX")]
    pub prefix: Option<String>,
    /// Settings [default: margay.toml, where there is one]
    #[arg(long, global = true, help_heading = COMMON, env = "MARGAY_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON for programs in place of text for people
    #[arg(long, global = true, help_heading = COMMON)]
    pub json: bool,
    /// Which log messages to show: a level, or filters such as `info,margay::guest=debug` [default: info]
    #[arg(long, global = true, help_heading = COMMON, env = "MARGAY_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// How to write log messages [default: text on a terminal, json elsewhere]
    #[arg(long, global = true, help_heading = COMMON, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run a private Redis and a worker here, until Ctrl-C
    ///
    /// The Redis is this command's own: --redis and MARGAY_REDIS do not matter to it.
    Dev(Dev),
    /// Run a worker, until Ctrl-C or SIGTERM
    ///
    /// When it is asked to stop it claims nothing more, lets running tasks finish for --shutdown-grace, and
    /// puts the rest back into their queues at once.
    Worker(Worker),
    /// Make a task project that builds
    New(New),
    /// Compile a task project to a checked component, and print its functions
    Build(Build),
    /// Run one function of a component once, here, without Redis
    Run(Run),
    /// Make a component the current version of a module; running workers pick it up between two tasks
    Deploy(Deploy),
    /// What is deployed
    #[command(subcommand)]
    Modules(Modules),
    /// Enqueue a task, or many, and print the ids
    Enqueue(Box<Enqueue>),
    /// Look at tasks, and repair them
    #[command(subcommand)]
    Tasks(Tasks),
    /// Look at queues
    #[command(subcommand)]
    Queues(Queues),
    /// Look at the keys of the whole Redis database
    #[command(subcommand)]
    Keys(Keys),
    /// Bring the keys of an older TaskTiger up to date
    #[command(subcommand)]
    Migrate(Migrate),
    /// Print completions for a shell
    ///
    /// For example: margay completions bash > /etc/bash_completion.d/margay
    Completions {
        /// Which shell
        shell: Shell,
    },
}

#[derive(Args)]
pub struct Dev {
    /// Where the private Redis keeps its socket and its data
    #[arg(long, default_value = ".margay", value_name = "DIR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub worker: Worker,
}

#[derive(Args, Default)]
pub struct Worker {
    /// Take from these queues and their subqueues only; the most specific name decides
    #[arg(short, long, value_delimiter = ',', value_name = "A,B")]
    pub queues: Vec<String>,
    /// Do not take from these queues and their subqueues
    #[arg(short, long, value_delimiter = ',', value_name = "A,B")]
    pub exclude_queues: Vec<String>,
    /// Tasks that run at once [default: 16 for each core]
    #[arg(short, long, value_name = "N")]
    pub concurrency: Option<usize>,
    /// How many tasks of a queue a batch function gets at once, such as `words=50`; subqueues inherit
    #[arg(long, value_delimiter = ',', value_name = "QUEUE=N", value_parser = batch)]
    pub batch: Vec<(String, usize)>,
    /// How many batches of one queue may run at once, over all workers; a TaskTiger worker counts as one
    #[arg(short = 'M', long, value_name = "N")]
    pub max_workers_per_queue: Option<usize>,
    /// Queues, with their subqueues, of which only one batch may run at once
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub single_worker_queues: Vec<String>,
    /// Promote what is due, take back what vanished workers held, run what is queued, and exit when nothing is
    #[arg(long)]
    pub once: bool,
    /// With --once: so many passes at most, each of which takes one batch of every queue
    #[arg(long, value_name = "N", requires = "once", value_parser = clap::value_parser!(u32).range(1..))]
    pub passes: Option<u32>,
    /// Stop by itself after so long, as if asked to
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub exit_after: Option<Duration>,
    /// Keep the tracebacks of failed runs; this is the default
    #[arg(long, overrides_with = "no_store_tracebacks")]
    pub store_tracebacks: bool,
    /// Do not keep tracebacks
    #[arg(long)]
    pub no_store_tracebacks: bool,
    /// Take back active tasks of TaskTiger's workers too that were not heard of for a minute
    #[arg(long)]
    pub reap: bool,
    /// How long running tasks may go on after a request to stop [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub shutdown_grace: Option<Duration>,
}

#[derive(Args)]
pub struct New {
    /// The project's name and its module's: lower-case letters, digits, `_` and `-`
    pub name: String,
}

#[derive(Args)]
pub struct Build {
    /// The project's folder
    #[arg(default_value = ".")]
    pub path: PathBuf,
}

#[derive(Args)]
pub struct Run {
    /// The component, a .wasm file
    pub component: PathBuf,
    /// The function, with or without its module
    pub function: String,
    /// Positional arguments: a JSON array
    #[arg(default_value = "[]")]
    pub args: String,
    /// Named arguments: a JSON object
    #[arg(long, default_value = "{}", value_name = "JSON")]
    pub kwargs: String,
    /// The longest the run may take [default: the function's own, else 300s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub hard_timeout: Option<Duration>,
    /// How much it may compute, in units of fuel
    #[arg(long, value_name = "UNITS")]
    pub fuel: Option<u64>,
    /// Let it read a directory: the host's path, a colon, and the path it sees
    #[arg(long = "dir", value_name = "HOST:GUEST")]
    pub directories: Vec<String>,
    /// Let it read and write a directory
    #[arg(long = "writable-dir", value_name = "HOST:GUEST")]
    pub writable_directories: Vec<String>,
}

#[derive(Args)]
pub struct Deploy {
    /// The component, a .wasm file
    pub component: PathBuf,
    /// The module's name [default: the file's name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

#[derive(Subcommand)]
pub enum Modules {
    /// List the modules with their current versions
    List,
    /// Show one module: its functions and their options, and its versions
    Show {
        /// The module
        name: String,
    },
}

#[derive(Args)]
pub struct Enqueue {
    /// What to call: module:function
    #[arg(required_unless_present = "bulk", conflicts_with = "bulk")]
    pub function: Option<String>,
    /// Positional arguments: a JSON array
    #[arg(conflicts_with = "bulk")]
    pub args: Option<String>,
    /// Named arguments: a JSON object
    #[arg(long, value_name = "JSON", conflicts_with = "bulk")]
    pub kwargs: Option<String>,
    /// Enqueue one task for each line of a file, or of standard input where it is `-`
    ///
    /// A line is a JSON object with `func` and, as wanted, `args`, `kwargs`, `queue`, `in`, `at`, `unique`,
    /// `unique_key`, `lock`, `lock_key`, `max_queue_size`, `retry`, `retry_on`, `hard_timeout`,
    /// `max_stored_executions`; values as on the command line. Nothing is enqueued unless every line is good.
    #[arg(long, value_name = "FILE")]
    pub bulk: Option<PathBuf>,
    #[command(flatten)]
    pub options: TaskOptions,
    /// Wait until the task has ended and print its result; exit with 1 if it failed
    #[arg(long)]
    pub wait: bool,
}

/// A task's options. For a bulk they hold for every line that does not say otherwise.
#[derive(Args, Clone)]
pub struct TaskOptions {
    /// Which queue [default: the function's own, else `default`]
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<String>,
    /// Make it due so much later, such as 5m
    #[arg(long = "in", value_name = "DURATION", value_parser = duration, conflicts_with = "at")]
    pub delay: Option<Duration>,
    /// Make it due at this time: RFC 3339, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub at: Option<f64>,
    /// Queue it once: a task of the same function with the same arguments that waits already is this one
    #[arg(long)]
    pub unique: bool,
    /// The same, but only these named arguments count
    #[arg(long, value_delimiter = ',', value_name = "NAME,..")]
    pub unique_key: Vec<String>,
    /// Retry failures: fixed:DELAY:MAX, linear:DELAY:INCREMENT:MAX or exponential:DELAY:FACTOR:MAX
    #[arg(long, value_name = "METHOD")]
    pub retry: Option<RetryMethod>,
    /// Retry only these kinds of failure
    #[arg(long, value_delimiter = ',', value_name = "KIND,..")]
    pub retry_on: Vec<String>,
    /// The longest a run may take [default: the function's own, else 300s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub hard_timeout: Option<Duration>,
    /// Run it only while no other task of the same function with the same arguments runs
    #[arg(long)]
    pub lock: bool,
    /// The same, but only these named arguments count
    #[arg(long, value_delimiter = ',', value_name = "NAME,..")]
    pub lock_key: Vec<String>,
    /// Refuse it if the queue has so many tasks already that wait or run [default: the function's own]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_queue_size: Option<u32>,
    /// How many failed executions to keep
    #[arg(long, value_name = "N")]
    pub max_stored_executions: Option<u32>,
}

#[derive(Subcommand)]
pub enum Tasks {
    /// List the tasks of a queue
    List {
        /// The queue
        queue: String,
        /// Only those in this state: queued, active, scheduled or error
        #[arg(long, value_name = "STATE")]
        state: Option<State>,
        /// How many of each state at most
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
        /// How many to leave out at the beginning
        #[arg(long, default_value_t = 0, value_name = "N")]
        skip: usize,
        /// The newest first
        #[arg(long)]
        newest: bool,
        /// The oldest first, as without being asked
        #[arg(long, conflicts_with = "newest")]
        oldest: bool,
        /// How many failed executions of each task to show
        #[arg(long, default_value_t = 0, value_name = "N")]
        executions: usize,
    },
    /// Show one task, wherever it is, with its failed executions
    Show {
        /// The task's id
        id: String,
        /// How many executions at most
        #[arg(long, default_value_t = 10, value_name = "N")]
        executions: usize,
    },
    /// Delete tasks that wait for their time
    Cancel {
        /// The tasks' ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Change when scheduled tasks are due
    Reschedule {
        /// The tasks' ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        #[command(flatten)]
        when: When,
    },
    /// Put failed tasks back into their queues: those with these ids, or all that have something in common
    ///
    /// For example: margay tasks retry --queue mail --kind smtp --dry-run
    Retry {
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Delete tasks that do not run: those with these ids, or all that have something in common
    ///
    /// For example: margay tasks delete --function mail:send --older-than 7d --dry-run
    Delete {
        #[command(flatten)]
        chosen: Chosen,
        /// Which state's tasks are chosen from: queued, scheduled or error [default: error]
        #[arg(long, value_name = "STATE")]
        state: Option<State>,
    },
    /// Delete old failed tasks, the oldest first
    Purge {
        #[command(flatten)]
        range: Range,
        /// How many at most
        #[arg(long, default_value_t = PURGED, value_name = "N")]
        limit: NonZeroUsize,
    },
}

/// Another time, given in one of two ways.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct When {
    /// Make them due so much later than now, such as 5m
    #[arg(long = "in", value_name = "DURATION", value_parser = duration)]
    pub delay: Option<Duration>,
    /// Make them due at this time: RFC 3339, such as 2026-01-31T12:00:00Z; at once, where it is past
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub at: Option<f64>,
}

/// How many tasks a purge deletes at most: TaskTiger's limit.
const PURGED: NonZeroUsize = NonZeroUsize::new(5000).expect("not zero");

/// Tasks by their ids, or by what they have in common.
#[derive(Args)]
pub struct Chosen {
    /// The tasks' ids; without any, the options say which
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    #[command(flatten)]
    pub range: Range,
    /// Only calls of this: module:function, or a module with all its functions
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
    /// Only those whose last failure has this name, such as smtp or margay:Trapped
    #[arg(long, value_name = "NAME")]
    pub kind: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroUsize>,
    /// All there are, where nothing else says which
    #[arg(long)]
    pub all: bool,
}

/// Tasks by their place and age.
#[derive(Args)]
pub struct Range {
    /// Only in these queues and their subqueues; the most specific name decides
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub queue: Vec<String>,
    /// Not in these queues and their subqueues
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub exclude_queue: Vec<String>,
    /// Only those that failed so long ago, such as 7d; of others, that were queued or due so long ago
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub older_than: Option<Duration>,
    /// Only say how many there are
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Subcommand)]
pub enum Queues {
    /// List the queues that have tasks, with their counts by state
    List {
        /// By what: name, queued (the most first), or oldest (whose oldest task waits the longest)
        #[arg(long, value_enum, default_value_t = QueueOrder::Name, value_name = "BY", hide_possible_values = true)]
        sort: QueueOrder,
    },
    /// Let nobody claim from queues for a while; what runs goes on
    ///
    /// Margay's workers honour it always, TaskTiger's where they limit how many work on a queue.
    Lock {
        /// The queues, each by its full name: subqueues have locks of their own
        #[arg(required = true)]
        queues: Vec<String>,
        /// For how long
        #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
        length: Duration,
    },
    /// Open locked queues again, now
    Unlock {
        /// The queues
        #[arg(required = true)]
        queues: Vec<String>,
    },
    /// Lock queues until they are resumed
    Pause {
        /// The queues, each by its full name: subqueues have locks of their own
        #[arg(required = true)]
        queues: Vec<String>,
    },
    /// Open paused queues again
    Resume {
        /// The queues
        #[arg(required = true)]
        queues: Vec<String>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum QueueOrder {
    Name,
    Queued,
    Oldest,
}

#[derive(Subcommand)]
pub enum Keys {
    /// Report the keys of the whole database, whosever they are, and set or remove expiries
    ///
    /// A line has a key's name, type, seconds to live (-1 for ever), new seconds to live (- where
    /// they stay) and size: bytes of a string, members of a collection, -1 where the type is not
    /// known. A key may come twice. Ctrl-C ends the walk between two steps.
    ///
    /// For example, what old locks of TaskTiger's are left, and then to let them go in five minutes:
    ///   margay keys scan --match 't:lock:*' --print
    ///   margay keys scan --match 't:lock:*' --ttl 5m
    #[command(verbatim_doc_comment)]
    Scan(Scan),
}

#[derive(Args)]
pub struct Scan {
    /// Only keys whose whole names match this pattern, such as 't:lock:*'
    #[arg(long = "match", value_name = "GLOB")]
    pub pattern: Option<String>,
    /// Let keys expire after so long that have no expiry, or with `none` (or -1) remove expiries
    ///
    /// A duration such as 5m, or a number of seconds. Needs --match.
    #[arg(long, value_name = "DURATION|none", value_parser = expiry, allow_negative_numbers = true, requires = "pattern")]
    pub ttl: Option<Expiry>,
    /// Print a line for each key
    #[arg(long)]
    pub print: bool,
    /// Write a line for each key to a file
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How long to let Redis rest between two steps of about a thousand keys: a duration, or a number of seconds
    #[arg(long, default_value = "100ms", value_name = "DURATION", value_parser = seconds)]
    pub delay: Duration,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Subcommand)]
pub enum Migrate {
    /// From TaskTiger 0.12 to 0.13: make sure that no old lock is held, and delete what is left of them
    ///
    /// Workers up to 0.12 and from 0.13 on do not see each other's locks. Before the first of the new kind starts,
    /// no old lock may be held: this command refuses as long as one is, and says how long to wait.
    TasktigerLocks(TasktigerLocks),
    /// From TaskTiger 0.16 to 0.17: count the failed executions of tasks that are older than the count
    ///
    /// Workers may go on meanwhile.
    ExecutionsCount,
}

#[derive(Args)]
#[command(group(ArgGroup::new("how").required(true).args(["live", "downtime"])))]
pub struct TasktigerLocks {
    /// Workers run, of the version between the two that takes both kinds of lock
    #[arg(long)]
    pub live: bool,
    /// All workers have been stopped; refuses also while tasks are active or a Margay worker is present
    #[arg(long)]
    pub downtime: bool,
    /// Keep looking until nothing is in the way that time or a worker's end removes
    #[arg(long)]
    pub wait: bool,
    /// Treat locks as expired that have no end, or a value that is no time
    #[arg(long)]
    pub force: bool,
    /// How young a heartbeat must be to show that a task's worker lives: TaskTiger's ACTIVE_TASK_UPDATE_TIMEOUT
    #[arg(long, default_value = "60s", value_name = "DURATION", value_parser = seconds, conflicts_with = "live")]
    pub active_timeout: Duration,
    /// Say what would be deleted, and delete nothing
    #[arg(long)]
    pub dry_run: bool,
}
