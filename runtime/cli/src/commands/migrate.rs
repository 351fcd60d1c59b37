//! `margay migrate`.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use indicatif::ProgressBar;
use queue::{ActiveTasks, Cleared, Client, Incarnation, OldLock, OldLocks, Presence, Until};
use serde_json::{Value, json};

use super::connect;
use crate::args::{Common, Migrate, TasktigerLocks};
use crate::print;

pub async fn run(common: &Common, verb: Migrate) -> Result<ExitCode> {
    let client = connect(common).await?;
    match verb {
        Migrate::TasktigerLocks(flags) => tasktiger_locks(common, &client, &flags).await,
        Migrate::ExecutionsCount => {
            executions_count(common, &client).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn tasktiger_locks(common: &Common, client: &Client, flags: &TasktigerLocks) -> Result<ExitCode> {
    let look = if flags.wait { wait(client, flags).await? } else { Look::take(client, flags).await? };
    let mut cleared = Cleared::default();
    if look.is_clear() && !flags.dry_run {
        cleared = client.clear_old_locks(queue::now(), flags.force).await?;
    }
    if common.json {
        print::json(&look.as_json(flags, cleared))?;
    } else {
        look.say(flags, cleared);
    }
    let done = look.is_clear() && cleared.taken == 0;
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The longest pause between two looks: a lock may be released long before its time.
const LONGEST_PAUSE: f64 = 3.0;
/// The shortest: a lock whose time is up this very moment must not make a busy loop.
const SHORTEST_PAUSE: f64 = 0.1;

/// Looks until nothing is in the way that goes by itself.
async fn wait(client: &Client, flags: &TasktigerLocks) -> Result<Look> {
    let progress =
        if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    loop {
        let look = Look::take(client, flags).await?;
        if look.is_clear() || look.locks.undecided_total > 0 {
            progress.finish_and_clear();
            return Ok(look);
        }
        progress.set_message(format!("waiting: {}", look.obstacles(flags).join("; ")));
        progress.tick();
        let pause = look.longest_wait(flags).unwrap_or(LONGEST_PAUSE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        tokio::time::sleep(Duration::from_secs_f64(pause)).await;
    }
}

/// What is in the way of a migration, at one time.
struct Look {
    now: f64,
    locks: OldLocks,
    active: ActiveTasks,
    workers: Vec<(Incarnation, Option<Presence>)>,
}

impl Look {
    async fn take(client: &Client, flags: &TasktigerLocks) -> Result<Look> {
        let now = queue::now();
        let locks = client.old_locks(now, flags.force).await?;
        if flags.live {
            return Ok(Look { now, locks, active: ActiveTasks::default(), workers: Vec::new() });
        }
        let active = client.active_since(now - flags.active_timeout.as_secs_f64()).await?;
        Ok(Look { now, locks, active, workers: client.present_workers().await? })
    }

    fn is_clear(&self) -> bool {
        let OldLocks { held, undecided_total, .. } = self.locks;
        held == 0 && undecided_total == 0 && self.active.count == 0 && self.workers.is_empty()
    }

    /// How many seconds it takes at least until the last lock has ended and the last heartbeat is old.
    fn longest_wait(&self, flags: &TasktigerLocks) -> Option<f64> {
        let locks = self.locks.last_end.map(|end| end - self.now);
        let active = self.active.last_heartbeat.map(|last| self.grace(last, flags));
        [locks, active].into_iter().flatten().reduce(f64::max)
    }

    fn grace(&self, last_heartbeat: f64, flags: &TasktigerLocks) -> f64 {
        last_heartbeat + flags.active_timeout.as_secs_f64() - self.now
    }

    /// What is in the way and may go by itself, in words.
    fn obstacles(&self, flags: &TasktigerLocks) -> Vec<String> {
        let mut obstacles = Vec::new();
        let OldLocks { held, last_end, .. } = self.locks;
        if held > 0 {
            let left = print::wait(last_end.unwrap_or(self.now) - self.now);
            obstacles.push(format!(
                "{} held, {left} at the longest",
                counted(held, "old lock is", "old locks are")
            ));
        }
        let ActiveTasks { count, last_heartbeat } = self.active;
        if count > 0 {
            let tasks = counted(count, "task is", "tasks are");
            let left = print::wait(self.grace(last_heartbeat.unwrap_or(self.now), flags));
            obstacles.push(format!("{tasks} active, for {left} more unless its worker is heard of again"));
        }
        for (incarnation, about) in &self.workers {
            let place = about.as_ref().map(|about| format!(" (process {} on {})", about.pid, about.host));
            obstacles
                .push(format!("the Margay worker {incarnation}{} is present", place.unwrap_or_default()));
        }
        obstacles
    }

    fn say(&self, flags: &TasktigerLocks, cleared: Cleared) {
        for obstacle in self.obstacles(flags) {
            eprintln!("error: {obstacle}");
        }
        for lock in &self.locks.undecided {
            eprintln!("error: {}", undecided(lock));
        }
        let unnamed = self.locks.undecided_total - self.locks.undecided.len() as u64;
        if unnamed > 0 {
            eprintln!("error: {unnamed} more old locks are like these");
        }
        if self.locks.undecided_total > 0 {
            eprintln!(
                "if no task holds these locks any more, repeat with --force, which treats them as expired"
            );
        }
        if let Some(wait) = self.longest_wait(flags) {
            let wait = print::wait(wait);
            eprintln!("wait {wait} and try again, or use --wait; what is renewed meanwhile takes longer");
        }
        if !self.workers.is_empty() {
            eprintln!("stop all workers first, or use --live with workers that take both kinds of lock");
        }
        if self.is_clear() {
            self.say_cleared(flags, cleared);
        }
    }

    fn say_cleared(&self, flags: &TasktigerLocks, cleared: Cleared) {
        let Cleared { deleted, taken } = cleared;
        let locks = |number| counted(number, "expired lock", "expired locks");
        match (flags.dry_run, self.locks.expired) {
            (true, 0) => print::line("no old lock is left; there is nothing to delete"),
            (true, expired) => print::line(format!("{} would be deleted", locks(expired))),
            (false, _) if deleted == 0 && taken == 0 => print::line("no old lock is left"),
            (false, _) => print::line(format!("{} deleted", locks(deleted))),
        }
        if taken > 0 {
            let locks = counted(taken, "old lock was", "old locks were");
            eprintln!("error: {locks} taken meanwhile by workers that still use them; try again");
        }
    }

    fn as_json(&self, flags: &TasktigerLocks, cleared: Cleared) -> Value {
        let lock =
            |lock: &OldLock| json!({ "key": print::name(&lock.key), "value": print::name(&lock.value) });
        let worker = |(incarnation, about): &(Incarnation, Option<Presence>)| json!({ "incarnation": incarnation.as_str(), "about": about });
        json!({
            "clear": self.is_clear() && cleared.taken == 0,
            "held": self.locks.held,
            "undecided": self.locks.undecided.iter().map(lock).collect::<Vec<_>>(),
            "undecided_total": self.locks.undecided_total,
            "active": self.active.count,
            "workers": self.workers.iter().map(worker).collect::<Vec<_>>(),
            "wait_seconds": self.longest_wait(flags).map(|wait| wait.ceil().max(1.0) as u64),
            "expired": self.locks.expired,
            "deleted": cleared.deleted,
            "taken": cleared.taken,
        })
    }
}

fn undecided(lock: &OldLock) -> String {
    let (key, value) = (print::name(&lock.key), print::name(&lock.value));
    match lock.until() {
        Until::Unknown => format!("the old lock `{key}` has the value `{value}`, which is no time"),
        Until::Forever | Until::Time(_) => format!("the old lock `{key}` has no end: its value is `{value}`"),
    }
}

/// A number with its noun.
fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

async fn executions_count(common: &Common, client: &Client) -> Result<()> {
    let counted = client.count_executions().await?;
    if common.json {
        return print::json(&json!({ "tasks": counted.tasks, "changed": counted.raised }));
    }
    print::line(format!(
        "{} tasks with executions looked at, {} counts changed",
        counted.tasks, counted.raised
    ));
    Ok(())
}
