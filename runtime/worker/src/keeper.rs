//! The keeper: it holds the leases. It renews them, settles what has ended, and pulls the leash of a run
//! whose lease is lost.
//!
//! Heartbeats and settlements are sent by one task, one after the other: a settlement must prove its lease
//! with the score that the last heartbeat wrote. Whatever ended while one call was under way goes into the
//! next, so that batches grow with the load and nothing waits for a timer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use queue::{Beat, Client, Error, Incarnation, Lease, Lock, Presence, Seat, Settled, Settlement};
use task::{Timestamp, Verdict};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};
use tracing::{debug, error, info, warn};

use crate::Settings;
use crate::leash::{Leash, Pull};
use crate::rates::Rates;
use crate::report::{Reports, TaskFailure};
use crate::stats::Stats;

/// The way to the keeper.
#[derive(Clone)]
pub(crate) struct Keeper {
    inbox: mpsc::UnboundedSender<Message>,
}

enum Message {
    Took(Vec<Held>),
    Ended(Box<Ended>),
    Dropped(Vec<Lock>, Vec<Seat>),
    GiveBackStrays(oneshot::Sender<Result<(), Error>>),
    PullAll,
}

/// A lease, what has to be renewed with it, and the leash of the run that depends on it.
pub(crate) struct Held {
    pub(crate) ticket: u64,
    pub(crate) lease: Lease,
    pub(crate) leash: Arc<Leash>,
    pub(crate) lock: Option<Lock>,
    pub(crate) seat: Option<Seat>,
}

/// A task whose run ended.
pub(crate) struct Ended {
    pub(crate) ticket: u64,
    pub(crate) end: End,
    /// The slot, where it was the last one in it.
    pub(crate) slot: Option<OwnedSemaphorePermit>,
    /// Whom to tell where a follow-up's queue has no room. The task is held on, until it is ended in another way.
    pub(crate) if_full: Option<oneshot::Sender<Returned>>,
}

/// What a task holds whose end could not be settled.
pub(crate) struct Returned {
    pub(crate) lock: Option<Lock>,
    pub(crate) seat: Option<Seat>,
    pub(crate) slot: Option<OwnedSemaphorePermit>,
}

/// A task that has ended, under a lease that may hold.
struct Proved {
    ended: Ended,
    held: Held,
}

/// What becomes of a task, and what is said of it.
pub(crate) struct End {
    pub(crate) settlement: Settlement,
    /// What went wrong, for the log.
    pub(crate) note: Option<String>,
    /// What to report, where the task has failed for good.
    pub(crate) failure: Option<Box<TaskFailure>>,
}

impl Keeper {
    pub(crate) fn took(&self, held: Vec<Held>) {
        self.send(Message::Took(held));
    }

    pub(crate) fn ended(&self, ended: Ended) {
        self.send(Message::Ended(Box::new(ended)));
    }

    /// Runs that will not be settled hold these no more.
    pub(crate) fn dropped(&self, locks: Vec<Lock>, seats: Vec<Seat>) {
        if !(locks.is_empty() && seats.is_empty()) {
            self.send(Message::Dropped(locks, seats));
        }
    }

    /// Stops every run; their tasks go back into their queues.
    pub(crate) fn pull_all(&self) {
        self.send(Message::PullAll);
    }

    /// Puts back what Redis holds for this worker and nobody here knows of. No claim may be under way.
    pub(crate) async fn give_back_strays(&self) -> Result<(), Error> {
        let (answer, done) = oneshot::channel();
        self.send(Message::GiveBackStrays(answer));
        done.await.unwrap_or(Ok(()))
    }

    fn send(&self, message: Message) {
        // The keeper goes last; once it is gone there is nothing left to keep.
        let _ = self.inbox.send(message);
    }
}

/// The keeper's own side.
pub(crate) struct Keeping {
    pub(crate) client: Client,
    pub(crate) worker: Incarnation,
    pub(crate) presence: Presence,
    pub(crate) present: Duration,
    pub(crate) heartbeat: Duration,
    /// For how long locks and seats hold unless they are renewed.
    pub(crate) hold: Duration,
    pub(crate) stats: Arc<Stats>,
    pub(crate) reports: Reports,
    rates: Rates,
    held: HashMap<u64, Held>,
    /// The time of a heartbeat whose answer was lost; the next one repeats it.
    unanswered: Option<Timestamp>,
    inbox: mpsc::UnboundedReceiver<Message>,
}

/// Messages taken at once: a few calls' worth.
const INBOX: usize = 1024;
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(200);

impl Keeping {
    /// A keeper, and the way to it.
    pub(crate) fn new(
        client: Client,
        worker: Incarnation,
        presence: Presence,
        settings: &Settings,
        stats: Arc<Stats>,
        reports: Reports,
    ) -> (Keeper, Keeping) {
        let (sender, inbox) = mpsc::unbounded_channel();
        let keeping = Keeping {
            client,
            worker,
            presence,
            present: settings.presence,
            heartbeat: settings.heartbeat,
            hold: settings.active_timeout,
            stats,
            reports,
            rates: Rates::new(Instant::now()),
            held: HashMap::new(),
            unanswered: None,
            inbox,
        };
        (Keeper { inbox: sender }, keeping)
    }

    /// Makes the worker known. It must be, before it claims anything.
    pub(crate) async fn announce(&mut self) -> Result<(), Error> {
        let beat = self.beat_of(&[], &[], &[], false);
        self.client.heartbeat(&self.worker, beat, queue::now()).await.map(drop)
    }

    /// Keeps until every way to it is gone, then ends the worker's presence.
    pub(crate) async fn run(mut self) {
        let mut presence = every(self.present / 5);
        let mut heartbeat = every(self.heartbeat);
        let mut messages = Vec::with_capacity(INBOX);
        loop {
            tokio::select! {
                received = self.inbox.recv_many(&mut messages, INBOX) => {
                    if received == 0 {
                        break;
                    }
                    self.handle(&mut messages).await;
                }
                _ = heartbeat.tick() => self.beat(true).await,
                _ = presence.tick() => self.beat(false).await,
            }
        }
        if let Err(error) = self.client.leave(&self.worker).await {
            warn!(%error, "could not end the worker's presence; others will take it for vanished");
        }
    }

    async fn handle(&mut self, messages: &mut Vec<Message>) {
        // Before any lease leaves the heartbeat: its score is not known until then.
        self.answer_first().await;
        let mut ended = Vec::new();
        let (mut locks, mut seats) = (Vec::new(), Vec::new());
        for message in messages.drain(..) {
            match message {
                Message::Took(held) => self.held.extend(held.into_iter().map(|held| (held.ticket, held))),
                Message::Ended(one) => match self.prove(*one) {
                    Ok(one) => ended.push(one),
                    Err((lock, seat)) => {
                        locks.extend(lock);
                        seats.extend(seat);
                    }
                },
                Message::Dropped(mut their_locks, mut their_seats) => {
                    locks.append(&mut their_locks);
                    seats.append(&mut their_seats);
                }
                Message::PullAll => self.held.values().for_each(|held| held.leash.pull(Pull::Shutdown)),
                Message::GiveBackStrays(answer) => {
                    // What has ended is not held any more, but is no stray.
                    self.settle(std::mem::take(&mut ended)).await;
                    let done = self.give_back_strays().await;
                    // The fetcher may have been stopped meanwhile.
                    let _ = answer.send(done);
                }
            }
        }
        self.settle(ended).await;
        self.release(&locks, &seats).await;
    }

    /// Gives a settlement its lease as it stands now. Where that was lost, the error is what has to be freed.
    fn prove(&mut self, mut ended: Ended) -> Result<Proved, (Option<Lock>, Option<Seat>)> {
        let Some(held) = self.held.remove(&ended.ticket) else {
            self.stats.count_lost();
            return Err((ended.end.settlement.lock, ended.end.settlement.seat));
        };
        ended.end.settlement.lease.clone_from(&held.lease);
        Ok(Proved { ended, held })
    }

    /// Frees what runs held that will not be settled. Where that fails, it expires.
    async fn release(&self, locks: &[Lock], seats: &[Seat]) {
        if locks.is_empty() && seats.is_empty() {
            return;
        }
        if let Err(error) = self.client.release(locks, seats, queue::now()).await {
            warn!(%error, "could not free locks; they will expire");
        }
    }

    /// Settles what has ended, and says what came of it. The slots are free when that is done; what has to end in
    /// another way is held on, with all it has.
    async fn settle(&mut self, ended: Vec<Proved>) {
        if ended.is_empty() {
            return;
        }
        let (mut settlements, rest): (Vec<Settlement>, Vec<_>) = ended
            .into_iter()
            .map(|Proved { ended: Ended { ticket, end, slot, if_full }, held }| {
                let End { settlement, note, failure } = end;
                (settlement, (ticket, note, failure, slot, if_full.map(|sender| (sender, held))))
            })
            .unzip();
        let settled = self.settle_surely(&mut settlements).await;
        let mut slots = Vec::with_capacity(settled.len());
        for ((settlement, rest), settled) in settlements.into_iter().zip(rest).zip(settled) {
            let (ticket, note, failure, slot, if_full) = rest;
            if let (Some(Settled::QueueFull), Some((sender, held))) = (settled, if_full) {
                self.held.insert(ticket, held);
                let Settlement { lock, seat, .. } = settlement;
                // Where nobody listens any more the worker is about to end, and others find the task.
                let _ = sender.send(Returned { lock, seat, slot });
                continue;
            }
            slots.extend(slot);
            if let Some(settled) = settled {
                self.tell(&settlement, note.as_deref(), settled);
                if let (Some(failure), Settled::Done) = (failure, settled) {
                    self.reports.send(*failure);
                }
            }
        }
    }

    /// Settles all; `None` for what Redis refuses, which must not keep the others from being settled.
    async fn settle_surely(&self, settlements: &mut [Settlement]) -> Vec<Option<Settled>> {
        match self.settle_all(settlements).await {
            Ok(settled) => settled.into_iter().map(Some).collect(),
            Err(_) => self.settle_each(settlements).await,
        }
    }

    /// Settles in one call, and tries for as long as Redis is away. An error is Redis' refusal.
    async fn settle_all(&self, settlements: &mut [Settlement]) -> Result<Vec<Settled>, Error> {
        loop {
            match self.client.settle(&self.worker, settlements, queue::now()).await {
                Err(error) if error.is_connection() => {
                    warn!(%error, tasks = settlements.len(), "could not settle; trying again");
                    sleep(PAUSE_AFTER_ERROR).await;
                }
                answer => return answer,
            }
        }
    }

    /// Settles one by one. What Redis refuses stays active until this worker is gone and another finds it.
    async fn settle_each(&self, settlements: &mut [Settlement]) -> Vec<Option<Settled>> {
        let mut answers = Vec::with_capacity(settlements.len());
        for settlement in settlements {
            let settled = self.settle_all(std::slice::from_mut(settlement)).await;
            if let Err(error) = &settled {
                let Lease { queue, id, .. } = &settlement.lease;
                error!(task_id = id, queue, %error, "Redis refuses to settle this task");
            }
            answers.push(settled.ok().and_then(|settled| settled.first().copied()));
        }
        answers
    }

    fn tell(&mut self, settlement: &Settlement, note: Option<&str>, settled: Settled) {
        let Lease { queue, id, .. } = &settlement.lease;
        if settled != Settled::Done {
            self.stats.count_lost();
            info!(target: "margay::task", task_id = id, queue, "the lease was lost, or held already for an earlier try: nothing was changed");
            return;
        }
        self.stats.count(&settlement.verdict);
        self.rates.count(queue, &settlement.verdict);
        let verdict = settlement.verdict.word();
        match (&settlement.verdict, note) {
            (Verdict::Error { execution } | Verdict::Forget { execution }, note) => {
                let (exception, reason) = (&execution.exception_name, note.unwrap_or_default());
                warn!(target: "margay::task", task_id = id, queue, verdict, exception, "failed: {reason}");
            }
            (_, Some(reason)) => info!(target: "margay::task", task_id = id, queue, verdict, "{reason}"),
            (_, None) => debug!(target: "margay::task", task_id = id, queue, verdict, "settled"),
        }
    }

    /// Renews the presence, and every lease where it is time for that.
    ///
    /// A lost answer must not look like a lost lease: the next heartbeat repeats this one. One that Redis
    /// refuses has changed nothing, and the next tick tries again.
    async fn beat(&mut self, leases: bool) {
        let repeats = self.unanswered.is_some();
        self.send_beat(leases).await;
        if repeats && self.unanswered.is_none() {
            // What the repetition wrote is as old as the outage was long.
            self.send_beat(true).await;
        }
    }

    async fn send_beat(&mut self, leases: bool) {
        let repeated = self.unanswered.is_some();
        let now = self.unanswered.unwrap_or_else(queue::now);
        let all = leases || repeated;
        let (tickets, leases) = if all { self.leases() } else { (Vec::new(), Vec::new()) };
        self.presence.rates.clone_from(self.rates.read(Instant::now()));
        let (locks, seats) = if all { self.locks_and_seats() } else { (Vec::new(), Vec::new()) };
        let beat = self.beat_of(&leases, &locks, &seats, repeated);
        let lost = match self.client.heartbeat(&self.worker, beat, now).await {
            Ok(lost) => lost,
            Err(error) => {
                self.unanswered = (error.is_lost_answer() || repeated).then_some(now);
                return warn!(%error, "could not send a heartbeat; trying again");
            }
        };
        self.unanswered = None;
        for ticket in &tickets {
            if let Some(held) = self.held.get_mut(ticket) {
                held.lease.score = now;
            }
        }
        for held in lost.leases.into_iter().filter_map(|place| self.held.remove(tickets.get(place)?)) {
            lose(&held);
        }
        for lock in lost.locks.into_iter().filter_map(|place| locks.get(place)) {
            // As TaskTiger does: the run goes on, since nothing can undo what it has done already.
            warn!(
                lock = lock.id,
                "a task lock has expired and is somebody else's; is `active_timeout` too short?"
            );
        }
    }

    fn beat_of<'a>(
        &'a self,
        leases: &'a [Lease],
        locks: &'a [Lock],
        seats: &'a [Seat],
        repeated: bool,
    ) -> Beat<'a> {
        let Keeping { presence, present, hold, .. } = self;
        Beat { presence, present: *present, leases, locks, seats, hold: *hold, repeated }
    }

    /// What the runs hold beside their leases.
    fn locks_and_seats(&self) -> (Vec<Lock>, Vec<Seat>) {
        let locks = self.held.values().filter_map(|held| held.lock.clone()).collect();
        (locks, self.held.values().filter_map(|held| held.seat.clone()).collect())
    }

    /// Every lease, each task once. A task that came back to this very worker while its old run goes on is
    /// held twice; only the newer lease can hold.
    fn leases(&mut self) -> (Vec<u64>, Vec<Lease>) {
        let mut newest: HashMap<(&str, &str), u64> = HashMap::with_capacity(self.held.len());
        for (ticket, Held { lease, .. }) in &self.held {
            let known = newest.entry((&lease.queue, &lease.id)).or_insert(*ticket);
            *known = (*known).max(*ticket);
        }
        let tickets: Vec<u64> = newest.into_values().collect();
        let leases = tickets.iter().filter_map(|ticket| Some(self.held.get(ticket)?.lease.clone())).collect();
        if tickets.len() < self.held.len() {
            let kept: HashSet<u64> = tickets.iter().copied().collect();
            let older: Vec<u64> = self.held.keys().copied().filter(|ticket| !kept.contains(ticket)).collect();
            older.into_iter().filter_map(|ticket| self.held.remove(&ticket)).for_each(|held| lose(&held));
        }
        (tickets, leases)
    }

    /// Until the answer to a heartbeat is known, no lease can be proved. Redis is away meanwhile, so nothing
    /// could be settled either.
    async fn answer_first(&mut self) {
        while self.unanswered.is_some() {
            self.beat(true).await;
            if self.unanswered.is_some() {
                sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }

    async fn give_back_strays(&mut self) -> Result<(), Error> {
        let known: HashSet<(&str, &str)> =
            self.held.values().map(|held| (held.lease.queue.as_str(), held.lease.id.as_str())).collect();
        let claims = self.client.claims(&self.worker).await?;
        let strays =
            claims.into_iter().filter(|claim| !known.contains(&(claim.queue.as_str(), claim.id.as_str())));
        let requeue = Verdict::Requeue { at: None, redeliveries: 0 };
        let mut strays: Vec<_> = strays
            .map(|lease| {
                let seat = Seat { queue: lease.queue.clone(), name: self.worker.seat(&lease.id) };
                Settlement { seat: Some(seat), ..Settlement::new(lease, None, requeue.clone()) }
            })
            .collect();
        if !strays.is_empty() {
            warn!(tasks = strays.len(), "gave back tasks whose claim was never answered");
            self.client.settle(&self.worker, &mut strays, queue::now()).await?;
        }
        Ok(())
    }
}

fn lose(held: &Held) {
    warn!(task_id = held.lease.id, queue = held.lease.queue, "the lease is lost; the run is stopped");
    held.leash.pull(Pull::Lost);
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
