//! Rates: how many tasks of each queue ended lately, for others to see.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use queue::Rate;
use task::Verdict;

/// Counts by queue, over windows that follow each other.
pub(crate) struct Rates {
    since: Instant,
    counts: HashMap<String, Counts>,
    last: BTreeMap<String, Rate>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    done: u32,
    failed: u32,
}

const WINDOW: Duration = Duration::from_secs(10);
/// So many queues, the busiest ones, are told: a presence is written every second.
const MOST: usize = 100;

impl Rates {
    pub(crate) fn new(now: Instant) -> Rates {
        Rates { since: now, counts: HashMap::new(), last: BTreeMap::new() }
    }

    pub(crate) fn count(&mut self, queue: &str, verdict: &Verdict) {
        let counts = match self.counts.get_mut(queue) {
            Some(counts) => counts,
            None => self.counts.entry(queue.to_owned()).or_default(),
        };
        match verdict {
            Verdict::Done { .. } => counts.done += 1,
            Verdict::Retry { .. } | Verdict::Error { .. } | Verdict::Forget { .. } => counts.failed += 1,
            Verdict::Requeue { .. } | Verdict::Defer { .. } | Verdict::Leave { .. } => {}
        }
    }

    /// The rates of the last window that is over.
    pub(crate) fn read(&mut self, now: Instant) -> &BTreeMap<String, Rate> {
        let passed = now.saturating_duration_since(self.since);
        if passed >= WINDOW {
            let mut counts: Vec<(String, Counts)> = self.counts.drain().collect();
            counts.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.done + counts.failed));
            counts.truncate(MOST);
            let each_second = |n: u32| f64::from(n) / passed.as_secs_f64();
            let rate =
                |counts: Counts| Rate { done: each_second(counts.done), failed: each_second(counts.failed) };
            self.last = counts.into_iter().map(|(queue, counts)| (queue, rate(counts))).collect();
            self.since = now;
        }
        &self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_when_it_is_over_and_until_the_next_one_is() {
        let start = Instant::now();
        let mut rates = Rates::new(start);
        for _ in 0..20 {
            rates.count("mail", &Verdict::Done { result: "null".to_owned() });
        }
        rates.count("mail", &Verdict::Defer { at: 1.0 });
        assert!(rates.read(start + WINDOW / 2).is_empty());
        assert_eq!(rates.read(start + WINDOW)["mail"], Rate { done: 2.0, failed: 0.0 });
        assert_eq!(rates.read(start + WINDOW + WINDOW / 2).len(), 1);
        assert!(rates.read(start + 2 * WINDOW).is_empty());
    }
}
