//! Why a task failed, as data. A failure is a value that a function returns; the runtime decides from its
//! kind and its wish whether to run the task again.

use std::error::Error;
use std::fmt;

use serde::Serialize;

use crate::bindings::margay::task::types;
use crate::retry::Retry;

/// What a task function returns: `Result<()>`, `Result<Report>`.
///
/// Any error type that a [`Failure`] can be made from may stand in the second place.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a task failed: what kind of failure it is, a line for people, and whether to try again.
///
/// Every standard error turns into a failure through `?`. Its kind is then the name of the error's type,
/// without modules called `error` (`std::io::Error`, `mail::SmtpError`), and its message is the error with
/// all its causes. Write [`with_kind`](Failure::with_kind) where `retry_on` should match something
/// steadier than a type's name.
///
/// ```
/// use margay_sdk::{Failure, Result};
///
/// fn read_port(text: &str) -> Result<u16> {
///     if text.is_empty() {
///         return Err(Failure::new("no-port", "the port is empty").permanent());
///     }
///     Ok(text.parse()?)
/// }
///
/// assert_eq!(read_port("").expect_err("it is empty").kind(), "no-port");
/// assert_eq!(read_port("x").expect_err("it is a letter").kind(), "std::num::ParseIntError");
/// ```
///
/// A failure is not itself an [`Error`]: only so can every error become one.
// Boxed, because every result of every function carries it.
#[derive(Clone, PartialEq)]
pub struct Failure(Box<types::Failure>);

impl Failure {
    /// A failure of this kind, which `retry_on` matches, with one line for people. Whether it is retried is
    /// left to the task's options.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure(Box::new(types::Failure {
            kind: kind.into(),
            message: message.into(),
            detail: None,
            retry: types::Retry::ByPolicy,
            log_error: true,
        }))
    }

    /// The same failure under another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: impl Into<String>) -> Failure {
        self.0.kind = kind.into();
        self
    }

    /// Not to be retried, whatever the task's options say.
    #[must_use]
    pub fn permanent(mut self) -> Failure {
        self.0.retry = types::Retry::Never;
        self
    }

    /// To be retried in this way, whatever the task's options say.
    #[must_use]
    pub fn retry_by(mut self, retry: Retry) -> Failure {
        self.0.retry = types::Retry::ByMethod(retry.into());
        self
    }

    /// With something more for programs, kept as JSON. What cannot be written as JSON is left out, and the
    /// message says so.
    #[must_use]
    pub fn detail(mut self, detail: &impl Serialize) -> Failure {
        match serde_json::to_string(detail) {
            Ok(json) => self.0.detail = Some(json),
            Err(error) => self.0.message += &format!(" (its detail is not JSON: {error})"),
        }
        self
    }

    /// Not to be kept among the failed tasks once it has failed for good.
    #[must_use]
    pub fn quiet(mut self) -> Failure {
        self.0.log_error = false;
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The line for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What was attached for programs, as JSON text.
    pub fn detail_json(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Whether it forbids a retry.
    pub fn is_permanent(&self) -> bool {
        self.0.retry == types::Retry::Never
    }

    /// Whether it asks not to be kept among the failed tasks.
    pub fn is_quiet(&self) -> bool {
        !self.0.log_error
    }
}

/// An argument that is missing, unknown or of the wrong type: running the task again cannot help.
pub(crate) fn invalid_arguments(message: impl Into<String>) -> Failure {
    Failure::new("invalid-arguments", message).permanent()
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::new(kind_of::<E>(), with_causes(&error))
    }
}

impl From<Failure> for types::Failure {
    fn from(failure: Failure) -> types::Failure {
        *failure.0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind(), self.message())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Failure");
        fields.field("kind", &self.0.kind).field("message", &self.0.message);
        if let Some(detail) = &self.0.detail {
            fields.field("detail", detail);
        }
        fields.field("retry", &self.0.retry).field("log_error", &self.0.log_error).finish()
    }
}

/// The name of an error's type as a programmer writes it. Where a type is defined is nobody's business, so
/// private modules of the standard library, modules called `error` and generic arguments are left out.
fn kind_of<E>() -> String {
    let full = std::any::type_name::<E>();
    let plain = full.split('<').next().unwrap_or(full);
    let mut parts: Vec<&str> = plain.split("::").collect();
    if matches!(parts[0], "core" | "alloc") {
        parts[0] = "std";
    }
    let from_std = parts[0] == "std";
    parts.retain(|part| match *part {
        "error" | "errors" => false,
        "dec2flt" => !from_std,
        _ => true,
    });
    parts.join("::")
}

/// The error and its causes, joined by colons. Many errors already say their cause: it is not said twice.
fn with_causes(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.ends_with(&text) {
            message += ": ";
            message += &text;
        }
        cause = error.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the port cannot be read")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    fn parse_error() -> std::num::ParseIntError {
        "x".parse::<u8>().expect_err("x is no number")
    }

    #[test]
    fn kinds_are_the_names_a_programmer_writes() {
        assert_eq!(kind_of::<std::io::Error>(), "std::io::Error");
        assert_eq!(kind_of::<std::num::ParseIntError>(), "std::num::ParseIntError");
        assert_eq!(kind_of::<std::num::ParseFloatError>(), "std::num::ParseFloatError");
        assert_eq!(kind_of::<std::str::Utf8Error>(), "std::str::Utf8Error");
        assert_eq!(kind_of::<std::string::FromUtf8Error>(), "std::string::FromUtf8Error");
        assert_eq!(kind_of::<serde_json::Error>(), "serde_json::Error");
        assert_eq!(kind_of::<Outer>(), "margay_sdk::failure::tests::Outer");
    }

    #[test]
    fn the_message_tells_the_causes() {
        let failure = Failure::from(Outer(parse_error()));
        assert_eq!(failure.message(), "the port cannot be read: invalid digit found in string");
    }

    #[test]
    fn a_question_mark_makes_a_failure_that_follows_the_policy() {
        fn parse() -> Result<u8> {
            Ok("x".parse()?)
        }
        let failure = parse().expect_err("x is no number");
        assert_eq!(failure.kind(), "std::num::ParseIntError");
        assert!(!failure.is_permanent() && !failure.is_quiet());
    }

    #[test]
    fn wishes_cross_as_data() {
        let failure = Failure::new("smtp", "greylisted")
            .retry_by(Retry::fixed(Duration::from_millis(1500), 3))
            .detail(&[450])
            .quiet();
        let wire = types::Failure::from(failure);
        let method = types::RetryMethod::Fixed(types::FixedRetry { delay: 1500, max_retries: 3 });
        assert_eq!(wire.retry, types::Retry::ByMethod(method));
        assert_eq!(wire.detail.as_deref(), Some("[450]"));
        assert!(!wire.log_error);
    }
}
