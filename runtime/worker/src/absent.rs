//! Functions that were called and not found, and since when.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use task::{FunctionName, Timestamp};

/// When each function that is missed was first and last asked for. Small: only what is missed is in it, and
/// what nobody asks for any more leaves.
#[derive(Default)]
pub(crate) struct Absent(Mutex<HashMap<String, Missed>>);

struct Missed {
    first: Timestamp,
    last: Timestamp,
}

/// A function that nobody asked for in so many seconds is missed anew. Longer than a task ever waits between
/// two looks.
const FORGOTTEN: f64 = 60.0;

impl Absent {
    /// For how many seconds the function has been missed.
    pub(crate) fn missed(&self, func: &FunctionName, now: Timestamp) -> f64 {
        let mut functions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        functions.retain(|_, missed| now - missed.last < FORGOTTEN);
        let missed = functions.entry(func.to_string()).or_insert(Missed { first: now, last: now });
        missed.last = now;
        now - missed.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_missed_from_the_first_call_on_until_nobody_asks() {
        let absent = Absent::default();
        let func = FunctionName::parse("mail:send").expect("a name");
        assert_eq!(absent.missed(&func, 100.0), 0.0);
        assert_eq!(absent.missed(&func, 103.0), 3.0);
        assert_eq!(absent.missed(&func, 200.0), 0.0);
    }
}
