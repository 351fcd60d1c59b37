//! JSON Schemas of arguments and results, as far as types can be recognised by their names. What is not
//! recognised may be anything: the SDK has the last word when the task runs.

use syn::{Expr, ExprLit, Lit, Type};

use crate::parameters::{Role, batch_payload, last_segment};
use crate::signature::Signature;

/// The schema of a function's arguments: an object with one property per parameter, in order.
pub fn input(signature: &Signature) -> String {
    let mut properties = Vec::new();
    let mut required = Vec::new();
    for parameter in signature.arguments() {
        let name = quote(&parameter.name());
        let mut schema = of(&parameter.ty).unwrap_or_default();
        match &parameter.role {
            Role::Required => required.push(name.clone()),
            Role::Default(value) => schema.extend(default(value.as_ref())),
            Role::Optional | Role::Context { .. } => {}
        }
        properties.push(format!("{name}:{{{}}}", schema.join(",")));
    }
    object(&properties, &required)
}

/// The schema of one call of a batch function, if its payload is a single value of a known type.
pub fn batch_input(signature: &Signature) -> Option<String> {
    let parameter = signature.arguments().next()?;
    let schema = of(batch_payload(&parameter.ty)?)?;
    let name = quote(&parameter.name());
    let property = format!("{name}:{{{}}}", schema.join(","));
    Some(object(&[property], &[name]))
}

/// The schema of a result.
pub fn output(result: Option<&Type>) -> Option<String> {
    let schema = match result {
        Some(ty) => of(ty)?,
        None => vec![kind("null")],
    };
    Some(format!("{{{}}}", schema.join(",")))
}

fn object(properties: &[String], required: &[String]) -> String {
    format!(
        "{{\"type\":\"object\",\"properties\":{{{}}},\"required\":[{}],\"additionalProperties\":false}}",
        properties.join(","),
        required.join(",")
    )
}

/// The members of a type's schema.
fn of(ty: &Type) -> Option<Vec<String>> {
    if let Type::Tuple(tuple) = ty {
        return tuple.elems.is_empty().then(|| vec![kind("null")]);
    }
    let (name, types) = last_segment(ty)?;
    let range = |least: &str, most: &str| {
        vec![kind("integer"), format!("\"minimum\":{least}"), format!("\"maximum\":{most}")]
    };
    match (name.to_string().as_str(), types.as_slice()) {
        ("bool", []) => Some(vec![kind("boolean")]),
        ("String", []) => Some(vec![kind("string")]),
        ("f32" | "f64", []) => Some(vec![kind("number")]),
        ("u8", []) => Some(range("0", "255")),
        ("u16", []) => Some(range("0", "65535")),
        ("u32", []) => Some(range("0", "4294967295")),
        ("u64" | "usize" | "u128", []) => Some(vec![kind("integer"), "\"minimum\":0".to_owned()]),
        ("i8", []) => Some(range("-128", "127")),
        ("i16", []) => Some(range("-32768", "32767")),
        ("i32", []) => Some(range("-2147483648", "2147483647")),
        ("i64" | "isize" | "i128", []) => Some(vec![kind("integer")]),
        ("Option", [some]) => {
            let some = of(some)?.join(",");
            Some(vec![format!("\"anyOf\":[{{{some}}},{{\"type\":\"null\"}}]")])
        }
        ("Vec", [element]) => {
            let items = of(element).unwrap_or_default().join(",");
            Some(vec![kind("array"), format!("\"items\":{{{items}}}")])
        }
        _ => None,
    }
}

fn kind(name: &str) -> String {
    format!("\"type\":\"{name}\"")
}

/// The default, where it is a plain literal.
fn default(value: Option<&Expr>) -> Option<String> {
    let Expr::Lit(ExprLit { lit, .. }) = value? else { return None };
    let json = match lit {
        Lit::Str(text) => quote(&text.value()),
        Lit::Bool(flag) => flag.value.to_string(),
        Lit::Int(number) => number.base10_digits().to_owned(),
        _ => return None,
    };
    Some(format!("\"default\":{json}"))
}

/// A text as JSON.
fn quote(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c.is_control() => json += &format!("\\u{:04x}", u32::from(c)),
            c => json.push(c),
        }
    }
    json + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_types_have_schemas_and_others_none() {
        let schema = |text: &str| output(Some(&syn::parse_str(text).expect("a type")));
        assert_eq!(schema("std::string::String").as_deref(), Some(r#"{"type":"string"}"#));
        assert_eq!(schema("()").as_deref(), Some(r#"{"type":"null"}"#));
        assert_eq!(
            schema("Vec<Option<u8>>").as_deref(),
            Some(
                r#"{"type":"array","items":{"anyOf":[{"type":"integer","minimum":0,"maximum":255},{"type":"null"}]}}"#
            )
        );
        assert_eq!(schema("Vec<Report>").as_deref(), Some(r#"{"type":"array","items":{}}"#));
        assert_eq!(schema("Report"), None);
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(quote("a\"b\\c\n"), r#""a\"b\\c\u000a""#);
    }
}
