//! Draws the next step: mostly what makes sense, and now and then what comes too late.

mod operate;
mod work;

use queue::{Incarnation, NewTask, Running, State};
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::value::RawValue;
use task::Task;

use crate::bench::{a_task, a_unique_task};
use crate::walk::step::Step;
use crate::walk::walker::Walker;

pub const QUEUES: [&str; 5] = ["mail", "mail.acme", "mail.acme.eu", "pages", "words"];
const LOCKS: [&str; 3] = ["user-1", "user-2", "user-3"];
/// With more tasks than this fewer are enqueued, and more are done.
const CROWD: usize = 60;

type Drawn = Option<Step>;
type Draw = fn(&mut Walker) -> Drawn;

const DRAWS: [(u32, Draw); 22] = [
    (8, Walker::draw_pass),
    (20, Walker::draw_enqueue),
    (22, Walker::draw_claim),
    (10, Walker::draw_lock),
    (10, Walker::draw_heartbeat),
    (30, Walker::draw_settle),
    (3, Walker::draw_release),
    (10, Walker::draw_promote),
    (4, Walker::draw_plan),
    (2, Walker::draw_replan),
    (1, Walker::draw_leave),
    (1, Walker::draw_vanish),
    (4, Walker::draw_reclaim),
    (2, Walker::draw_expire),
    (4, Walker::draw_retry),
    (3, Walker::draw_delete),
    (2, Walker::draw_cancel),
    (3, Walker::draw_reschedule),
    (1, Walker::draw_purge),
    (2, Walker::draw_select),
    (3, Walker::draw_queue_lock),
    (1, Walker::draw_lost_payload),
];

impl Walker {
    pub fn draw(&mut self) -> Step {
        loop {
            let draw = DRAWS.choose_weighted(&mut self.rng, |draw| draw.0).expect("there are weights").1;
            if let Some(step) = draw(self) {
                return step;
            }
        }
    }

    fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }

    fn one_of<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        items.choose(&mut self.rng).cloned()
    }

    fn a_queue(&mut self) -> String {
        QUEUES[self.rng.random_range(0..QUEUES.len())].to_owned()
    }

    /// Several queues, each once, in any order.
    fn queues(&mut self) -> Vec<String> {
        let most = self.rng.random_range(1..=QUEUES.len());
        let mut queues: Vec<String> =
            QUEUES.sample(&mut self.rng, most).map(|&name| name.to_owned()).collect();
        queues.shuffle(&mut self.rng);
        queues
    }

    /// Some of many, each at most once; seldom all.
    fn some_of<T: Clone>(&mut self, items: &[T], most: usize) -> Vec<T> {
        let most = self.rng.random_range(1..=most);
        items.sample(&mut self.rng, most).cloned().collect()
    }

    fn a_worker(&mut self) -> Incarnation {
        let at = self.rng.random_range(0..self.workers.len());
        self.workers[at].clone()
    }

    fn later(&mut self) -> f64 {
        let after = [0.125, 1.0, 5.0, 60.0, 900.0];
        self.model.now + after[self.rng.random_range(0..after.len())]
    }

    fn crowded(&self) -> bool {
        self.model.places.values().map(|scores| scores.len()).sum::<usize>() > CROWD
    }

    fn draw_pass(&mut self) -> Drawn {
        let seconds = [0.25, 1.0, 5.0, 70.0, 1000.0, 4000.0];
        Some(Step::Pass { seconds: self.one_of(&seconds)? })
    }

    fn draw_enqueue(&mut self) -> Drawn {
        if self.crowded() && self.chance(0.8) {
            return None;
        }
        let many = self.rng.random_range(1..=5);
        let mut tasks: Vec<NewTask> = (0..many).map(|_| self.a_new_task()).collect();
        // Whoever enqueues in bulk does so into one queue, mostly.
        if self.chance(0.5) {
            let queue = tasks[0].queue.clone();
            tasks.retain(|new| new.queue == queue);
        }
        // In one call with a limit, what is in its place already is counted as if it were new.
        if tasks.len() > 1 && tasks.iter().any(|new| new.task.max_queue_size.is_some()) {
            tasks.retain(|new| !new.task.is_unique());
        }
        (!tasks.is_empty()).then_some(Step::Enqueue(tasks))
    }

    /// A plain task, a unique one of its queue, or one that is the same in all queues.
    fn a_new_task(&mut self) -> NewTask {
        let queue = self.a_queue();
        self.names += 1;
        let task = match self.rng.random_range(0..20) {
            0..11 => a_task(&format!("t{}", self.names)),
            11..19 => a_unique_task(&format!("{queue}-u{}", self.rng.random_range(0..3))),
            _ => a_unique_task("everywhere"),
        };
        let due = match self.rng.random_range(0..10) {
            0..6 => None,
            6 => Some(self.model.now - 5.0),
            _ => Some(self.later()),
        };
        let args = RawValue::from_string(format!("[{}]", self.names)).expect("an array");
        let max_queue_size = match self.chance(0.15) {
            true => Some(self.rng.random_range(0..20)),
            false => None,
        };
        let max_stored_executions = match self.chance(0.3) {
            true => Some(self.rng.random_range(0..3)),
            false => None,
        };
        NewTask { queue, task: Task { args: Some(args), max_queue_size, max_stored_executions, ..task }, due }
    }

    fn draw_promote(&mut self) -> Drawn {
        Some(Step::Promote { queues: self.queues() })
    }

    fn a_tick(&mut self, due: Option<f64>) -> NewTask {
        let queue = self.a_queue();
        let task = a_unique_task(&format!("{queue}-tick"));
        NewTask { due, ..NewTask::new(queue, task) }
    }

    fn draw_plan(&mut self) -> Drawn {
        let running = if self.chance(0.5) { Running::IsPlanned } else { Running::NeedsNext };
        let due = self.later();
        Some(Step::Plan(vec![self.a_tick(Some(due))], running))
    }

    fn draw_replan(&mut self) -> Drawn {
        let due = if self.chance(0.7) { Some(self.later()) } else { None };
        Some(Step::Replan(vec![self.a_tick(due)]))
    }

    /// One that has left may go on all the same, as if it did not know; another comes in its place.
    fn draw_leave(&mut self) -> Drawn {
        let worker = self.a_worker();
        self.replace(&worker);
        Some(Step::Leave { worker })
    }

    fn draw_vanish(&mut self) -> Drawn {
        let worker = self.a_worker();
        if self.chance(0.7) {
            self.replace(&worker);
        }
        Some(Step::Vanish { worker })
    }

    fn replace(&mut self, worker: &Incarnation) {
        let newcomer = self.newcomer();
        self.workers.iter_mut().filter(|one| *one == worker).for_each(|one| *one = newcomer.clone());
    }

    fn draw_reclaim(&mut self) -> Drawn {
        Some(Step::Reclaim { finder: self.a_worker() })
    }

    fn draw_expire(&mut self) -> Drawn {
        let active =
            self.model.places.iter().filter(|((state, _), all)| *state == State::Active && !all.is_empty());
        // Of several queues it would be chance whose tasks are among so few.
        let most = if active.count() > 1 { 320 } else { self.rng.random_range(1..=4) };
        Some(Step::Expire { before: self.model.now - 60.0, most })
    }
}
