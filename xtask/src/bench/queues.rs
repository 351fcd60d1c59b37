//! Many queues: the same tasks, in a few queues and in very many.

use anyhow::Result;
use queue::NewTask;

use super::Arguments;
use super::figures::Figures;
use super::system::{Drains, QUEUE, System, many};

const FEW: usize = 10;

pub async fn measure(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let system = System::start(arguments).await?;
    let (mut few, mut most) = (Drains::default(), Drains::default());
    for _ in 0..arguments.rounds {
        few.add(system.drain(spread(&system, arguments.tasks, FEW)?, &[]).await?);
        most.add(system.drain(spread(&system, arguments.tasks, arguments.queues)?, &[]).await?);
    }
    for (drains, queues) in [(&few, FEW), (&most, arguments.queues)] {
        let what = format!("drain of {queues} queues");
        drains.note_rate(figures, &what, "");
        drains.note_scripts(figures, &what, "");
    }
    most.note_share_of(&few, figures, &format!("rate: {} queues beside {FEW}", arguments.queues), ">= 80");
    Ok(())
}

/// So many tasks in so many subqueues.
fn spread(system: &System, tasks: usize, queues: usize) -> Result<Vec<NewTask>> {
    let place = |n| format!("{QUEUE}.{}", n * queues / tasks);
    many(tasks, |n| system.noop().queue(place(n)).build())
}
