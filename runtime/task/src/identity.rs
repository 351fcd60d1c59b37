//! Identity: the id that equal tasks share, and the name of their lock, byte for byte those that TaskTiger
//! computes.
//!
//! It is the SHA-256 of a JSON object of `args`, `func` and `kwargs`, written as Python writes JSON with
//! sorted keys. Where key names are given, only those named arguments count.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{Options, Task};

impl Task {
    /// The id of a unique task. Fails where arguments hold what JSON text can say and Python cannot, such as
    /// half a surrogate pair.
    pub fn unique_id(&self) -> Result<String, serde_json::Error> {
        self.identity(&self.unique_key)
    }

    /// The name of the lock that the task runs under: of its own, else of its function's. `None` where it has
    /// none.
    pub fn lock_id(&self, own: Option<&Options>) -> Result<Option<String>, serde_json::Error> {
        let wants_own = self.lock || !self.lock_key.is_empty();
        let key = match own {
            _ if wants_own => &self.lock_key,
            Some(own) if own.lock || !own.lock_key.is_empty() => &own.lock_key,
            _ => return Ok(None),
        };
        self.identity(key).map(Some)
    }

    fn identity(&self, key: &[String]) -> Result<String, serde_json::Error> {
        let mut text = String::from("{\"args\": ");
        if key.is_empty() {
            write_json(&mut text, self.args_json())?;
        } else {
            text.push_str("null");
        }
        text.push_str(", \"func\": ");
        write_string(&mut text, self.func.as_str());
        text.push_str(", \"kwargs\": ");
        if key.is_empty() {
            write_json(&mut text, self.kwargs_json())?;
        } else {
            let kwargs: BTreeMap<String, Box<RawValue>> = serde_json::from_str(self.kwargs_json())?;
            let named =
                key.iter().map(|name| (name.clone(), kwargs.get(name).map_or("null", |raw| raw.get())));
            write_object(&mut text, named.collect())?;
        }
        text.push('}');
        Ok(hash(&text))
    }
}

fn hash(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let mut id = String::with_capacity(64);
    for byte in hash {
        write!(id, "{byte:02x}").expect("a text takes any text");
    }
    id
}

fn write_json(text: &mut String, json: &str) -> Result<(), serde_json::Error> {
    match json.as_bytes().first() {
        Some(b'{') => {
            // A map by bytes sorts as Python does by code points, and the last of equal keys wins.
            let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json)?;
            let members = members.iter().map(|(name, value)| (name.clone(), value.get()));
            write_object(text, members.collect())
        }
        Some(b'[') => {
            let items: Vec<Box<RawValue>> = serde_json::from_str(json)?;
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                text.push_str(if place == 0 { "" } else { ", " });
                write_json(text, item.get())?;
            }
            text.push(']');
            Ok(())
        }
        Some(b'"') => {
            write_string(text, &serde_json::from_str::<String>(json)?);
            Ok(())
        }
        Some(b'-' | b'0'..=b'9') if json.contains(['.', 'e', 'E']) => {
            write_float(text, serde_json::from_str(json)?);
            Ok(())
        }
        _ => {
            text.push_str(if json == "-0" { "0" } else { json });
            Ok(())
        }
    }
}

fn write_object(text: &mut String, members: BTreeMap<String, &str>) -> Result<(), serde_json::Error> {
    text.push('{');
    for (place, (name, value)) in members.iter().enumerate() {
        text.push_str(if place == 0 { "" } else { ", " });
        write_string(text, name);
        text.push_str(": ");
        write_json(text, value)?;
    }
    text.push('}');
    Ok(())
}

/// Printable ASCII as it is, everything else escaped, with surrogate pairs beyond 16 bits.
fn write_string(text: &mut String, string: &str) {
    text.push('"');
    for unit in string.encode_utf16() {
        match unit {
            0x22 => text.push_str("\\\""),
            0x5c => text.push_str("\\\\"),
            0x08 => text.push_str("\\b"),
            0x0c => text.push_str("\\f"),
            0x0a => text.push_str("\\n"),
            0x0d => text.push_str("\\r"),
            0x09 => text.push_str("\\t"),
            0x20..=0x7e => text.push(char::from(unit as u8)),
            _ => write!(text, "\\u{unit:04x}").expect("a text takes any text"),
        }
    }
    text.push('"');
}

/// The shortest digits that mean this number, as Python's `repr` places them: with an exponent below 1e-4 and
/// from 1e16 on.
fn write_float(text: &mut String, number: f64) {
    if !number.is_finite() {
        let name = if number.is_nan() { "NaN" } else { "Infinity" };
        text.push_str(if number < 0.0 { "-" } else { "" });
        text.push_str(name);
        return;
    }
    let shortest = format!("{number:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(text, "{digits}e{sign}{:02}", exponent.abs()).expect("a text takes any text");
    } else {
        write!(text, "{number:?}").expect("a text takes any text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FunctionName;

    fn task(func: &str, args: &str, kwargs: &str) -> Task {
        let raw = |json: &str| Some(RawValue::from_string(json.to_owned()).expect("json"));
        let func = FunctionName::parse(func).expect("a name");
        Task { args: raw(args), kwargs: raw(kwargs), ..Task::new("", func) }
    }

    fn id(func: &str, args: &str, kwargs: &str) -> String {
        task(func, args, kwargs).unique_id().expect("an id")
    }

    fn id_by(key: &[&str], kwargs: &str) -> String {
        let unique_key = key.iter().map(|name| (*name).to_owned()).collect();
        Task { unique_key, ..task("mod:func", "[]", kwargs) }.unique_id().expect("an id")
    }

    #[test]
    fn ids_are_tasktigers() {
        let vectors = [
            (id("mod:func", "[]", "{}"), "9985af2294ea5e5c5a09a3a06978e1359c10791094fadf75c27297be7f66ee90"),
            (
                id("tests.tasks:unique_task", "[]", r#"{"value":1}"#),
                "cddce980c194b1e8a5f38b0d1a476c51d73e3f30f6cc846ffb07c551c1328513",
            ),
            (
                id("mytasks:locked", "[1]", "{}"),
                "4b4912599e83b4d0c332c39b6c0da80a0320bc5a664411033e5b597543077111",
            ),
        ];
        for (ours, theirs) in vectors {
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        let args = "[1, 2.0, -0.0, 1e+16, 1e-07, 123456789.123, 1e+22, 5e-324, true, null, \"x\"]";
        assert_eq!(id("m:f", args, "{}"), "7b111275a59703a795392fcbe47346388a98c05fd8166f85f944f894513553e3");
    }

    #[test]
    fn strings_are_escaped_as_python_escapes_them() {
        let args = r#"["é","\u2028","😀","\u007f","\u0000\u001f","\"\\/","\b\f\n\r\t"]"#;
        assert_eq!(id("m:f", args, "{}"), "45ef788907a73919563e1bad5cdd9efa0222501796965cc59b3b25054d7e8cae");
    }

    #[test]
    fn keys_are_sorted_by_code_point_at_every_level() {
        let args = r#"[[], {}, [[]], {"b":1,"a":{"z":1,"y":2}}]"#;
        let kwargs = r#"{"é":1,"z":2,"Z":3,"😀":4,"\uffff":5}"#;
        assert_eq!(
            id("m:f", args, kwargs),
            "17715c92de6e1393388eb5b51e9fca02dfb7c9f28edaf9a0328120f7af2e90c9"
        );
    }

    #[test]
    fn named_keys_leave_the_other_arguments_out() {
        let by_a = "97f532a3f72de30e539a4322f03d865572ddf618a8321184f8b3d3c8ceefb5d2";
        assert_eq!(id_by(&["a"], r#"{"a":1}"#), by_a);
        assert_eq!(id_by(&["a"], r#"{"a":1,"b":2}"#), by_a);
        let without_a = "e7a5670bcd7876892c9f6afd60329a997bb10199952a8f1d3f4936b6bc7f6cf1";
        assert_eq!(id_by(&["a"], r#"{"a":null}"#), without_a);
        assert_eq!(id_by(&["a"], "{}"), without_a);
        assert_eq!(id_by(&["a", "b"], r#"{"b":2,"a":1}"#), id_by(&["b", "a"], r#"{"a":1,"b":2}"#));
    }

    #[test]
    fn what_is_no_number_is_written_as_python_writes_it() {
        let mut floats = [String::new(), String::new(), String::new()];
        for (text, float) in floats.iter_mut().zip([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]) {
            write_float(text, float);
        }
        let [nan, infinity, _] = &floats;
        let kwargs = format!("{{\"m\": {nan}, \"n\": {infinity}}}");
        let args = "[100000000000000000000, -5, 9007199254740993]";
        let text = format!("{{\"args\": {args}, \"func\": \"m:f\", \"kwargs\": {kwargs}}}");
        assert_eq!(hash(&text), "c5229e54b3643c05dcf8e2b444588c86b289525a2c8001505e69c8363be73ae6");
        assert_eq!(floats[2], "-Infinity");
    }

    #[test]
    fn a_lock_is_the_tasks_own_or_else_its_functions() {
        let own = Options { lock_key: vec!["a".to_owned()], ..Options::default() };
        let plain = task("mod:func", "[]", r#"{"a":1,"b":2}"#);
        assert_eq!(plain.lock_id(None).expect("an id"), None);
        assert_eq!(plain.lock_id(Some(&Options::default())).expect("an id"), None);
        let by_a = "97f532a3f72de30e539a4322f03d865572ddf618a8321184f8b3d3c8ceefb5d2";
        assert_eq!(plain.lock_id(Some(&own)).expect("an id").as_deref(), Some(by_a));
        let locked = Task { lock: true, ..task("mytasks:locked", "[1]", "{}") };
        let by_all = "4b4912599e83b4d0c332c39b6c0da80a0320bc5a664411033e5b597543077111";
        assert_eq!(locked.lock_id(Some(&own)).expect("an id").as_deref(), Some(by_all));
    }

    #[test]
    fn whole_numbers_of_any_length_keep_every_digit() {
        let long = id("m:f", "[100000000000000000000]", "{}");
        assert_ne!(long, id("m:f", "[100000000000000000001]", "{}"));
        assert_eq!(id("m:f", "[-0]", "{}"), id("m:f", "[0]", "{}"));
    }
}
