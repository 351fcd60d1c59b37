//! From a call's JSON to typed parameters: by position, then by name. What is missing, unknown or of the
//! wrong type becomes a permanent failure of kind `invalid-arguments` that names the argument.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, DeserializeSeed};
use serde_json::value::RawValue;

use crate::bindings::margay::task::types;
use crate::failure::{Failure, Result, invalid_arguments};

/// The arguments of one call as they arrived, not yet typed.
pub(crate) struct Given<'a> {
    pub positional: Vec<&'a RawValue>,
    pub named: BTreeMap<String, &'a RawValue>,
}

impl<'a> Given<'a> {
    pub fn read(call: &'a types::Call) -> Result<Given<'a>> {
        let positional = serde_json::from_str(&call.args).map_err(|error| {
            invalid_arguments(format!("the positional arguments are not a JSON array: {error}"))
        })?;
        let named = serde_json::from_str(&call.kwargs).map_err(|error| {
            invalid_arguments(format!("the named arguments are not a JSON object: {error}"))
        })?;
        Ok(Given { positional, named })
    }
}

/// The arguments of one call, sorted into the parameters of one function.
pub struct Arguments<'a> {
    names: &'static [&'static str],
    values: Vec<Option<&'a RawValue>>,
}

impl<'a> Arguments<'a> {
    /// Sorts a call's arguments into the parameters with these names.
    ///
    /// # Errors
    /// `invalid-arguments` for too many positional arguments, an unknown name, or one given twice.
    pub fn read(
        call: &'a types::Call,
        function: &str,
        names: &'static [&'static str],
    ) -> Result<Arguments<'a>> {
        let given = Given::read(call)?;
        if given.positional.len() > names.len() {
            let count = given.positional.len();
            return Err(invalid_arguments(format!(
                "{count} positional arguments given, but `{function}` takes {}",
                list(names)
            )));
        }
        let mut values: Vec<_> = given.positional.into_iter().map(Some).collect();
        values.resize(names.len(), None);
        for (name, value) in given.named {
            let Some(at) = names.iter().position(|known| **known == name) else {
                return Err(invalid_arguments(format!(
                    "argument `{name}` is unknown: `{function}` takes {}",
                    list(names)
                )));
            };
            if values[at].replace(value).is_some() {
                return Err(invalid_arguments(format!(
                    "argument `{name}` is given twice, by position and by name"
                )));
            }
        }
        Ok(Arguments { names, values })
    }

    /// The argument at this position of the parameter list.
    ///
    /// # Errors
    /// `invalid-arguments` if it is missing or has the wrong type.
    pub fn required<T: DeserializeOwned>(&self, at: usize) -> Result<T> {
        match self.optional(at)? {
            Some(value) => Ok(value),
            None => Err(missing(self.names[at])),
        }
    }

    /// The argument at this position of the parameter list, if it was given.
    ///
    /// # Errors
    /// `invalid-arguments` if it has the wrong type.
    pub fn optional<T: DeserializeOwned>(&self, at: usize) -> Result<Option<T>> {
        let read = |value| typed(&quoted(self.names[at]), value, PhantomData);
        self.values[at].map(read).transpose()
    }
}

pub(crate) fn missing(name: &str) -> Failure {
    invalid_arguments(format!("argument `{name}` is missing"))
}

pub(crate) fn quoted(name: &str) -> String {
    format!("`{name}`")
}

/// Reads one argument as the type its parameter has. `which` says which one it is, in a message.
pub(crate) fn typed<'a, S: DeserializeSeed<'a>>(
    which: &str,
    value: &'a RawValue,
    seed: S,
) -> Result<S::Value> {
    let mut json = serde_json::Deserializer::from_str(value.get());
    seed.deserialize(&mut json)
        .map_err(|error| invalid_arguments(format!("argument {which}: {}", mismatch(&error))))
}

/// What is wrong, with the expectation first and without a line number where the value is a single word.
fn mismatch(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = match text.rsplit_once(" at line ") {
        Some((text, _)) => text,
        None => &text,
    };
    let unprefixed = text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: "));
    match unprefixed.and_then(|pair| pair.rsplit_once(", expected ")) {
        Some((got, expected)) => format!("expected {expected}, got {got}"),
        None => text.to_owned(),
    }
}

pub(crate) fn list(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::example_call as call;

    const NAMES: &[&str] = &["user", "lang"];

    fn read(args: &str, kwargs: &str) -> Result<(u64, Option<String>)> {
        let call = call(args, kwargs);
        let arguments = Arguments::read(&call, "send", NAMES)?;
        Ok((arguments.required(0)?, arguments.optional(1)?))
    }

    fn refusal(args: &str, kwargs: &str) -> String {
        let failure = read(args, kwargs).expect_err("these arguments are wrong");
        assert_eq!(failure.kind(), "invalid-arguments");
        assert!(failure.is_permanent());
        failure.message().to_owned()
    }

    #[test]
    fn arguments_are_taken_by_position_and_by_name() {
        let german = Some("de".to_owned());
        assert_eq!(read("[7]", "{}").expect("one is enough"), (7, None));
        assert_eq!(read(r#"[7, "de"]"#, "{}").expect("both by position"), (7, german.clone()));
        assert_eq!(read("[7]", r#"{"l\u0061ng": "de"}"#).expect("mixed"), (7, german.clone()));
        assert_eq!(read("[]", r#"{"lang": "de", "user": 7}"#).expect("both by name"), (7, german));
    }

    #[test]
    fn integers_keep_every_digit() {
        assert_eq!(read("[18446744073709551615]", "{}").expect("it fits").0, u64::MAX);
    }

    #[test]
    fn a_refusal_names_the_argument() {
        assert_eq!(refusal("[]", "{}"), "argument `user` is missing");
        assert_eq!(refusal(r#"["x"]"#, "{}"), "argument `user`: expected u64, got string \"x\"");
        assert_eq!(refusal("[-7]", "{}"), "argument `user`: expected u64, got integer `-7`");
        assert_eq!(refusal("[7, []]", "{}"), "argument `lang`: expected a string, got sequence");
        assert_eq!(
            refusal("[7, \"de\", 1]", "{}"),
            "3 positional arguments given, but `send` takes `user`, `lang`"
        );
        assert_eq!(refusal("[7]", r#"{"a": 1}"#), "argument `a` is unknown: `send` takes `user`, `lang`");
        assert_eq!(
            refusal("[7]", r#"{"user": 7}"#),
            "argument `user` is given twice, by position and by name"
        );
        assert!(refusal("{}", "{}").starts_with("the positional arguments are not a JSON array: "));
        assert!(refusal("[]", "[]").starts_with("the named arguments are not a JSON object: "));
    }
}
