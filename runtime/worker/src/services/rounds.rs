//! Rounds: the pace of a walk over a set of names that has no bound. It goes page by page, with a rest after each, so
//! that Redis serves others in between; a small set is one page, and looked at once in each poll.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Where a walk is, and when it goes on.
pub(crate) struct Rounds {
    /// Where the next page begins; 0 for the first.
    pub(crate) cursor: u64,
    goes_on: Instant,
    /// Not before then does another round begin.
    next_round: Instant,
    poll: Duration,
}

impl Rounds {
    /// A walk that begins now, and of which no two rounds begin within a poll.
    pub(crate) fn new(poll: Duration, now: Instant) -> Rounds {
        Rounds { cursor: 0, goes_on: now, next_round: now + poll, poll }
    }

    /// Waits until it is time for the next page.
    pub(crate) async fn turn(&self) {
        sleep_until(self.goes_on).await;
    }

    /// A page was looked at, and this is where the next begins; 0 at the end of the round.
    pub(crate) fn looked(&mut self, next: u64, rest: Duration, now: Instant) {
        self.cursor = next;
        self.goes_on = now + rest;
        if next == 0 {
            self.goes_on = self.goes_on.max(self.next_round);
            self.next_round = self.goes_on + self.poll;
        }
    }

    /// The page could not be looked at: the next poll tries again.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.goes_on = now + self.poll;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_secs(1);
    const REST: Duration = Duration::from_millis(20);

    #[test]
    fn a_small_set_is_looked_at_once_in_each_poll() {
        let start = Instant::now();
        let mut rounds = Rounds::new(POLL, start);
        for round in 0..3 {
            assert_eq!(rounds.goes_on, start + round * POLL);
            rounds.looked(0, REST, rounds.goes_on);
        }
    }

    #[test]
    fn a_large_set_is_walked_on_after_each_rest_and_begun_anew_at_its_end() {
        let start = Instant::now();
        let mut rounds = Rounds::new(POLL, start);
        for page in 0..200 {
            assert_eq!((rounds.cursor, rounds.goes_on), (page % 100, start + REST * page as u32));
            rounds.looked((page + 1) % 100, REST, rounds.goes_on);
        }
    }

    #[test]
    fn after_a_failure_the_same_page_is_next() {
        let start = Instant::now();
        let mut rounds = Rounds::new(POLL, start);
        rounds.looked(7, REST, start);
        rounds.failed(start + REST);
        assert_eq!((rounds.cursor, rounds.goes_on), (7, start + REST + POLL));
    }
}
