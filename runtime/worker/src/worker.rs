//! A worker's life: it makes itself known, works until it is asked to stop, finishes what it can, gives back
//! the rest, and leaves.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use modules::Store;
use queue::{Client, Incarnation, Presence};
use sandbox::Sandbox;
use thiserror::Error;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::Settings;
use crate::absent::Absent;
use crate::agenda::Agenda;
use crate::board::Board;
use crate::execute::Executor;
use crate::fetch::Fetcher;
use crate::job::Handful;
use crate::keeper::{Keeper, Keeping};
use crate::library::Library;
use crate::once::Once;
use crate::report::Reports;
use crate::services::librarian::Librarian;
use crate::services::listener::Listener;
use crate::services::planner::Planner;
use crate::services::promoter::Promoter;
use crate::services::reclaimer::Reclaimer;
use crate::settings::Ends;
use crate::stats::Stats;

/// A worker that has not begun.
pub struct Worker {
    client: Client,
    settings: Settings,
    sandbox: Sandbox,
    incarnation: Incarnation,
    host: String,
}

/// A worker could not start.
#[derive(Debug, Error)]
pub enum Error {
    /// Redis could not do its part.
    #[error(transparent)]
    Queue(#[from] queue::Error),
    /// The modules could not be read.
    #[error(transparent)]
    Modules(#[from] modules::Error),
    /// The sandbox could not be set up.
    #[error("the sandbox could not be set up: {0}")]
    Sandbox(#[from] sandbox::Error),
    /// The system gave no threads.
    #[error("the worker's threads could not be started: {0}")]
    Threads(#[from] std::io::Error),
    /// A part of it panicked.
    #[error("{part} of the worker is gone: {reason}; its tasks are taken back by others")]
    Broken {
        /// Which part.
        part: &'static str,
        /// What it said.
        reason: String,
    },
}

impl Worker {
    /// Sets up the sandbox; nothing is claimed yet.
    pub fn new(client: Client, mut settings: Settings) -> Result<Worker, Error> {
        settings.concurrency = settings.concurrency.clamp(1, MOST_AT_ONCE);
        let slots = u32::try_from(settings.concurrency).unwrap_or(u32::MAX);
        let sandbox = Sandbox::new(sandbox::Settings { slots, fuel: settings.fuel, ..Default::default() })?;
        settings.concurrency = sandbox.slots() as usize;
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        Ok(Worker { client, settings, sandbox, incarnation: Incarnation::fresh(), host })
    }

    /// Works until `stop` is ready, then finishes what it can within the grace and gives back the rest.
    /// `ready` is called when the first task can be claimed.
    pub async fn run(self, stop: impl Future<Output = ()>, ready: impl FnOnce()) -> Result<(), Error> {
        let mut running = self.start().await?;
        info!(worker = %self.incarnation, concurrency = self.settings.concurrency, "ready");
        ready();
        let broken = tokio::select! {
            () = stop => None,
            ended = running.ended() => ended.err(),
        };
        match broken {
            Some(broken @ Error::Broken { .. }) => {
                running.guests.shutdown_background();
                Err(broken)
            }
            ended => {
                running.stop(self.settings.concurrency, self.settings.shutdown_grace).await;
                ended.map_or(Ok(()), Err)
            }
        }
    }

    async fn start(&self) -> Result<Running, Error> {
        let stats = Arc::new(Stats::default());
        let reports = Reports::start(&self.settings.reporters)?;
        let (keeper, mut keeping) = Keeping::new(
            self.client.clone(),
            self.incarnation.clone(),
            self.presence(),
            &self.settings,
            Arc::clone(&stats),
            reports.clone(),
        );
        keeping.announce().await?;
        let (jobs, incoming) = mpsc::unbounded_channel();
        let executor = self.executor(keeper.clone());
        let guests = start_guests(Arc::clone(&executor), incoming)?;
        let mut services = JoinSet::new();
        let panicked = Arc::clone(&executor.panicked);
        let (board, library) =
            match self.start_services(&mut services, executor, guests.handle(), &reports).await {
                Ok(started) => started,
                Err(error) => {
                    // A runtime cannot be dropped where others wait.
                    guests.shutdown_background();
                    return Err(error);
                }
            };
        if !self.settings.stats.is_zero() {
            services.spawn(log_stats(Arc::clone(&stats), self.settings.stats));
        }

        let slots = Arc::new(Semaphore::new(self.settings.concurrency));
        let (stop_fetching, stop) = watch::channel(false);
        let fetcher = Fetcher {
            client: self.client.clone(),
            worker: self.incarnation.clone(),
            settings: self.settings.clone(),
            slots: Arc::clone(&slots),
            board,
            library: library.clone(),
            keeper: keeper.clone(),
            jobs,
            stop,
            next_ticket: 0,
        };
        let keeping = tokio::spawn(keeping.run());
        let fetching = match self.settings.ends {
            Ends::Never => tokio::spawn(fetcher.run()),
            Ends::WhenIdle => tokio::spawn(self.once(fetcher, &library, &reports, None).run()),
            Ends::AfterPasses(n) => tokio::spawn(self.once(fetcher, &library, &reports, Some(n)).run()),
        };
        Ok(Running {
            slots,
            keeper,
            stop_fetching,
            fetching,
            keeping,
            services,
            guests,
            stats,
            reports,
            panicked,
        })
    }

    fn once(
        &self,
        fetcher: Fetcher,
        library: &watch::Receiver<Arc<Library>>,
        reports: &Reports,
        passes: Option<u32>,
    ) -> Once {
        Once {
            client: self.client.clone(),
            filter: self.settings.filter.clone(),
            reclaimer: self.reclaimer(library.clone(), reports.clone()),
            slots: Arc::clone(&fetcher.slots),
            fetcher,
            concurrency: u32::try_from(self.settings.concurrency).unwrap_or(u32::MAX),
            reap: self.settings.reap,
            passes,
        }
    }

    fn presence(&self) -> Presence {
        Presence {
            host: self.host.clone(),
            pid: std::process::id(),
            started: queue::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            concurrency: u32::try_from(self.settings.concurrency).unwrap_or(u32::MAX),
            queues: self.settings.filter.only.clone(),
            rates: BTreeMap::new(),
        }
    }

    fn executor(&self, keeper: Keeper) -> Arc<Executor> {
        Arc::new(Executor {
            client: self.client.clone(),
            settings: self.settings.clone(),
            sandbox: self.sandbox.clone(),
            keeper,
            host: self.host.clone(),
            absent: Absent::default(),
            panicked: Arc::default(),
        })
    }

    async fn start_services(
        &self,
        services: &mut JoinSet<()>,
        executor: Arc<Executor>,
        guests: &Handle,
        reports: &Reports,
    ) -> Result<(Arc<Board>, watch::Receiver<Arc<Library>>), Error> {
        let client = self.client.clone();
        let store = Store::new(client.clone());
        let board = Arc::new(Board::new(self.settings.filter.clone()));
        let agenda = Arc::new(Agenda::default());
        let deploys = Arc::new(Notify::new());
        let (sender, library) = watch::channel(Arc::default());
        let poll = self.settings.poll;

        let mut librarian = Librarian {
            store: store.clone(),
            sandbox: self.sandbox.clone(),
            grants: self.settings.grants.clone(),
            library: sender,
            board: Arc::clone(&board),
            deploys: Arc::clone(&deploys),
            refused: HashSet::new(),
        };
        let listener = Listener {
            client: client.clone(),
            board: Arc::clone(&board),
            agenda: Arc::clone(&agenda),
            deploys,
            poll,
        };
        let activity = listener.start(&store).await?;
        librarian.refresh().await?;

        let planner = Planner {
            client: client.clone(),
            filter: self.settings.filter.clone(),
            default_queue: self.settings.default_queue.clone(),
            library: library.clone(),
            executor,
        };
        // It may have to ask a guest.
        services.spawn_on(planner.run(), guests);
        services.spawn(self.reclaimer(library.clone(), reports.clone()).run());
        services.spawn(Promoter { client, board: Arc::clone(&board), agenda, poll }.run());
        services.spawn(listener.run(activity));
        services.spawn(librarian.run());
        Ok((board, library))
    }

    fn reclaimer(&self, library: watch::Receiver<Arc<Library>>, reports: Reports) -> Reclaimer {
        Reclaimer {
            client: self.client.clone(),
            incarnation: self.incarnation.clone(),
            settings: self.settings.clone(),
            library,
            host: self.host.clone(),
            reports,
        }
    }
}

/// Guests have threads of their own. Every poll looks at both the local and the shared queue of runs and at timers, so
/// that a guest that computes holds nobody up for more than its tick.
fn start_guests(
    executor: Arc<Executor>,
    jobs: mpsc::UnboundedReceiver<Handful>,
) -> Result<Runtime, std::io::Error> {
    let guests = tokio::runtime::Builder::new_multi_thread()
        .thread_name("margay-guests")
        .event_interval(1)
        .global_queue_interval(1)
        .enable_all()
        .build()?;
    guests.spawn(executor.dispatch(jobs));
    Ok(guests)
}

/// A worker at work.
struct Running {
    slots: Arc<Semaphore>,
    keeper: Keeper,
    stop_fetching: watch::Sender<bool>,
    fetching: JoinHandle<Result<(), queue::Error>>,
    keeping: JoinHandle<()>,
    services: JoinSet<()>,
    guests: Runtime,
    stats: Arc<Stats>,
    reports: Reports,
    panicked: Arc<Notify>,
}

impl Running {
    /// Waits until a part is gone. Fetching may have come to its end; nothing else ends by itself, except by a
    /// panic: then nothing can be trusted, and other workers take over.
    async fn ended(&mut self) -> Result<(), Error> {
        let (part, ended) = tokio::select! {
            ended = &mut self.fetching => match ended {
                Ok(done) => return done.map_err(Error::Queue),
                Err(panic) => ("the fetcher", Err(panic)),
            },
            ended = &mut self.keeping => ("the keeper", ended),
            Some(ended) = self.services.join_next() => ("a service", ended),
            () = self.panicked.notified() => {
                let reason = "it panicked; see the log".to_owned();
                return Err(Error::Broken { part: "what runs tasks", reason });
            }
        };
        let reason = ended.map_or_else(|panic| panic.to_string(), |()| "it ended".to_owned());
        Err(Error::Broken { part, reason })
    }

    /// Claims nothing more, finishes what it can, gives back the rest, and leaves. Every step has its time:
    /// without Redis a worker must end too, and what it holds is found by others.
    async fn stop(mut self, concurrency: usize, grace: Duration) {
        self.stop_fetching.send_replace(true);
        info!("stopping: no more tasks are claimed");
        // One that has ended by itself cannot be waited for again.
        if self.fetching.is_finished() || timeout(GIVING_BACK, &mut self.fetching).await.is_ok() {
            wait_for_runs(&self.slots, concurrency, &self.keeper, grace).await;
        }
        self.fetching.abort();
        self.services.shutdown().await;
        // The guests' runtime holds the last ways to the keeper.
        self.guests.shutdown_background();
        drop(self.keeper);
        if timeout(GIVING_BACK, &mut self.keeping).await.is_err() {
            self.keeping.abort();
        }
        self.reports.flush(REPORTING).await;
        self.stats.log("stopped");
    }
}

/// Waits until every slot is free: for the grace, then for as long as it takes to give the rest back.
async fn wait_for_runs(slots: &Semaphore, concurrency: usize, keeper: &Keeper, grace: Duration) {
    let all = u32::try_from(concurrency).unwrap_or(u32::MAX);
    if timeout(grace, slots.acquire_many(all)).await.is_ok() {
        return;
    }
    let left = concurrency - slots.available_permits();
    warn!(tasks = left, grace_ms = grace.as_millis() as u64, "still running; their tasks are given back");
    keeper.pull_all();
    if timeout(GIVING_BACK, slots.acquire_many(all)).await.is_err() {
        warn!("could not give everything back; other workers will find it");
    }
}

/// How many tasks a worker runs at once at most: each run takes address space and mappings.
pub const MOST_AT_ONCE: usize = 10_000;
const GIVING_BACK: Duration = Duration::from_secs(5);
/// How long a worker that stops waits for its last error reports.
const REPORTING: Duration = Duration::from_secs(2);

async fn log_stats(stats: Arc<Stats>, period: Duration) {
    loop {
        tokio::time::sleep(period).await;
        stats.log("stats");
    }
}
