//! `schedule = ..`: when a function runs by itself.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Expr, LitStr, Path, Result};

use crate::values::{self, Form};

pub enum Schedule {
    Periodic { period_ms: u64, bounds: Bounds },
    Cron { expression: LitStr, time_zone: Option<LitStr>, bounds: Bounds },
    Custom(Path),
}

/// The first and the last time, in milliseconds since 1970.
#[derive(Default)]
pub struct Bounds {
    start_ms: Option<u64>,
    end_ms: Option<u64>,
}

const FORMS: &str = "expected `periodic(\"5m\")`, `cron(\"0 4 * * 0\", time_zone = \"Europe/Berlin\")` or \
                     `custom(function)`";

impl Schedule {
    pub fn read(value: &Expr) -> Result<Schedule> {
        let form = values::form(value).ok_or_else(|| Error::new_spanned(value, FORMS))?;
        match (form.name.as_str(), form.arguments.as_slice()) {
            ("periodic", [period, named @ ..]) => {
                let mut bounds = Bounds::default();
                for_each_named(named, &["start", "end"], |name, value| bounds.set(name, value))?;
                Ok(Schedule::Periodic { period_ms: values::some_duration(period)?, bounds })
            }
            ("cron", [expression, named @ ..]) => {
                let expression = values::text(expression)?;
                check_cron(&expression)?;
                let mut time_zone = None;
                let mut bounds = Bounds::default();
                for_each_named(named, &["time_zone", "start", "end"], |name, value| match name {
                    "time_zone" => values::text(value).map(|zone| time_zone = Some(zone)),
                    _ => bounds.set(name, value),
                })?;
                Ok(Schedule::Cron { expression, time_zone, bounds })
            }
            ("custom", [Expr::Path(path)]) => Ok(Schedule::Custom(path.path.clone())),
            _ => Err(Error::new_spanned(form.whole, wrong_form(&form))),
        }
    }

    /// The function it names, if any.
    pub fn names(&self) -> Option<&Path> {
        match self {
            Schedule::Custom(path) => Some(path),
            _ => None,
        }
    }

    pub fn tokens(&self) -> TokenStream {
        let types = quote!(::margay_sdk::__private::types);
        match self {
            Schedule::Periodic { period_ms, bounds } => {
                let bounds = bounds.tokens();
                quote! {
                    #types::Schedule::Periodic(#types::PeriodicSchedule { period: #period_ms, #bounds })
                }
            }
            Schedule::Cron { expression, time_zone, bounds } => {
                let expression = values::string(expression);
                let time_zone = values::option(time_zone.as_ref().map(values::string));
                let bounds = bounds.tokens();
                quote! {
                    #types::Schedule::Cron(#types::CronSchedule {
                        expression: #expression, time_zone: #time_zone, #bounds
                    })
                }
            }
            Schedule::Custom(path) => quote! {
                #types::Schedule::Custom(::std::string::String::from(
                    <#path as ::margay_sdk::__private::Task>::NAME,
                ))
            },
        }
    }
}

impl Bounds {
    fn set(&mut self, name: &str, value: &Expr) -> Result<()> {
        let bound = if name == "start" { &mut self.start_ms } else { &mut self.end_ms };
        *bound = Some(values::time(value)?);
        match (self.start_ms, self.end_ms) {
            (Some(start), Some(end)) if end < start => {
                Err(Error::new_spanned(value, "this schedule ends before it starts"))
            }
            _ => Ok(()),
        }
    }

    fn tokens(&self) -> TokenStream {
        let start = values::option(self.start_ms.map(|ms| quote!(#ms)));
        let end = values::option(self.end_ms.map(|ms| quote!(#ms)));
        quote!(start: #start, end: #end,)
    }
}

fn wrong_form(form: &Form<'_>) -> &'static str {
    match form.name.as_str() {
        "periodic" => "`periodic` takes a period: `periodic(\"5m\")`",
        "cron" => "`cron` takes an expression: `cron(\"0 4 * * 0\")`",
        "custom" => "`custom` takes the name of a task: `custom(next_time)`",
        _ => FORMS,
    }
}

/// Visits arguments of the form `name = value`.
fn for_each_named(
    arguments: &[&Expr],
    known: &[&str],
    mut visit: impl FnMut(&str, &Expr) -> Result<()>,
) -> Result<()> {
    let mut seen = Vec::new();
    for argument in arguments {
        let named = match argument {
            Expr::Assign(assign) => values::word(&assign.left).map(|name| (name, &*assign.right)),
            _ => None,
        };
        let Some((name, value)) = named.filter(|(name, _)| known.contains(&name.as_str())) else {
            let known = crate::nearest::quoted_list(known.iter().copied());
            return Err(Error::new_spanned(argument, format!("expected one of {known}, as `name = \"..\"`")));
        };
        if seen.contains(&name) {
            return Err(Error::new_spanned(argument, format!("`{name}` is given twice")));
        }
        visit(&name, value)?;
        seen.push(name);
    }
    Ok(())
}

const CRON_FIELDS: [(&str, u32, u32); 5] =
    [("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7)];

/// Finds slips: a wrong number of fields, or a number out of range. The worker's parser has the last word.
fn check_cron(expression: &LitStr) -> Result<()> {
    let text = expression.value();
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != CRON_FIELDS.len() {
        let message = format!(
            "a cron expression has five fields (minute, hour, day of month, month, day of week), this one has {}",
            fields.len()
        );
        return Err(Error::new_spanned(expression, message));
    }
    for (field, (name, least, most)) in fields.into_iter().zip(CRON_FIELDS) {
        // The number after a slash is a step, which may be anything.
        let ranges = field.split(',').map(|range| range.split('/').next().unwrap_or(range));
        let numbers = ranges
            .flat_map(|range| range.split('-'))
            .filter(|part| part.starts_with(|c: char| c.is_ascii_digit()));
        for number in numbers {
            let known = number.parse().is_ok_and(|number| (least..=most).contains(&number));
            if !known && number.bytes().all(|byte| byte.is_ascii_digit()) {
                let message = format!("`{number}` is out of range: the {name} goes from {least} to {most}");
                return Err(Error::new_spanned(expression, message));
            }
        }
    }
    Ok(())
}
