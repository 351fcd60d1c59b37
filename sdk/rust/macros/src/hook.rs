//! `hook = ..`: a function that is called around the runs of others.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Expr, Result};

use crate::nearest::nearest;
use crate::values;

#[derive(Clone, Copy)]
pub enum Hook {
    Before,
    After,
    OnPermanentError,
}

const WORDS: [&str; 3] = ["before", "after", "on_permanent_error"];

impl Hook {
    pub fn read(value: &Expr) -> Result<Hook> {
        let expected = "expected `before`, `after` or `on_permanent_error`, without quotes";
        let Some(word) = values::word(value) else { return Err(Error::new_spanned(value, expected)) };
        match word.as_str() {
            "before" => Ok(Hook::Before),
            "after" => Ok(Hook::After),
            "on_permanent_error" => Ok(Hook::OnPermanentError),
            _ => Err(Error::new_spanned(
                value,
                match nearest(&word, WORDS) {
                    Some(near) => format!("unknown hook `{word}`: did you mean `hook = {near}`?"),
                    None => expected.to_owned(),
                },
            )),
        }
    }

    pub fn tokens(self) -> TokenStream {
        let hook = match self {
            Hook::Before => quote!(Before),
            Hook::After => quote!(After),
            Hook::OnPermanentError => quote!(OnPermanentError),
        };
        quote!(::margay_sdk::__private::types::Hook::#hook)
    }

    /// Why a hook cannot have this option; `None` where it can.
    pub fn refuses(option: &str) -> Option<String> {
        match option {
            "hook" | "hard_timeout" => None,
            "batch" => Some(
                "a hook is called once for each run, with all of its tasks: leave out `batch`".to_owned(),
            ),
            "schedule" => Some("a hook never runs by itself: leave out `schedule`".to_owned()),
            "runner" => Some("no hooks are called around a hook: leave out `runner`".to_owned()),
            other => Some(format!("a hook is never enqueued: leave out `{other}`")),
        }
    }
}
