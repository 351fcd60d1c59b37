//! Kinds of tasks: what it costs to be unique, to run under a lock, or in a batch.

use anyhow::Result;

use super::Arguments;
use super::figures::Figures;
use super::system::{Drains, System, many};

/// Tasks of one batch.
const BATCH: usize = 50;

pub async fn measure(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let system = System::start(arguments).await?;
    let n = arguments.tasks;
    let mut plain = Drains::default();
    let (mut unique, mut locked, mut batches) = (Drains::default(), Drains::default(), Drains::default());
    for _ in 0..arguments.rounds {
        plain.add(system.drain(many(n, |n| system.noop().arg(n).build())?, &[]).await?);
        unique.add(system.drain(many(n, |n| system.noop().arg(n).unique().build())?, &[]).await?);
        locked.add(system.drain(many(n, |n| system.noop().arg(n).lock().build())?, &[]).await?);
        let batch = |n| system.client.task("probe:batch").queue("batches").arg(n).build();
        batches.add(system.drain(many(n, batch)?, &["--batch", &format!("batches={BATCH}")]).await?);
    }
    plain.note_rate(figures, "drain, plain tasks", "");
    for (drains, what) in [(unique, "unique tasks"), (locked, "tasks with a lock each")] {
        drains.note_rate(figures, &format!("drain, {what}"), "");
        drains.note_scripts(figures, &format!("drain, {what}"), "");
        drains.note_share_of(&plain, figures, &format!("rate: {what} beside plain ones"), ">= 50");
    }
    let what = format!("drain, batches of {BATCH}");
    batches.note_rate(figures, &what, "");
    batches.note_scripts(figures, &what, "");
    Ok(())
}
