//! Names that people type: functions, modules and queues.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// A function under its full name, `module:function`.
///
/// As in TaskTiger the module ends at the last colon, or, in old names without one, at the last dot.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FunctionName {
    full: String,
    separator: usize,
}

impl FunctionName {
    /// Reads a full name.
    pub fn parse(full: impl Into<String>) -> Result<FunctionName, BadName> {
        let full = full.into();
        let separator = full.rfind(':').or_else(|| full.rfind('.'));
        match separator {
            Some(at) if at > 0 && at + 1 < full.len() => Ok(FunctionName { full, separator: at }),
            _ => Err(BadName::Function(full)),
        }
    }

    /// The full name, as it stands in a payload.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The module's part of the name.
    pub fn module(&self) -> &str {
        &self.full[..self.separator]
    }

    /// The function's part of the name.
    pub fn function(&self) -> &str {
        &self.full[self.separator + 1..]
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl fmt::Debug for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.full, f)
    }
}

impl Serialize for FunctionName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.full)
    }
}

impl<'de> Deserialize<'de> for FunctionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FunctionName::parse(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A name that cannot be used, and why.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BadName {
    /// Not `module:function`.
    #[error("`{0}` is not a function name; write it as `module:function`")]
    Function(String),
    /// A queue without a name.
    #[error("the queue name is empty; leave it out to use the default queue")]
    EmptyQueue,
    /// A queue name that would break keys or pages.
    #[error("the queue name `{name}` contains `{found}`; use letters, digits, `_`, `-` and dots")]
    Queue {
        /// The name as given.
        name: String,
        /// The offending character.
        found: char,
    },
    /// A module name that would break keys or function names.
    #[error("`{0}` is not a module name; use letters, digits, `_`, `-` and dots, at most 200 of them")]
    Module(String),
    /// A task's id that would break keys.
    #[error("`{0}` is not a task's id; it must not be empty and have no `:`")]
    Id(String),
}

/// Checks a queue name: not empty, and free of `:`, `/`, blanks and control characters. A `:` would blur
/// Redis keys, a `/` the addresses of admin pages.
pub fn check_queue_name(name: &str) -> Result<(), BadName> {
    if name.is_empty() {
        return Err(BadName::EmptyQueue);
    }
    match name.chars().find(|c| matches!(c, ':' | '/') || c.is_whitespace() || c.is_control()) {
        Some(found) => Err(BadName::Queue { name: name.to_owned(), found }),
        None => Ok(()),
    }
}

/// Checks the id of a task: it is a part of keys, and of claims that end in it.
pub fn check_id(id: &str) -> Result<(), BadName> {
    if id.is_empty() || id.contains(':') { Err(BadName::Id(id.to_owned())) } else { Ok(()) }
}

/// Checks a module name.
pub fn check_module_name(name: &str) -> Result<(), BadName> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !name.is_empty() && name.len() <= 200 && name.chars().all(plain) {
        return Ok(());
    }
    Err(BadName::Module(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_ends_at_the_last_colon() {
        let name = FunctionName::parse("tests.tasks:send").expect("a name");
        assert_eq!((name.module(), name.function()), ("tests.tasks", "send"));
    }

    #[test]
    fn an_old_name_without_a_colon_ends_its_module_at_the_last_dot() {
        let name = FunctionName::parse("tests.tasks.send").expect("a name");
        assert_eq!((name.module(), name.function()), ("tests.tasks", "send"));
    }

    #[test]
    fn half_names_are_refused() {
        for name in ["", "send", ":send", "mail:", "."] {
            assert!(FunctionName::parse(name).is_err(), "{name:?} was taken");
        }
    }

    #[test]
    fn ids_that_break_keys_are_refused() {
        assert!(check_id("").is_err() && check_id("a:b").is_err());
        assert_eq!(check_id("0190af"), Ok(()));
    }

    #[test]
    fn queue_names_that_break_keys_are_refused() {
        assert_eq!(check_queue_name(""), Err(BadName::EmptyQueue));
        for name in ["a:b", "a/b", "a b", "a\n"] {
            assert!(matches!(check_queue_name(name), Err(BadName::Queue { .. })), "{name:?} was taken");
        }
        assert_eq!(check_queue_name("email.acme-2"), Ok(()));
    }
}
