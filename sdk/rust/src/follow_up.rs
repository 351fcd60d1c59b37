//! A task that a run asks for.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::bindings::margay::task::context as wire;
use crate::failure::{Failure, Result};
use crate::retry::{Retry, millis};

/// A task to be enqueued when this run succeeds.
///
/// ```
/// use margay_sdk::{Context, FollowUp, Result, task};
/// use std::time::Duration;
///
/// #[task]
/// fn sign_up(context: &Context, user: u64) -> Result<()> {
///     let hour = Duration::from_secs(3600);
///     context.enqueue(FollowUp::new("mail:send_welcome").arg(user).named("lang", "en").delay(hour))?;
///     Ok(())
/// }
///
/// sign_up(&Context::current(), 7).expect("it is accepted");
/// let asked = margay_sdk::testing::take_effects().follow_ups;
/// assert_eq!(asked[0].function, "mail:send_welcome");
/// assert_eq!(asked[0].args, "[7]");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a follow-up does nothing until it is given to `Context::enqueue`"]
pub struct FollowUp {
    task: wire::FollowUp,
    args: Vec<Box<RawValue>>,
    named: Vec<(String, Box<RawValue>)>,
    refused: Option<String>,
}

impl FollowUp {
    /// A call of this function, `module:function`, with no arguments yet. It goes to the queue of this run.
    pub fn new(function: impl Into<String>) -> FollowUp {
        let task = wire::FollowUp {
            function: function.into(),
            args: String::new(),
            kwargs: String::new(),
            queue: None,
            delay: None,
            hard_timeout: None,
            retry_method: None,
            retry_on: Vec::new(),
        };
        FollowUp { task, args: Vec::new(), named: Vec::new(), refused: None }
    }

    /// With one more positional argument.
    pub fn arg(mut self, value: impl Serialize) -> FollowUp {
        match to_raw_value(&value) {
            Ok(json) => self.args.push(json),
            Err(error) => self.refused = Some(format!("argument number {}: {error}", self.args.len() + 1)),
        }
        self
    }

    /// With an argument of this name.
    pub fn named(mut self, name: impl Into<String>, value: impl Serialize) -> FollowUp {
        let name = name.into();
        match to_raw_value(&value) {
            Ok(json) => self.named.push((name, json)),
            Err(error) => self.refused = Some(format!("argument `{name}`: {error}")),
        }
        self
    }

    /// Into this queue.
    pub fn queue(mut self, queue: impl Into<String>) -> FollowUp {
        self.task.queue = Some(queue.into());
        self
    }

    /// Due this long after the run has succeeded.
    pub fn delay(mut self, delay: Duration) -> FollowUp {
        self.task.delay = Some(millis(delay));
        self
    }

    /// The longest it may run.
    pub fn hard_timeout(mut self, timeout: Duration) -> FollowUp {
        self.task.hard_timeout = Some(millis(timeout));
        self
    }

    /// How its failures are retried.
    pub fn retry(mut self, retry: Retry) -> FollowUp {
        self.task.retry_method = Some(retry.into());
        self
    }

    /// Which kinds of failure are retried.
    pub fn retry_on<I: IntoIterator<Item: Into<String>>>(mut self, kinds: I) -> FollowUp {
        self.task.retry_on = kinds.into_iter().map(Into::into).collect();
        self
    }

    /// As the runtime wants it. What could not be written as JSON is refused here, so that a chain of calls
    /// needs only one question mark.
    pub(crate) fn finish(mut self) -> Result<wire::FollowUp> {
        if let Some(why) = self.refused {
            return Err(Failure::new("follow-up-refused", why).permanent());
        }
        self.task.args = serde_json::to_string(&self.args)?;
        self.task.kwargs = named_json(&self.named)?;
        Ok(self.task)
    }
}

fn named_json(named: &[(String, Box<RawValue>)]) -> Result<String> {
    let mut json = Vec::new();
    let mut writer = serde_json::Serializer::new(&mut json);
    serde::Serializer::collect_map(&mut writer, named.iter().map(|(name, value)| (name, value)))?;
    Ok(String::from_utf8(json)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_and_wishes_become_data() {
        let follow_up = FollowUp::new("mail:send")
            .arg(u64::MAX)
            .named("z", "\"")
            .named("a", [1.5])
            .queue("email.acme")
            .delay(Duration::from_millis(1500))
            .hard_timeout(Duration::from_secs(30))
            .retry(Retry::by_default())
            .retry_on(["smtp"])
            .finish()
            .expect("it is complete");
        assert_eq!(follow_up.args, "[18446744073709551615]");
        assert_eq!(follow_up.kwargs, r#"{"z":"\"","a":[1.5]}"#);
        assert_eq!(follow_up.queue.as_deref(), Some("email.acme"));
        assert_eq!((follow_up.delay, follow_up.hard_timeout), (Some(1500), Some(30_000)));
        assert_eq!(follow_up.retry_on, ["smtp"]);
    }

    #[test]
    fn an_argument_that_is_not_json_is_refused_at_the_end() {
        let not_text = std::collections::BTreeMap::from([(vec![1], 1)]);
        let failure = FollowUp::new("mail:send").named("map", not_text).finish().expect_err("keys are text");
        assert_eq!(failure.kind(), "follow-up-refused");
        assert!(failure.message().starts_with("argument `map`: "), "{failure}");
    }
}
