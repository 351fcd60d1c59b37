//! The options in `#[task(..)]`: read one by one, so that each mistake is reported at its own place.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, LitStr, Path, Result, Token};

use crate::hook::Hook;
use crate::nearest::{nearest, quoted_list};
use crate::retry::Retry;
use crate::schedule::Schedule;
use crate::values;

/// What `#[task(..)]` says.
#[derive(Default)]
pub struct Options {
    /// Where `batch` is written, if it is.
    pub batch: Option<Span>,
    /// Which hook it is, if it is one.
    pub hook: Option<Hook>,
    pub unique_key: Vec<LitStr>,
    pub lock_key: Vec<LitStr>,
    queue: Option<LitStr>,
    hard_timeout_ms: Option<u64>,
    unique: bool,
    lock: bool,
    max_queue_size: Option<u32>,
    retry: Option<Retry>,
    retry_on: Vec<LitStr>,
    max_stored_executions: Option<u32>,
    schedule: Option<Schedule>,
    runner: Option<LitStr>,
    priority: Option<i32>,
    deadline_ms: Option<u64>,
    expires_ms: Option<u64>,
    result_ttl_ms: Option<u64>,
    jitter_ms: Option<u64>,
    on_worker_lost: Option<WorkerLost>,
}

enum WorkerLost {
    Requeue,
    Fail,
}

/// Every option with an example of its use, in the order of the documentation.
const EXAMPLES: [(&str, &str); 21] = [
    ("queue", "queue = \"email\""),
    ("hard_timeout", "hard_timeout = \"30s\""),
    ("unique", "unique"),
    ("unique_key", "unique_key = [\"user\"]"),
    ("lock", "lock"),
    ("lock_key", "lock_key = [\"user\"]"),
    ("max_queue_size", "max_queue_size = 1000"),
    ("retry", "retry = exponential(\"1s\", 2.0, 5)"),
    ("retry_on", "retry_on = [\"smtp\"]"),
    ("max_stored_executions", "max_stored_executions = 10"),
    ("batch", "batch"),
    ("schedule", "schedule = periodic(\"5m\")"),
    ("runner", "runner = \"audit\""),
    ("hook", "hook = before"),
    ("priority", "priority = 10"),
    ("deadline", "deadline = \"1h\""),
    ("expires", "expires = \"10m\""),
    ("result_ttl", "result_ttl = \"1d\""),
    ("jitter", "jitter = \"5s\""),
    ("on_worker_lost", "on_worker_lost = requeue"),
    // Known under another name in TaskTiger.
    ("retry_method", "retry = fixed(\"60s\", 3)"),
];

/// One `name` or `name = value`.
struct Entry {
    name: Ident,
    value: Option<Expr>,
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> Result<Entry> {
        let name: Ident = input
            .parse()
            .map_err(|error| Error::new(error.span(), "expected an option such as `queue = \"email\"`"))?;
        if input.peek(syn::token::Paren) {
            return Err(Error::new_spanned(&name, format!("write `{}`", example(&name.to_string()))));
        }
        let value = match input.parse::<Option<Token![=]>>()? {
            Some(_) => Some(input.parse()?),
            None => None,
        };
        Ok(Entry { name, value })
    }
}

fn example(name: &str) -> String {
    let known = EXAMPLES.iter().find(|(known, _)| *known == name);
    known.map_or_else(|| format!("{name} = .."), |(_, example)| (*example).to_owned())
}

fn is_known(name: &str) -> bool {
    EXAMPLES.iter().any(|(known, _)| *known == name)
}

impl Options {
    /// Reads all options; what is wrong is told in `errors`, and left out.
    pub fn read(tokens: TokenStream, errors: &mut Vec<Error>) -> Options {
        let mut options = Options::default();
        let entries =
            match syn::parse::Parser::parse2(Punctuated::<Entry, Token![,]>::parse_terminated, tokens) {
                Ok(entries) => entries,
                Err(error) => {
                    errors.push(error);
                    return options;
                }
            };
        let is_hook = entries.iter().any(|entry| entry.name == "hook");
        let mut seen = Vec::new();
        for entry in entries {
            let name = entry.name.to_string();
            if seen.contains(&name) {
                errors.push(Error::new_spanned(&entry.name, format!("option `{name}` is given twice")));
                continue;
            }
            let refused = Hook::refuses(&name).filter(|_| is_hook && is_known(&name));
            let set = match refused {
                Some(message) => Err(Error::new_spanned(&entry.name, message)),
                None => options.set(&name, &entry),
            };
            errors.extend(set.err());
            seen.push(name);
        }
        options
    }

    fn set(&mut self, name: &str, entry: &Entry) -> Result<()> {
        let span = entry.name.span();
        let value = || {
            let needs_value = || Error::new(span, format!("`{name}` needs a value: `{}`", example(name)));
            entry.value.as_ref().ok_or_else(needs_value)
        };
        match name {
            "batch" => self.batch = flag(entry)?.then_some(span),
            "unique" => self.unique = flag(entry)?,
            "lock" => self.lock = flag(entry)?,
            "retry" => self.retry = Some(Retry::read(entry.value.as_ref())?),
            "queue" => self.queue = Some(queue(value()?)?),
            "hard_timeout" => self.hard_timeout_ms = Some(values::some_duration(value()?)?),
            "unique_key" => self.unique_key = values::texts(value()?)?,
            "lock_key" => self.lock_key = values::texts(value()?)?,
            "max_queue_size" => self.max_queue_size = Some(values::count(value()?)?),
            "retry_on" => self.retry_on = values::texts(value()?)?,
            "max_stored_executions" => self.max_stored_executions = Some(values::count(value()?)?),
            "schedule" => self.schedule = Some(Schedule::read(value()?)?),
            "hook" => self.hook = Some(Hook::read(value()?)?),
            "runner" => self.runner = Some(values::text(value()?)?),
            "priority" => self.priority = Some(values::priority(value()?)?),
            "deadline" => self.deadline_ms = Some(values::some_duration(value()?)?),
            "expires" => self.expires_ms = Some(values::some_duration(value()?)?),
            "result_ttl" => self.result_ttl_ms = Some(values::duration(value()?)?),
            "jitter" => self.jitter_ms = Some(values::duration(value()?)?),
            "on_worker_lost" => self.on_worker_lost = Some(worker_lost(value()?)?),
            _ => return Err(Error::new(span, unknown(name))),
        }
        Ok(())
    }

    /// Whether a schedule calls it, without arguments.
    pub fn is_scheduled(&self) -> bool {
        self.schedule.is_some()
    }

    /// The functions that the options name, which the module has to offer.
    pub fn named_functions(&self) -> impl Iterator<Item = &Path> {
        let retry = self.retry.as_ref().and_then(Retry::names);
        let schedule = self.schedule.as_ref().and_then(Schedule::names);
        retry.into_iter().chain(schedule)
    }

    /// The code that makes the contract's record of them.
    pub fn tokens(&self) -> TokenStream {
        let number = |value: Option<u64>| values::option(value.map(|value| quote!(#value)));
        let count = |value: Option<u32>| values::option(value.map(|value| quote!(#value)));
        let text = |value: &Option<LitStr>| values::option(value.as_ref().map(values::string));
        // As in TaskTiger, a key makes a task unique or locked, and kinds make its failures retried.
        let unique = self.unique || !self.unique_key.is_empty();
        let lock = self.lock || !self.lock_key.is_empty();
        let implied_retry = (!self.retry_on.is_empty()).then_some(&Retry::Default);
        let retry_method = values::option(self.retry.as_ref().or(implied_retry).map(Retry::tokens));

        let (unique_key, lock_key) = (values::strings(&self.unique_key), values::strings(&self.lock_key));
        let retry_on = values::strings(&self.retry_on);
        let (queue, runner) = (text(&self.queue), text(&self.runner));
        let (max_queue_size, max_stored) = (count(self.max_queue_size), count(self.max_stored_executions));
        let (hard_timeout, deadline) = (number(self.hard_timeout_ms), number(self.deadline_ms));
        let (expires, result_ttl) = (number(self.expires_ms), number(self.result_ttl_ms));
        let jitter = number(self.jitter_ms);
        let schedule = values::option(self.schedule.as_ref().map(Schedule::tokens));
        let priority = values::option(self.priority.map(|value| quote!(#value)));
        let on_worker_lost = values::option(self.on_worker_lost.as_ref().map(WorkerLost::tokens));
        quote! {
            ::margay_sdk::__private::types::FunctionOptions {
                queue: #queue,
                hard_timeout: #hard_timeout,
                unique: #unique,
                unique_key: #unique_key,
                lock: #lock,
                lock_key: #lock_key,
                max_queue_size: #max_queue_size,
                retry_method: #retry_method,
                retry_on: #retry_on,
                max_stored_executions: #max_stored,
                schedule: #schedule,
                runner: #runner,
                priority: #priority,
                deadline: #deadline,
                expires: #expires,
                result_ttl: #result_ttl,
                jitter: #jitter,
                on_worker_lost: #on_worker_lost,
            }
        }
    }
}

impl WorkerLost {
    fn tokens(&self) -> TokenStream {
        match self {
            WorkerLost::Requeue => quote!(::margay_sdk::__private::types::WorkerLost::Requeue),
            WorkerLost::Fail => quote!(::margay_sdk::__private::types::WorkerLost::Fail),
        }
    }
}

/// `unique` alone, or with `true` or `false`.
fn flag(entry: &Entry) -> Result<bool> {
    match &entry.value {
        None => Ok(true),
        Some(Expr::Lit(syn::ExprLit { lit: syn::Lit::Bool(flag), .. })) => Ok(flag.value),
        Some(value) => {
            let message = format!("`{}` is on or off: write it alone, or with `true` or `false`", entry.name);
            Err(Error::new_spanned(value, message))
        }
    }
}

fn queue(value: &Expr) -> Result<LitStr> {
    let queue = values::text(value)?;
    if queue.value().split('.').any(str::is_empty) {
        let message = "a queue's name is words joined by dots, such as \"email\" or \"email.acme\"";
        return Err(Error::new_spanned(queue, message));
    }
    Ok(queue)
}

fn worker_lost(value: &Expr) -> Result<WorkerLost> {
    match values::word(value).as_deref() {
        Some("requeue") => Ok(WorkerLost::Requeue),
        Some("fail") => Ok(WorkerLost::Fail),
        _ => Err(Error::new_spanned(value, "expected `requeue` or `fail`, without quotes")),
    }
}

fn unknown(name: &str) -> String {
    match nearest(name, EXAMPLES.iter().map(|(name, _)| *name)) {
        Some(near) => format!("unknown option `{name}`: did you mean `{}`?", example(near)),
        None => {
            let known = EXAMPLES.iter().map(|(name, _)| *name).filter(|name| *name != "retry_method");
            format!("unknown option `{name}`: there are {}", quoted_list(known))
        }
    }
}
