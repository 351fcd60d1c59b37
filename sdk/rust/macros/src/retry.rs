//! `retry = ..`: when a failure is followed by another run.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Expr, Path, Result};

use crate::values;

pub enum Retry {
    Default,
    Fixed { delay_ms: u64, max: u32 },
    Linear { delay_ms: u64, increment_ms: u64, max: u32 },
    Exponential { delay_ms: u64, factor: f64, max: u32 },
    Custom(Path),
}

const FORMS: &str = "expected `fixed(\"60s\", 3)`, `linear(\"1s\", \"2s\", 5)`, `exponential(\"1s\", 2.0, 5)`, \
                     `custom(function)`, or `retry` alone for the worker's default";

impl Retry {
    /// Reads the option's value; there is none in `retry` alone.
    pub fn read(value: Option<&Expr>) -> Result<Retry> {
        let Some(value) = value else { return Ok(Retry::Default) };
        let form = values::form(value).ok_or_else(|| Error::new_spanned(value, FORMS))?;
        match (form.name.as_str(), form.arguments.as_slice()) {
            ("fixed", [delay, max]) => {
                Ok(Retry::Fixed { delay_ms: values::duration(delay)?, max: values::count(max)? })
            }
            ("linear", [delay, increment, max]) => Ok(Retry::Linear {
                delay_ms: values::duration(delay)?,
                increment_ms: values::duration(increment)?,
                max: values::count(max)?,
            }),
            ("exponential", [delay, factor, max]) => Ok(Retry::Exponential {
                delay_ms: values::duration(delay)?,
                factor: values::factor(factor)?,
                max: values::count(max)?,
            }),
            ("custom", [Expr::Path(path)]) => Ok(Retry::Custom(path.path.clone())),
            ("fixed", _) => Err(Error::new_spanned(
                form.whole,
                "`fixed` takes a delay and how many retries: `fixed(\"60s\", 3)`",
            )),
            ("linear", _) => Err(Error::new_spanned(
                form.whole,
                "`linear` takes a delay, an increment and how many retries: `linear(\"1s\", \"2s\", 5)`",
            )),
            ("exponential", _) => Err(Error::new_spanned(
                form.whole,
                "`exponential` takes a delay, a factor and how many retries: `exponential(\"1s\", 2.0, 5)`",
            )),
            ("custom", _) => {
                Err(Error::new_spanned(form.whole, "`custom` takes the name of a task: `custom(backoff)`"))
            }
            _ => Err(Error::new_spanned(form.whole, FORMS)),
        }
    }

    /// The function it names, if any.
    pub fn names(&self) -> Option<&Path> {
        match self {
            Retry::Custom(path) => Some(path),
            _ => None,
        }
    }

    pub fn tokens(&self) -> TokenStream {
        let types = quote!(::margay_sdk::__private::types);
        match self {
            Retry::Default => quote!(#types::RetryMethod::Default),
            Retry::Fixed { delay_ms, max } => {
                quote!(#types::RetryMethod::Fixed(#types::FixedRetry { delay: #delay_ms, max_retries: #max }))
            }
            Retry::Linear { delay_ms, increment_ms, max } => quote! {
                #types::RetryMethod::Linear(#types::LinearRetry {
                    delay: #delay_ms, increment: #increment_ms, max_retries: #max,
                })
            },
            Retry::Exponential { delay_ms, factor, max } => quote! {
                #types::RetryMethod::Exponential(#types::ExponentialRetry {
                    delay: #delay_ms, factor: #factor, max_retries: #max,
                })
            },
            Retry::Custom(path) => quote! {
                #types::RetryMethod::Custom(::std::string::String::from(
                    <#path as ::margay_sdk::__private::Task>::NAME,
                ))
            },
        }
    }
}
