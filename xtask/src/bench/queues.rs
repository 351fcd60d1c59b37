//! Many queues: the same tasks, in a few queues and in very many.

use anyhow::Result;
use queue::NewTask;

use super::Arguments;
use super::figures::Figures;
use super::system::{Drains, QUEUE, System, many};

const FEW: usize = 10;

/// How many tasks each of very many queues has: with one only, nothing is shared, and every task pays for its queue.
const EACH: [usize; 2] = [1, 10];

pub async fn measure(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let system = System::start(arguments).await?;
    let mut few = Drains::default();
    let mut most = EACH.map(|_| Drains::default());
    for _ in 0..arguments.rounds {
        few.add(system.drain(spread(&system, arguments.tasks, FEW)?, &[]).await?);
        for (drains, each) in most.iter_mut().zip(EACH) {
            let tasks = spread(&system, each * arguments.queues, arguments.queues)?;
            drains.add(system.drain(tasks, &[]).await?);
        }
    }
    few.note_rate(figures, &format!("drain of {FEW} queues"), "");
    few.note_scripts(figures, &format!("drain of {FEW} queues"), "");
    for (drains, each) in most.iter().zip(EACH) {
        let what = format!("drain of {} queues, tasks in each: {each}", arguments.queues);
        drains.note_rate(figures, &what, "");
        drains.note_scripts(figures, &what, "");
        let what = format!("rate: {} queues of {each} beside {FEW}", arguments.queues);
        drains.note_share_of(&few, figures, &what, ">= 80");
    }
    Ok(())
}

/// So many tasks in so many subqueues.
fn spread(system: &System, tasks: usize, queues: usize) -> Result<Vec<NewTask>> {
    let place = |n| format!("{QUEUE}.{}", n * queues / tasks);
    many(tasks, |n| system.noop().queue(place(n)).build())
}
