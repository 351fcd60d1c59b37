//! A module as a list of its functions: described, and run by name. `export!` makes one from the tasks it
//! is given; everything here is the same in a component and in a test.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::margay::task::types::{self, FunctionOptions, FunctionSpec};
use crate::call::Call;
use crate::failure::{Failure, Result};
use crate::logging;

/// A task's result, as JSON text.
pub type Json = String;

/// What `#[task]` makes of a function. The function itself stays as it was written; this is implemented by
/// a type of the same name.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a task", note = "mark the function with `#[task]`")]
pub trait Task: Sized {
    /// Its name inside the module.
    const NAME: &'static str;
    /// Its doc comment.
    const DOC: &'static str;
    /// The JSON Schema of its arguments.
    const INPUT: Option<&'static str>;
    /// The JSON Schema of its result.
    const OUTPUT: Option<&'static str>;
    /// Its code.
    const BODY: Body;
    /// Which hook it is, if it is one.
    const HOOK: Option<types::Hook>;
    /// The functions of the same module that its options name.
    const NEEDS: &'static [&'static str];
    /// All of this, for a module's list.
    const FUNCTION: Function = Function {
        name: Self::NAME,
        hook: Self::HOOK,
        needs: Self::NEEDS,
        body: Self::BODY,
        describe: describe::<Self>,
    };

    /// Its options.
    fn options() -> FunctionOptions;
}

/// A task function's code, once its arguments and results are JSON.
#[derive(Clone, Copy)]
pub enum Body {
    /// Takes one call.
    One(fn(&types::Call) -> Result<Json>),
    /// Takes all calls of a run.
    Many(fn(Vec<types::Call>) -> Result<Vec<Result<Json>>>),
}

/// One function of a module.
pub struct Function {
    name: &'static str,
    hook: Option<types::Hook>,
    needs: &'static [&'static str],
    body: Body,
    describe: fn() -> FunctionSpec,
}

fn describe<T: Task>() -> FunctionSpec {
    FunctionSpec {
        name: T::NAME.to_owned(),
        doc: T::DOC.to_owned(),
        input: T::INPUT.map(str::to_owned),
        output: T::OUTPUT.map(str::to_owned),
        batch: matches!(T::BODY, Body::Many(_)),
        hook: T::HOOK,
        options: T::options(),
    }
}

/// All functions of a module.
pub struct Module(&'static [Function]);

impl Module {
    /// A module of these functions. Used in a constant, it fails to compile if two have the same name or are
    /// the same hook, or if a function that another one's options name is missing, or cannot be asked.
    ///
    /// # Panics
    /// In those cases.
    pub const fn new(functions: &'static [Function]) -> Module {
        let mut at = 0;
        while at < functions.len() {
            let function = &functions[at];
            assert!(
                find(functions, function.name) == at,
                "`export!` is given two functions of the same name"
            );
            assert!(
                find_hook(functions, function.hook) >= at,
                "`export!` is given two hooks of the same kind: a module has one"
            );
            let mut need = 0;
            while need < function.needs.len() {
                let named = find(functions, function.needs[need]);
                assert!(
                    named < functions.len(),
                    "a function named by `custom(..)` must be given to `export!` too"
                );
                assert!(
                    functions[named].hook.is_none() && matches!(functions[named].body, Body::One(_)),
                    "a function named by `custom(..)` takes one call: it cannot be a batch function or a hook"
                );
                need += 1;
            }
            at += 1;
        }
        Module(functions)
    }

    /// What the module offers.
    pub fn describe(&self) -> Vec<FunctionSpec> {
        self.0.iter().map(|function| (function.describe)()).collect()
    }

    /// Runs one call.
    ///
    /// # Errors
    /// The function's failure, or that there is no such function.
    pub fn run(&self, function: &str, call: types::Call) -> Result<Json> {
        logging::install();
        match self.body(function)? {
            Body::One(run) => run(&call),
            Body::Many(run) => run(vec![call])?.pop().unwrap_or_else(|| Err(wrong_length(1, 0))),
        }
    }

    /// Runs many calls in one go, one after the other where the function takes only one.
    ///
    /// # Errors
    /// What makes all of them fail; the failure of one call is its own answer.
    pub fn run_batch(&self, function: &str, calls: Vec<types::Call>) -> Result<Vec<Result<Json>>> {
        logging::install();
        match self.body(function)? {
            Body::One(run) => Ok(calls.iter().map(run).collect()),
            Body::Many(run) => run(calls),
        }
    }

    fn body(&self, name: &str) -> Result<Body> {
        match self.0.iter().find(|function| function.name == name) {
            Some(function) => Ok(function.body),
            None => {
                Err(Failure::new("unknown-function", format!("this module has no function `{name}`"))
                    .permanent())
            }
        }
    }
}

/// The position of the first hook of this kind, or the list's length.
const fn find_hook(functions: &[Function], wanted: Option<types::Hook>) -> usize {
    let Some(wanted) = wanted else { return functions.len() };
    let mut at = 0;
    while at < functions.len() {
        match functions[at].hook {
            Some(hook) if hook as u8 == wanted as u8 => return at,
            _ => at += 1,
        }
    }
    at
}

/// The position of a name, or the list's length: constants have no iterators.
const fn find(functions: &[Function], name: &str) -> usize {
    let mut at = 0;
    while at < functions.len() && !same(functions[at].name, name) {
        at += 1;
    }
    at
}

const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// The answer of a function that returns a plain value.
///
/// # Errors
/// `unserialisable-result` if it cannot be written as JSON.
pub fn answer<T: Serialize>(value: T) -> Result<Json> {
    serde_json::to_string(&value).map_err(|error| {
        Failure::new("unserialisable-result", format!("the result cannot be written as JSON: {error}"))
            .permanent()
    })
}

/// The answer of a function that returns a `Result`.
///
/// # Errors
/// The function's own, or that its result cannot be written as JSON.
pub fn answer_result<T: Serialize, E: Into<Failure>>(result: Result<T, E>) -> Result<Json> {
    answer(result.map_err(Into::into)?)
}

/// The answers of a batch function.
pub fn answers<T: Serialize, E: Into<Failure>>(results: Vec<Result<T, E>>) -> Vec<Result<Json>> {
    results.into_iter().map(answer_result).collect()
}

/// Runs a batch function on the calls whose arguments are right, and puts its answers in their places.
///
/// # Errors
/// The function's failure of the whole run, or `batch-length` if it does not answer each call.
pub fn run_batch<A: DeserializeOwned>(
    calls: Vec<types::Call>,
    parameter: &str,
    function: impl FnOnce(Vec<Call<A>>) -> Result<Vec<Result<Json>>>,
) -> Result<Vec<Result<Json>>> {
    let mut good = Vec::with_capacity(calls.len());
    let mut refused = Vec::with_capacity(calls.len());
    for (call, index) in calls.into_iter().zip(0..) {
        match Call::read(call, index, parameter) {
            Ok(call) => {
                good.push(call);
                refused.push(None);
            }
            Err(failure) => refused.push(Some(failure)),
        }
    }
    let count = good.len();
    let answers = if count == 0 { Vec::new() } else { function(good)? };
    if answers.len() != count {
        return Err(wrong_length(count, answers.len()));
    }
    let mut answers = answers.into_iter();
    let in_place = |failure: Option<Failure>| match failure {
        Some(failure) => Err(failure),
        None => answers.next().unwrap_or_else(|| Err(wrong_length(count, 0))),
    };
    Ok(refused.into_iter().map(in_place).collect())
}

fn wrong_length(calls: usize, answers: usize) -> Failure {
    let message = format!("the batch function was given {calls} calls and returned {answers} results");
    Failure::new("batch-length", message).permanent()
}
