//! `margay queues`.

use anyhow::Result;

use super::connect;
use crate::args::{Common, Queues};
use crate::print;

pub async fn run(common: &Common, verb: Queues) -> Result<()> {
    let Queues::List = verb;
    let queues = connect(common).await?.queues().await?;
    if common.json {
        return print::json(&queues);
    }
    let mut table = print::table(["QUEUE", "QUEUED", "ACTIVE", "SCHEDULED", "ERROR", "OLDEST QUEUED"]);
    for (name, counts) in queues {
        let numbers = [counts.queued, counts.active, counts.scheduled, counts.error].map(|n| n.to_string());
        let oldest = counts.oldest_queued.map(print::ago).unwrap_or_default();
        table.add_row([[name].as_slice(), numbers.as_slice(), [oldest].as_slice()].concat());
    }
    print::line(table);
    Ok(())
}
