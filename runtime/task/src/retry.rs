//! How long to wait before a retry, and when to give up.

use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserializer};
use serde::ser::{SerializeTuple, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

/// A retry method. On the wire it is TaskTiger's pair of a function's name and its arguments, in seconds:
/// `["tasktiger.retry:_fixed", [60, 3]]`.
#[derive(Clone, Debug)]
pub enum RetryMethod {
    /// The same delay before every retry.
    Fixed {
        /// Seconds before each retry.
        delay: f64,
        /// Retries at most.
        max: u32,
    },
    /// `delay + increment * (n - 1)` before retry n.
    Linear {
        /// Seconds before the first retry.
        delay: f64,
        /// Seconds that each further retry adds.
        increment: f64,
        /// Retries at most.
        max: u32,
    },
    /// `delay * factor ^ (n - 1)` before retry n.
    Exponential {
        /// Seconds before the first retry.
        delay: f64,
        /// What each further retry multiplies it by.
        factor: f64,
        /// Retries at most.
        max: u32,
    },
    /// A function elsewhere decides.
    Custom {
        /// Its name, `module:function`.
        function: String,
        /// Its arguments after the number of the retry: a JSON array.
        args: Box<RawValue>,
    },
}

const FIXED: &str = "tasktiger.retry:_fixed";
const LINEAR: &str = "tasktiger.retry:_linear";
const EXPONENTIAL: &str = "tasktiger.retry:_exponential";

impl RetryMethod {
    /// TaskTiger's default: three retries, a minute apart.
    pub const DEFAULT: RetryMethod = RetryMethod::Fixed { delay: 60.0, max: 3 };

    /// Seconds to wait before retry number `n`, counted from 1; `None` when it is time to stop. A custom
    /// method has no answer here.
    pub fn delay(&self, n: u32) -> Option<f64> {
        let further = f64::from(n.saturating_sub(1));
        let (delay, max) = match *self {
            RetryMethod::Fixed { delay, max } => (delay, max),
            RetryMethod::Linear { delay, increment, max } => (delay + increment * further, max),
            RetryMethod::Exponential { delay, factor, max } => (delay * factor.powf(further), max),
            RetryMethod::Custom { .. } => return None,
        };
        (n <= max && delay.is_finite()).then(|| delay.max(0.0))
    }

    fn from_wire(name: &str, args: &RawValue) -> Option<RetryMethod> {
        // Names reach us as `module:function`, or with a dot from very old producers.
        let method = match name.replace("tasktiger.retry._", "tasktiger.retry:_").as_str() {
            FIXED => {
                let (delay, max): (f64, f64) = serde_json::from_str(args.get()).ok()?;
                RetryMethod::Fixed { delay, max: max as u32 }
            }
            LINEAR => {
                let (delay, increment, max): (f64, f64, f64) = serde_json::from_str(args.get()).ok()?;
                RetryMethod::Linear { delay, increment, max: max as u32 }
            }
            EXPONENTIAL => {
                let (delay, factor, max): (f64, f64, f64) = serde_json::from_str(args.get()).ok()?;
                RetryMethod::Exponential { delay, factor, max: max as u32 }
            }
            _ => RetryMethod::Custom { function: name.to_owned(), args: args.to_owned() },
        };
        Some(method)
    }
}

impl PartialEq for RetryMethod {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (RetryMethod::Custom { function: a, args: x }, RetryMethod::Custom { function: b, args: y }) => {
                a == b && x.get() == y.get()
            }
            (RetryMethod::Custom { .. }, _) | (_, RetryMethod::Custom { .. }) => false,
            (a, b) => a.numbers() == b.numbers(),
        }
    }
}

impl RetryMethod {
    fn numbers(&self) -> (&'static str, Vec<f64>) {
        match *self {
            RetryMethod::Fixed { delay, max } => (FIXED, vec![delay, f64::from(max)]),
            RetryMethod::Linear { delay, increment, max } => (LINEAR, vec![delay, increment, f64::from(max)]),
            RetryMethod::Exponential { delay, factor, max } => {
                (EXPONENTIAL, vec![delay, factor, f64::from(max)])
            }
            RetryMethod::Custom { .. } => ("", Vec::new()),
        }
    }
}

impl Serialize for RetryMethod {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_tuple(2)?;
        if let RetryMethod::Custom { function, args } = self {
            pair.serialize_element(function)?;
            pair.serialize_element(args)?;
            return pair.end();
        }
        let (name, numbers) = self.numbers();
        pair.serialize_element(name)?;
        pair.serialize_element(&numbers.into_iter().map(Number).collect::<Vec<_>>())?;
        pair.end()
    }
}

/// Whole numbers without a fraction, as Python writes them.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() < 1e15 {
            return serializer.serialize_i64(self.0 as i64);
        }
        serializer.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for RetryMethod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (name, args): (String, Box<RawValue>) = Deserialize::deserialize(deserializer)?;
        RetryMethod::from_wire(&name, &args).ok_or_else(|| {
            de::Error::custom(format!("the retry method `{name}` cannot have the arguments {}", args.get()))
        })
    }
}

/// A retry method that cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{0}` is not a retry method; write `fixed:60s:3`, `linear:1s:2s:5` or `exponential:1s:2:5`")]
pub struct BadRetry(String);

impl FromStr for RetryMethod {
    type Err = BadRetry;

    /// Reads the command line's form: `fixed:DELAY:MAX`, `linear:DELAY:INCREMENT:MAX` or
    /// `exponential:DELAY:FACTOR:MAX`, with durations such as `60s` or `500ms`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let method = match parts.as_slice() {
            ["fixed", delay, max] => {
                seconds(delay).zip(max.parse().ok()).map(|(delay, max)| Self::Fixed { delay, max })
            }
            ["linear", delay, increment, max] => seconds(delay)
                .zip(seconds(increment))
                .zip(max.parse().ok())
                .map(|((delay, increment), max)| Self::Linear { delay, increment, max }),
            ["exponential", delay, factor, max] => seconds(delay)
                .zip(factor.parse::<f64>().ok().filter(|factor| factor.is_finite() && *factor >= 0.0))
                .zip(max.parse().ok())
                .map(|((delay, factor), max)| Self::Exponential { delay, factor, max }),
            _ => None,
        };
        method.ok_or_else(|| BadRetry(text.to_owned()))
    }
}

fn seconds(text: &str) -> Option<f64> {
    humantime::parse_duration(text).ok().as_ref().map(Duration::as_secs_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(method: &RetryMethod) -> Vec<Option<f64>> {
        (1..=4).map(|n| method.delay(n)).collect()
    }

    #[test]
    fn delays_follow_tasktigers_formulas_and_stop_after_max() {
        let fixed = RetryMethod::Fixed { delay: 60.0, max: 3 };
        assert_eq!(delays(&fixed), [Some(60.0), Some(60.0), Some(60.0), None]);
        let linear = RetryMethod::Linear { delay: 1.0, increment: 2.0, max: 3 };
        assert_eq!(delays(&linear), [Some(1.0), Some(3.0), Some(5.0), None]);
        let exponential = RetryMethod::Exponential { delay: 1.0, factor: 3.0, max: 3 };
        assert_eq!(delays(&exponential), [Some(1.0), Some(3.0), Some(9.0), None]);
    }

    #[test]
    fn the_wire_form_is_tasktigers() {
        let text = r#"["tasktiger.retry:_exponential",[1,2,3]]"#;
        let method: RetryMethod = serde_json::from_str(text).expect("a method");
        assert_eq!(method, RetryMethod::Exponential { delay: 1.0, factor: 2.0, max: 3 });
        assert_eq!(serde_json::to_string(&method).expect("json"), text);
    }

    #[test]
    fn an_unknown_method_is_kept_as_it_came() {
        let text = r#"["shop.retry:slowly",[{"a": 1.50}]]"#;
        let method: RetryMethod = serde_json::from_str(text).expect("a method");
        assert_eq!(serde_json::to_string(&method).expect("json"), text);
        assert_eq!(method.delay(1), None);
    }

    #[test]
    fn the_command_lines_form_reads_durations() {
        assert_eq!("fixed:500ms:3".parse(), Ok(RetryMethod::Fixed { delay: 0.5, max: 3 }));
        assert_eq!("linear:1s:2s:5".parse(), Ok(RetryMethod::Linear { delay: 1.0, increment: 2.0, max: 5 }));
        for text in ["", "fixed", "fixed:60:3", "fixed:60s:x", "exponential:1s:nan:2", "often:1s:2"] {
            assert!(text.parse::<RetryMethod>().is_err(), "{text:?} was taken");
        }
    }
}
