//! Which queues are meant: by workers that take from them, and by operators that look after them.

/// A choice of queues. A name stands for its subqueues too, and the most specific one decides.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// These only; all, where empty.
    pub only: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
}

impl Filter {
    /// Whether this queue is meant.
    pub fn admits(&self, queue: &str) -> bool {
        for name in subtrees(queue) {
            if self.exclude.iter().any(|excluded| excluded == name) {
                return false;
            }
            if self.only.iter().any(|wanted| wanted == name) {
                return true;
            }
        }
        self.only.is_empty()
    }

    /// Whether this queue is taken from because it was named, and not because all are.
    pub fn names(&self, queue: &str) -> bool {
        !self.only.is_empty() && self.admits(queue)
    }
}

/// The queue's own name and those above it: `a.b.c`, `a.b`, `a`.
pub fn subtrees(queue: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(queue), |name| name.rsplit_once('.').map(|(above, _)| above))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(only: &[&str], exclude: &[&str]) -> Filter {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Filter { only: owned(only), exclude: owned(exclude) }
    }

    #[test]
    fn without_names_every_queue_is_taken() {
        assert!(filter(&[], &[]).admits("a.b"));
    }

    #[test]
    fn a_name_stands_for_its_subqueues() {
        assert!(filter(&["a"], &[]).admits("a.b.c"));
        assert!(!filter(&["a"], &[]).admits("ab"));
        assert!(!filter(&[], &["a"]).admits("a.b"));
    }

    #[test]
    fn the_most_specific_name_decides() {
        assert!(filter(&["a.b"], &["a"]).admits("a.b.c"));
        assert!(!filter(&["a.b"], &["a"]).admits("a.c"));
        assert!(!filter(&["a"], &["a.b"]).admits("a.b"));
        assert!(!filter(&["a"], &["a"]).admits("a"));
    }
}
