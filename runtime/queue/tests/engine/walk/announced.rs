//! What the keyspace tells those who wait: nobody would look for a task that came into being in silence.

use queue::{Activity, Event, State};

use crate::Bench;
use crate::walk::model::{Places, Scores};

/// Listens to everything that is announced.
pub struct Ear {
    activity: Activity,
    steps: u64,
}

impl Ear {
    pub async fn open(bench: &Bench) -> Ear {
        let keys = bench.client.keys();
        let activity = bench.client.listen(vec![keys.activity(), keys.due()]).await.expect("listening");
        Ear { activity, steps: 0 }
    }

    /// Checks that the step between two states announced what is new in `queued`, and what is due earlier than
    /// was known in `scheduled`.
    pub async fn check(&mut self, bench: &Bench, before: &Places, after: &Places) -> Result<(), String> {
        let heard = self.heard(bench).await;
        let was_told = |wanted: &dyn Fn(&Event) -> bool| heard.iter().any(wanted);
        for ((state, queue), scores) in after {
            let old = before.get(&(*state, queue.clone()));
            for (id, score) in scores.iter().filter(|(id, score)| is_sooner(old, id, **score)) {
                let told = match state {
                    State::Queued => was_told(&|event| *event == Event::Queued(queue.clone())),
                    State::Scheduled => was_told(
                        &|event| matches!(event, Event::Due(its, due) if its == queue && due <= score),
                    ),
                    State::Active | State::Error => true,
                };
                if !told {
                    return Err(format!("{state}:{queue}:{id}@{score} was not announced; heard {heard:?}"));
                }
            }
        }
        Ok(())
    }

    /// What was announced since the last time. A message of its own says that there is no more.
    async fn heard(&mut self, bench: &Bench) -> Vec<Event> {
        self.steps += 1;
        let end = format!("the end of step {}", self.steps);
        bench.says(&["PUBLISH", "t:activity", &end]).await;
        let (end, mut heard) = (Event::Queued(end), Vec::new());
        loop {
            match self.activity.next().await {
                event if event == end => return heard,
                event => heard.push(event),
            }
        }
    }
}

fn is_sooner(old: Option<&Scores>, id: &str, score: f64) -> bool {
    old.and_then(|old| old.get(id)).is_none_or(|known| score < *known)
}
