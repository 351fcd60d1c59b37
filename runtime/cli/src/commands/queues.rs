//! `margay queues`.

use anyhow::Result;
use queue::QueueCounts;
use serde::{Serialize, Serializer};

use super::connect;
use crate::args::{Common, QueueOrder, Queues};
use crate::print;

pub async fn run(common: &Common, verb: Queues) -> Result<()> {
    match verb {
        Queues::List { sort } => list(common, sort).await,
    }
}

async fn list(common: &Common, sort: QueueOrder) -> Result<()> {
    let queues = Sorted::by(sort, connect(common).await?.queues().await?);
    if common.json {
        return print::json(&queues);
    }
    let mut table = print::table(["QUEUE", "QUEUED", "ACTIVE", "SCHEDULED", "ERROR", "OLDEST QUEUED"]);
    for (name, counts) in queues.0 {
        let numbers = [counts.queued, counts.active, counts.scheduled, counts.error].map(|n| n.to_string());
        let oldest = counts.oldest_queued.map(print::ago).unwrap_or_default();
        table.add_row([[name].as_slice(), numbers.as_slice(), [oldest].as_slice()].concat());
    }
    print::line(table);
    Ok(())
}

/// Queues in the order in which they are printed; as JSON, an object in this order.
struct Sorted(Vec<(String, QueueCounts)>);

impl Sorted {
    fn by(order: QueueOrder, queues: impl IntoIterator<Item = (String, QueueCounts)>) -> Sorted {
        let mut queues: Vec<_> = queues.into_iter().collect();
        let waits_since = |counts: &QueueCounts| counts.oldest_queued.unwrap_or(f64::INFINITY);
        // Sorting is stable: equals stay in the order of their names.
        match order {
            QueueOrder::Name => {}
            QueueOrder::Queued => queues.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.queued)),
            QueueOrder::Oldest => {
                queues.sort_by(|(_, one), (_, other)| waits_since(one).total_cmp(&waits_since(other)));
            }
        }
        Sorted(queues)
    }
}

impl Serialize for Sorted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, counts)| (name, counts)))
    }
}
