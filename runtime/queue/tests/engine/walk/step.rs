//! The steps of a walk, each with everything that is needed to take it, and as one line of text.

use std::fmt;

use queue::{Incarnation, Lease, Lock, NewTask, Place, Running, Seat, Settlement, State};
use task::{Filter, Verdict};

use crate::walk::model::Wanted;

#[derive(Clone, Debug)]
pub enum Step {
    Pass { seconds: f64 },
    Enqueue(Vec<NewTask>),
    Plan(Vec<NewTask>, Running),
    Replan(Vec<NewTask>),
    Claim { worker: Incarnation, wanted: Vec<Wanted>, batches: usize, due_again: f64 },
    Lock { worker: Incarnation, wanted: Vec<(Lock, Lease)>, due: f64, twice: bool },
    Heartbeat { worker: Incarnation, leases: Vec<Lease>, locks: Vec<Lock>, seats: Vec<Seat>, twice: bool },
    Settle { worker: Incarnation, settlements: Vec<Settlement> },
    Release { locks: Vec<Lock>, seats: Vec<Seat> },
    Promote { queues: Vec<String> },
    Leave { worker: Incarnation },
    Vanish { worker: Incarnation },
    Reclaim { finder: Incarnation },
    Expire { before: f64, most: usize },
    Retry(Vec<Place>),
    Delete(Vec<Place>),
    Cancel(Place),
    Reschedule(Place, f64),
    Purge { queues: Filter, before: f64, limit: usize },
    Select { state: State, queues: Filter, before: f64, limit: usize },
    LockQueue { queue: String, until: f64 },
    UnlockQueue { queue: String },
    LosePayload { id: String },
}

impl Step {
    /// Its name in the summary.
    pub fn name(&self) -> &'static str {
        match self {
            Step::Pass { .. } => "pass",
            Step::Enqueue(_) => "enqueue",
            Step::Plan(..) => "plan",
            Step::Replan(_) => "replan",
            Step::Claim { .. } => "claim",
            Step::Lock { .. } => "lock",
            Step::Heartbeat { .. } => "heartbeat",
            Step::Settle { .. } => "settle",
            Step::Release { .. } => "release",
            Step::Promote { .. } => "promote",
            Step::Leave { .. } => "leave",
            Step::Vanish { .. } => "vanish",
            Step::Reclaim { .. } => "reclaim",
            Step::Expire { .. } => "expire",
            Step::Retry(_) => "retry",
            Step::Delete(_) => "delete",
            Step::Cancel(_) => "cancel",
            Step::Reschedule(..) => "reschedule",
            Step::Purge { .. } => "purge",
            Step::Select { .. } => "select",
            Step::LockQueue { .. } => "lock_queue",
            Step::UnlockQueue { .. } => "unlock_queue",
            Step::LosePayload { .. } => "lose a payload",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<16}", self.name())?;
        match self {
            Step::Pass { seconds } => write!(f, "{seconds} s"),
            Step::Enqueue(tasks) | Step::Replan(tasks) => f.write_str(&list(tasks, new_task)),
            Step::Plan(tasks, running) => write!(f, "{} {running:?}", list(tasks, new_task)),
            Step::Claim { worker, wanted, batches, due_again } => {
                let from = |w: &Wanted| format!("{} seats {:?} batch {}", w.queue, w.seats, w.batch);
                write!(f, "{worker} {batches} of {}, due again {due_again}", list(wanted, from))
            }
            Step::Lock { worker, wanted, due, twice } => {
                let one = |(its, held): &(Lock, Lease)| format!("{} for {}", lock(its), lease(held));
                write!(f, "{worker} {} until {due}{}", list(wanted, one), often(*twice))
            }
            Step::Heartbeat { worker, leases, locks, seats, twice } => {
                let (leases, locks, seats) = (list(leases, lease), list(locks, lock), list(seats, seat));
                write!(f, "{worker} {leases} locks {locks} seats {seats}{}", often(*twice))
            }
            Step::Settle { worker, settlements } => write!(f, "{worker} {}", list(settlements, settlement)),
            Step::Release { locks, seats } => write!(f, "{} {}", list(locks, lock), list(seats, seat)),
            Step::Promote { queues } => write!(f, "{queues:?}"),
            Step::Leave { worker } | Step::Vanish { worker } | Step::Reclaim { finder: worker } => {
                write!(f, "{worker}")
            }
            Step::Expire { before, most } => write!(f, "{most} before {before}"),
            Step::Retry(places) | Step::Delete(places) => f.write_str(&list(places, place)),
            Step::Cancel(its) => f.write_str(&place(its)),
            Step::Reschedule(its, due) => write!(f, "{} to {due}", place(its)),
            Step::Purge { queues, before, limit } => write!(f, "{limit} of {queues:?} before {before}"),
            Step::Select { state, queues, before, limit } => {
                write!(f, "{limit} {state} of {queues:?} before {before}")
            }
            Step::LockQueue { queue, until } => write!(f, "{queue} until {until}"),
            Step::UnlockQueue { queue } => f.write_str(queue),
            Step::LosePayload { id } => f.write_str(id),
        }
    }
}

fn list<T>(items: &[T], one: impl Fn(&T) -> String) -> String {
    format!("[{}]", items.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn often(twice: bool) -> &'static str {
    if twice { ", twice" } else { "" }
}

fn new_task(new: &NewTask) -> String {
    let due = new.due.map_or_else(String::new, |due| format!(" due {due}"));
    let most = new.task.max_queue_size.map_or_else(String::new, |most| format!(" most {most}"));
    format!("{}:{}{due}{most}", new.queue, new.task.id)
}

fn lease(lease: &Lease) -> String {
    format!("{}:{}@{}", lease.queue, lease.id, lease.score)
}

fn lock(lock: &Lock) -> String {
    format!("{} by {}", lock.id, lock.token)
}

fn seat(seat: &Seat) -> String {
    format!("{} of {}", seat.name, seat.queue)
}

fn place(place: &Place) -> String {
    format!("{}:{}:{}@{}", place.state, place.queue, place.id, place.score)
}

fn settlement(settlement: &Settlement) -> String {
    let Settlement { lease: its, verdict, record, follow_ups, lock: held, seat: taken, .. } = settlement;
    let time = match verdict {
        Verdict::Retry { at, .. } | Verdict::Defer { at } | Verdict::Requeue { at: Some(at), .. } => {
            Some(*at)
        }
        Verdict::Leave { queued } => Some(*queued),
        _ => None,
    };
    let parts = [
        time.map(|time| format!(" {time}")),
        record.as_ref().map(|_| " with a record".to_owned()),
        held.as_ref().map(|held| format!(" frees {}", lock(held))),
        taken.as_ref().map(|taken| format!(" leaves {}", seat(taken))),
        (!follow_ups.is_empty()).then(|| format!(" then {}", list(follow_ups, new_task))),
    ];
    format!("{} {}{}", verdict.word(), lease(its), parts.into_iter().flatten().collect::<String>())
}
