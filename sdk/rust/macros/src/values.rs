//! The values that options take: texts, numbers, durations, lists.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Expr, ExprLit, Lit, LitStr, Result};

use crate::{date, duration};

pub fn text(value: &Expr) -> Result<LitStr> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if !text.value().is_empty() => Ok(text.clone()),
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Err(Error::new_spanned(text, "this text is empty")),
        other => Err(Error::new_spanned(other, "expected a text in quotes")),
    }
}

/// A list of texts; a single text is a list of one.
pub fn texts(value: &Expr) -> Result<Vec<LitStr>> {
    let texts: Vec<LitStr> = match value {
        Expr::Array(array) => array.elems.iter().map(text).collect::<Result<_>>()?,
        single => vec![text(single).map_err(|error| {
            Error::new(error.span(), "expected a list of texts, such as `[\"first\", \"second\"]`")
        })?],
    };
    if texts.is_empty() {
        return Err(Error::new_spanned(value, "this list is empty: leave the option out"));
    }
    for (at, text) in texts.iter().enumerate() {
        if texts[..at].iter().any(|earlier| earlier.value() == text.value()) {
            return Err(Error::new_spanned(text, format!("`{}` is listed twice", text.value())));
        }
    }
    Ok(texts)
}

pub fn count(value: &Expr) -> Result<u32> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number
            .base10_parse()
            .map_err(|_| Error::new_spanned(number, format!("expected a whole number up to {}", u32::MAX))),
        other => Err(Error::new_spanned(other, format!("expected a whole number from 0 to {}", u32::MAX))),
    }
}

pub fn priority(value: &Expr) -> Result<i32> {
    let wrong =
        || Error::new_spanned(value, format!("expected a whole number from {} to {}", i32::MIN, i32::MAX));
    let (negative, literal) = match value {
        Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Neg(_)) => (true, &*unary.expr),
        other => (false, other),
    };
    let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = literal else { return Err(wrong()) };
    let number: i64 = number.base10_parse().map_err(|_| wrong())?;
    i32::try_from(if negative { -number } else { number }).map_err(|_| wrong())
}

/// A factor of at least 1, with or without a decimal point.
pub fn factor(value: &Expr) -> Result<f64> {
    let number = match value {
        Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => number.base10_parse::<f64>()?,
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => f64::from(number.base10_parse::<u32>()?),
        other => return Err(Error::new_spanned(other, "expected a number such as `2.0`")),
    };
    if number.is_finite() && number >= 1.0 {
        return Ok(number);
    }
    Err(Error::new_spanned(value, "this factor must be at least 1, or retries would come ever faster"))
}

/// A duration in milliseconds.
pub fn duration(value: &Expr) -> Result<u64> {
    let example = "such as \"500ms\", \"30s\", \"5m\", \"1h30m\" or \"2d\"";
    if let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = value {
        let unit = format!("a duration needs its unit: \"{}s\" if these are seconds", number.base10_digits());
        return Err(Error::new_spanned(number, unit));
    }
    let text =
        text(value).map_err(|error| Error::new(error.span(), format!("expected a duration {example}")))?;
    let wrong = || Error::new_spanned(&text, format!("`{}` is not a duration {example}", text.value()));
    duration::parse_ms(&text.value()).ok_or_else(wrong)
}

/// A duration in milliseconds that may not be nothing.
pub fn some_duration(value: &Expr) -> Result<u64> {
    match duration(value)? {
        0 => Err(Error::new_spanned(value, "this duration must be longer than nothing")),
        duration_ms => Ok(duration_ms),
    }
}

/// A point in time, in milliseconds since 1970.
pub fn time(value: &Expr) -> Result<u64> {
    let text = text(value)?;
    date::parse_ms(&text.value())
        .ok_or_else(|| Error::new_spanned(text, "expected a time such as \"2026-01-31T04:00:00Z\""))
}

/// A word that is no text: `requeue`.
pub fn word(value: &Expr) -> Option<String> {
    match value {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        _ => None,
    }
}

/// A form such as `fixed("60s", 3)`, taken apart.
pub struct Form<'a> {
    pub name: String,
    pub whole: &'a Expr,
    pub arguments: Vec<&'a Expr>,
}

pub fn form(value: &Expr) -> Option<Form<'_>> {
    let Expr::Call(call) = value else { return None };
    let name = word(&call.func)?;
    Some(Form { name, whole: value, arguments: call.args.iter().collect() })
}

/// A value that may be absent, as the code for it.
pub fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

/// A text, as the code for a `String`.
pub fn string(text: &LitStr) -> TokenStream {
    quote!(::std::string::String::from(#text))
}

/// Texts, as the code for a `Vec<String>`.
pub fn strings(texts: &[LitStr]) -> TokenStream {
    let texts = texts.iter().map(string);
    quote!(::std::vec![#(#texts),*])
}
