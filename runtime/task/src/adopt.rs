//! Adopt: what of a function's own options must be known when its task is enqueued. All others are looked up
//! when it runs, so that a deploy changes them for tasks that wait already.

use crate::{Options, Task};

impl Task {
    /// Takes over the function's own options where the producer gave none, and gives a unique task its id.
    ///
    /// Fails where arguments hold what JSON text can say and Python cannot, such as half a surrogate pair.
    pub fn adopt(&mut self, own: &Options) -> Result<(), serde_json::Error> {
        if !self.is_unique() {
            self.unique_key.clone_from(&own.unique_key);
        }
        self.unique = self.is_unique() || own.unique;
        self.max_queue_size = self.max_queue_size.or(own.max_queue_size);
        if self.unique {
            self.id = self.unique_id()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FunctionName;

    fn task() -> Task {
        Task::new("given", FunctionName::parse("mod:func").expect("a name"))
    }

    fn adopted(mut task: Task, own: &Options) -> Task {
        task.adopt(own).expect("an id");
        task
    }

    #[test]
    fn a_plain_task_of_a_plain_function_stays_as_it_is() {
        assert_eq!(adopted(task(), &Options::default()).to_json(), task().to_json());
    }

    #[test]
    fn a_unique_functions_task_is_unique_with_its_key() {
        let own = Options { unique_key: vec!["a".to_owned()], ..Options::default() };
        let adopted = adopted(task(), &own);
        assert!(adopted.unique && adopted.unique_key == ["a"]);
        assert_eq!(adopted.id, adopted.unique_id().expect("an id"));
    }

    #[test]
    fn what_the_producer_says_beats_the_function() {
        let own = Options { unique_key: vec!["a".to_owned()], max_queue_size: Some(9), ..Options::default() };
        let adopted = adopted(Task { unique: true, max_queue_size: Some(3), ..task() }, &own);
        assert!(adopted.unique_key.is_empty() && adopted.max_queue_size == Some(3));
        assert_eq!(adopted.id, "9985af2294ea5e5c5a09a3a06978e1359c10791094fadf75c27297be7f66ee90");
    }
}
