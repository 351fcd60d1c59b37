//! `margay queues`.

use std::collections::BTreeMap;

use anyhow::Result;
use queue::{QueueCounts, Rate, UNTIL_UNLOCKED};
use serde::{Serialize, Serializer};
use serde_json::json;
use task::{Timestamp, check_queue_name};

use super::connect;
use crate::args::{Common, QueueOrder, Queues};
use crate::{print, usage};

pub async fn run(common: &Common, verb: Queues) -> Result<()> {
    match verb {
        Queues::List { sort } => list(common, sort).await,
        Queues::Lock { queues, length } => lock(common, &queues, queue::now() + length.as_secs_f64()).await,
        Queues::Pause { queues } => lock(common, &queues, UNTIL_UNLOCKED).await,
        Queues::Unlock { queues } | Queues::Resume { queues } => unlock(common, &queues).await,
    }
}

async fn lock(common: &Common, queues: &[String], until: Timestamp) -> Result<()> {
    check(queues)?;
    let client = connect(common).await?;
    for queue in queues {
        client.lock_queue(queue, until, queue::now()).await?;
    }
    report(common, queues.iter().map(|queue| (queue, Some(until))))
}

async fn unlock(common: &Common, queues: &[String]) -> Result<()> {
    check(queues)?;
    let client = connect(common).await?;
    for queue in queues {
        if !client.unlock_queue(queue, queue::now()).await? {
            eprintln!("note: `{queue}` was open already");
        }
    }
    report(common, queues.iter().map(|queue| (queue, None)))
}

fn check(queues: &[String]) -> Result<()> {
    queues.iter().try_for_each(|queue| check_queue_name(queue).map_err(|error| usage(error.to_string())))
}

fn report<'a>(common: &Common, queues: impl Iterator<Item = (&'a String, Option<Timestamp>)>) -> Result<()> {
    if common.json {
        let queues = queues.map(|(queue, until)| json!({ "queue": queue, "locked_until": until }));
        return print::json(&queues.collect::<Vec<_>>());
    }
    for (queue, until) in queues {
        print::line(match until {
            None => format!("`{queue}` is open"),
            Some(until) if until >= UNTIL_UNLOCKED => {
                format!("`{queue}` is paused until `margay queues resume {queue}`")
            }
            Some(until) => format!("`{queue}` is locked until {}", print::time(until)),
        });
    }
    Ok(())
}

async fn list(common: &Common, sort: QueueOrder) -> Result<()> {
    let client = connect(common).await?;
    let mut queues: BTreeMap<String, Shown> =
        client.queues().await?.into_iter().map(|(name, counts)| (name, Shown::of(counts))).collect();
    for (name, rate) in client.rates().await? {
        queues.entry(name).or_default().rate = Some(rate);
    }
    for (name, _) in client.locked_queues(queue::now()).await? {
        queues.entry(name).or_default();
    }
    let names: Vec<String> = queues.keys().cloned().collect();
    let locks = client.queue_locks(&names, queue::now()).await?;
    for (shown, locked_until) in queues.values_mut().zip(locks) {
        shown.locked_until = locked_until;
    }
    let queues = Sorted::by(sort, queues);
    if common.json {
        return print::json(&queues);
    }
    let headings =
        ["QUEUE", "QUEUED", "ACTIVE", "SCHEDULED", "ERROR", "DONE/S", "FAILED/S", "OLDEST QUEUED", ""];
    let mut table = print::table(headings);
    for (name, shown) in queues.0 {
        table.add_row(shown.row(name));
    }
    print::line(table);
    Ok(())
}

/// What is shown of a queue.
#[derive(Default, Serialize)]
struct Shown {
    #[serde(flatten)]
    counts: QueueCounts,
    /// Tasks that ended each second, in the last ten seconds or so, as far as workers of ours ran them.
    rate: Option<Rate>,
    locked_until: Option<Timestamp>,
}

impl Shown {
    fn of(counts: QueueCounts) -> Shown {
        Shown { counts, ..Shown::default() }
    }

    fn row(&self, name: String) -> Vec<String> {
        let counts = &self.counts;
        let mut row = vec![name];
        row.extend([counts.queued, counts.active, counts.scheduled, counts.error].map(|n| n.to_string()));
        let rates = self.rate.map(|rate| [rate.done, rate.failed].map(|rate| format!("{rate:.1}")));
        row.extend(rates.unwrap_or_default());
        row.push(counts.oldest_queued.map(print::ago).unwrap_or_default());
        row.push(match self.locked_until {
            Some(until) if until >= UNTIL_UNLOCKED => "paused".to_owned(),
            Some(until) => format!("locked until {}", print::time(until)),
            None => String::new(),
        });
        row
    }
}

/// Queues in the order in which they are printed; as JSON, an object in this order.
struct Sorted(Vec<(String, Shown)>);

impl Sorted {
    fn by(order: QueueOrder, queues: impl IntoIterator<Item = (String, Shown)>) -> Sorted {
        let mut queues: Vec<_> = queues.into_iter().collect();
        let waits_since = |shown: &Shown| shown.counts.oldest_queued.unwrap_or(f64::INFINITY);
        // Sorting is stable: equals stay in the order of their names.
        match order {
            QueueOrder::Name => {}
            QueueOrder::Queued => queues.sort_by_key(|(_, shown)| std::cmp::Reverse(shown.counts.queued)),
            QueueOrder::Oldest => {
                queues.sort_by(|(_, one), (_, other)| waits_since(one).total_cmp(&waits_since(other)));
            }
        }
        Sorted(queues)
    }
}

impl Serialize for Sorted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, shown)| (name, shown)))
    }
}
