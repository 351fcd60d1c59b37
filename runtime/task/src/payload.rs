//! The task as JSON in `task:<id>`, in TaskTiger's format.
//!
//! Reading is generous, because producers in other languages and Redis's own cjson rewrite payloads: keys
//! come in any order, `{}` may stand for an empty list, the last of two equal keys wins. Whatever this crate
//! does not know is kept as it came, digit by digit.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{FunctionName, RetryMethod, Timestamp};

/// One queued call. Times and durations are in seconds.
#[derive(Clone, Debug)]
pub struct Task {
    /// Equals the member in the queue's sorted set.
    pub id: String,
    /// What to call.
    pub func: FunctionName,
    /// Positional arguments: a JSON array; empty where `None`.
    pub args: Option<Box<RawValue>>,
    /// Named arguments: a JSON object; empty where `None`.
    pub kwargs: Option<Box<RawValue>>,
    /// Same function and arguments, same task.
    pub unique: bool,
    /// The named arguments that make it unique.
    pub unique_key: Vec<String>,
    /// Runs one after the other with its like.
    pub lock: bool,
    /// The named arguments that make up the lock.
    pub lock_key: Vec<String>,
    /// The longest a run may take.
    pub hard_timeout: Option<f64>,
    /// How failures are retried; not at all where `None`.
    pub retry_method: Option<RetryMethod>,
    /// Which failures are retried; all where empty.
    pub retry_on: Vec<String>,
    /// How many tasks may be in the queue.
    pub max_queue_size: Option<u32>,
    /// How many failed executions are kept; all where `None` or 0.
    pub max_stored_executions: Option<u32>,
    /// TaskTiger's runner class.
    pub runner_class: Option<String>,
    /// When a producer last enqueued it.
    pub time_last_queued: Option<Timestamp>,
    /// When it was due.
    pub scheduled_at: Option<Timestamp>,
    /// Margay's own fields, in an object of their own.
    pub margay: Extension,
    /// Fields of other programs.
    pub other: Vec<(String, Box<RawValue>)>,
}

/// What Margay adds to TaskTiger's payload, under the key `margay`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "BTreeMap<String, Box<RawValue>>")]
pub struct Extension {
    /// How often the task came back because its worker vanished or failed.
    pub redeliveries: u32,
    /// Keep a record of how the task ended for so many seconds.
    pub result_ttl: Option<f64>,
    /// Fields of other versions of Margay.
    pub other: BTreeMap<String, Box<RawValue>>,
}

impl From<BTreeMap<String, Box<RawValue>>> for Extension {
    fn from(mut fields: BTreeMap<String, Box<RawValue>>) -> Self {
        let redeliveries = fields.remove("redeliveries").as_deref().and_then(count).unwrap_or(0);
        let result_ttl = fields.remove("result_ttl").and_then(|raw| serde_json::from_str(raw.get()).ok());
        Extension { redeliveries, result_ttl, other: fields }
    }
}

impl Serialize for Extension {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        entry(&mut map, "redeliveries", &(self.redeliveries > 0).then_some(self.redeliveries))?;
        entry(&mut map, "result_ttl", &self.result_ttl)?;
        for (key, value) in &self.other {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Extension {
    fn is_empty(&self) -> bool {
        self.redeliveries == 0 && self.result_ttl.is_none() && self.other.is_empty()
    }
}

/// A payload that cannot be run, and why.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BadPayload {
    /// Not JSON, or a field of the wrong type.
    #[error("the payload cannot be read: {0}")]
    Unreadable(String),
    /// Its id is not the one it is queued under.
    #[error("the payload belongs to the task `{0}`")]
    OtherId(String),
}

impl Task {
    /// A call of `func` without arguments or options.
    pub fn new(id: impl Into<String>, func: FunctionName) -> Task {
        Task {
            id: id.into(),
            func,
            args: None,
            kwargs: None,
            unique: false,
            unique_key: Vec::new(),
            lock: false,
            lock_key: Vec::new(),
            hard_timeout: None,
            retry_method: None,
            retry_on: Vec::new(),
            max_queue_size: None,
            max_stored_executions: None,
            runner_class: None,
            time_last_queued: None,
            scheduled_at: None,
            margay: Extension::default(),
            other: Vec::new(),
        }
    }

    /// The task of a periodic function: as in TaskTiger, a unique one without arguments.
    pub fn periodic(func: FunctionName) -> Task {
        let mut task = Task { unique: true, ..Task::new("", func) };
        task.id = task.unique_id().expect("without arguments there is nothing that cannot be written");
        task
    }

    /// Reads the payload stored for `id`.
    pub fn parse(id: &str, payload: &str) -> Result<Task, BadPayload> {
        let task: Task =
            serde_json::from_str(payload).map_err(|error| BadPayload::Unreadable(error.to_string()))?;
        if task.id != id {
            return Err(BadPayload::OtherId(task.id));
        }
        Ok(task)
    }

    /// The payload to store.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a task has only text keys, so it can be written")
    }

    /// The positional arguments as a JSON array.
    pub fn args_json(&self) -> &str {
        self.args.as_deref().map_or("[]", RawValue::get)
    }

    /// The named arguments as a JSON object.
    pub fn kwargs_json(&self) -> &str {
        self.kwargs.as_deref().map_or("{}", RawValue::get)
    }

    /// Whether the task is one of its kind: such a task may be queued again while it runs.
    pub fn is_unique(&self) -> bool {
        self.unique || !self.unique_key.is_empty()
    }
}

impl Serialize for Task {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("func", &self.func)?;
        entry(&mut map, "unique", &self.unique.then_some(true))?;
        list(&mut map, "unique_key", &self.unique_key)?;
        entry(&mut map, "lock", &self.lock.then_some(true))?;
        list(&mut map, "lock_key", &self.lock_key)?;
        entry(&mut map, "args", &self.args)?;
        entry(&mut map, "kwargs", &self.kwargs)?;
        entry(&mut map, "hard_timeout", &self.hard_timeout)?;
        entry(&mut map, "retry_method", &self.retry_method)?;
        list(&mut map, "retry_on", &self.retry_on)?;
        entry(&mut map, "max_queue_size", &self.max_queue_size)?;
        entry(&mut map, "max_stored_executions", &self.max_stored_executions)?;
        entry(&mut map, "runner_class", &self.runner_class)?;
        entry(&mut map, "time_last_queued", &self.time_last_queued)?;
        entry(&mut map, "scheduled_at", &self.scheduled_at)?;
        for (key, value) in &self.other {
            map.serialize_entry(key, value)?;
        }
        if !self.margay.is_empty() {
            map.serialize_entry("margay", &self.margay)?;
        }
        map.end()
    }
}

fn entry<M: SerializeMap, T: Serialize>(map: &mut M, key: &str, value: &Option<T>) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(key, value),
        None => Ok(()),
    }
}

fn list<M: SerializeMap>(map: &mut M, key: &str, names: &[String]) -> Result<(), M::Error> {
    if names.is_empty() { Ok(()) } else { map.serialize_entry(key, names) }
}

impl<'de> Deserialize<'de> for Task {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TaskVisitor)
    }
}

struct TaskVisitor;

impl<'de> Visitor<'de> for TaskVisitor {
    type Value = Task;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a task: a JSON object with `id` and `func`")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Task, M::Error> {
        use serde::de::Error;
        let mut id = None;
        let mut func = None;
        let mut task = Task::new("", FunctionName::parse("none:none").map_err(M::Error::custom)?);
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match key.as_ref() {
                "id" => id = Some(map.next_value()?),
                "func" => func = Some(map.next_value()?),
                "args" => task.args = container(map.next_value()?, '[', "args").map_err(M::Error::custom)?,
                "kwargs" => {
                    task.kwargs = container(map.next_value()?, '{', "kwargs").map_err(M::Error::custom)?;
                }
                "unique" => task.unique = truthy(&map.next_value::<Box<RawValue>>()?),
                "unique_key" => task.unique_key = names(&map.next_value::<Box<RawValue>>()?),
                "lock" => task.lock = truthy(&map.next_value::<Box<RawValue>>()?),
                "lock_key" => task.lock_key = names(&map.next_value::<Box<RawValue>>()?),
                // As in Python, 0 means that there is none.
                "hard_timeout" => {
                    task.hard_timeout = map.next_value::<Option<f64>>()?.filter(|timeout| *timeout > 0.0);
                }
                "retry_method" => {
                    task.retry_method =
                        retry_method(&map.next_value::<Box<RawValue>>()?).map_err(M::Error::custom)?
                }
                "retry_on" => task.retry_on = names(&map.next_value::<Box<RawValue>>()?),
                "max_queue_size" => task.max_queue_size = count(&map.next_value::<Box<RawValue>>()?),
                "max_stored_executions" => {
                    task.max_stored_executions = count(&map.next_value::<Box<RawValue>>()?)
                }
                "runner_class" => task.runner_class = map.next_value()?,
                "time_last_queued" => task.time_last_queued = map.next_value()?,
                "scheduled_at" => task.scheduled_at = map.next_value()?,
                "margay" => task.margay = map.next_value()?,
                _ => {
                    let value = map.next_value()?;
                    task.other.retain(|(known, _)| known != key.as_ref());
                    task.other.push((key.into_owned(), value));
                }
            }
        }
        task.id = id.ok_or_else(|| M::Error::missing_field("id"))?;
        task.func = func.ok_or_else(|| M::Error::missing_field("func"))?;
        Ok(task)
    }
}

/// A JSON array or object as it came; `None` where it is null, or the empty container of the other kind
/// that Redis's cjson leaves behind.
fn container(raw: Box<RawValue>, opens: char, field: &str) -> Result<Option<Box<RawValue>>, String> {
    let text = raw.get();
    if text == "null" || is_empty_container(text) {
        return Ok(None);
    }
    if text.starts_with(opens) {
        return Ok(Some(raw));
    }
    let expected = if opens == '[' { "a JSON array" } else { "a JSON object" };
    Err(format!("`{field}` must be {expected}"))
}

fn is_empty_container(text: &str) -> bool {
    text.starts_with(['[', '{']) && text[1..text.len() - 1].trim().is_empty()
}

fn retry_method(raw: &RawValue) -> Result<Option<RetryMethod>, String> {
    if raw.get() == "null" || is_empty_container(raw.get()) {
        return Ok(None);
    }
    serde_json::from_str(raw.get()).map(Some).map_err(|error| format!("`retry_method`: {error}"))
}

fn names(raw: &RawValue) -> Vec<String> {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

fn truthy(raw: &RawValue) -> bool {
    !matches!(raw.get(), "false" | "null" | "0")
}

fn count(raw: &RawValue) -> Option<u32> {
    serde_json::from_str::<f64>(raw.get()).ok().map(|number| number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM_PYTHON: &str = r#"{"id": "723a", "func": "mytasks:boom", "args": [1.50, "\u00e9"], "kwargs": {"n": 123456789012345678901234567890}, "retry_method": ["tasktiger.retry:_exponential", [1, 2, 3]], "retry_on": ["builtins:ValueError"], "max_stored_executions": 3, "time_last_queued": 1795299278.005048, "scheduled_at": 1795299278.005048, "theirs": {"x": [1.10]}}"#;

    #[test]
    fn a_payload_from_python_survives_a_round_trip() {
        let task = Task::parse("723a", FROM_PYTHON).expect("a task");
        assert_eq!(task.args_json(), r#"[1.50, "\u00e9"]"#);
        assert_eq!(task.retry_method, Some(RetryMethod::Exponential { delay: 1.0, factor: 2.0, max: 3 }));
        let again = Task::parse("723a", &task.to_json()).expect("a task");
        assert_eq!(again.kwargs_json(), r#"{"n": 123456789012345678901234567890}"#);
        assert_eq!(again.scheduled_at, Some(1795299278.005048));
        assert_eq!(again.other[0].1.get(), r#"{"x": [1.10]}"#);
        assert_eq!(again.to_json(), task.to_json());
    }

    #[test]
    fn id_and_func_are_enough() {
        let task = Task::parse("a", r#"{"func":"m:f","id":"a"}"#).expect("a task");
        assert_eq!((task.args_json(), task.kwargs_json()), ("[]", "{}"));
        assert_eq!(task.to_json(), r#"{"id":"a","func":"m:f"}"#);
    }

    #[test]
    fn what_cjson_leaves_of_empty_lists_is_understood() {
        let text = r#"{"id":"a","func":"m:f","args":{},"retry_on":{},"retry_method":{},"unique_key":{}}"#;
        let task = Task::parse("a", text).expect("a task");
        assert_eq!(task.args_json(), "[]");
        assert!(task.retry_on.is_empty() && task.retry_method.is_none());
    }

    #[test]
    fn the_last_of_two_equal_keys_wins() {
        let task = Task::parse("a", r#"{"id":"b","func":"m:f","id":"a","x":1,"x":2}"#).expect("a task");
        assert_eq!(task.other.len(), 1);
        assert_eq!(task.other[0].1.get(), "2");
    }

    #[test]
    fn bad_payloads_say_what_is_wrong() {
        let message = |text| Task::parse("a", text).expect_err("refused").to_string();
        assert!(message("nonsense").contains("cannot be read"), "{}", message("nonsense"));
        assert!(message("[]").contains("a JSON object"), "{}", message("[]"));
        assert!(message(r#"{"id":"a"}"#).contains("`func`"), "{}", message(r#"{"id":"a"}"#));
        assert!(message(r#"{"id":"a","func":"f"}"#).contains("module:function"));
        assert!(message(r#"{"id":"a","func":"m:f","args":1}"#).contains("`args`"));
        assert_eq!(message(r#"{"id":"z","func":"m:f"}"#), "the payload belongs to the task `z`");
        assert!(message(r#"{"id":"a","func":"m:f","args":[NaN]}"#).contains("cannot be read"));
    }

    #[test]
    fn margays_own_fields_live_in_an_object_of_their_own() {
        let mut task = Task::parse("a", r#"{"id":"a","func":"m:f"}"#).expect("a task");
        task.margay.redeliveries = 2;
        assert_eq!(task.to_json(), r#"{"id":"a","func":"m:f","margay":{"redeliveries":2}}"#);
    }

    #[test]
    fn fields_of_other_versions_survive() {
        let text = r#"{"id":"a","func":"m:f","margay":{"redeliveries":2,"pin":"abc","x":[1.10]}}"#;
        assert_eq!(Task::parse("a", text).expect("a task").to_json(), text);
    }

    #[test]
    fn a_hard_timeout_of_zero_is_none() {
        let task = Task::parse("a", r#"{"id":"a","func":"m:f","hard_timeout":0}"#).expect("a task");
        assert_eq!(task.hard_timeout, None);
    }
}
