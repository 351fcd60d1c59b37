//! What a task function returns.

use syn::{Error, Result, ReturnType, Type};

use crate::parameters::last_segment;

/// How a return value becomes an answer.
pub enum Returns {
    /// A value, or nothing.
    Value,
    /// A `Result` of one.
    Result,
    /// One `Result` for each call of a batch.
    Answers,
    /// Those, or a failure of the whole run.
    ResultOfAnswers,
}

impl Returns {
    /// What a function of one call returns, and the type of its result.
    pub fn of_one(output: &ReturnType) -> (Returns, Option<&Type>) {
        match output {
            ReturnType::Default => (Returns::Value, None),
            ReturnType::Type(_, ty) => match of_result(ty) {
                Some(value) => (Returns::Result, value),
                None => (Returns::Value, Some(ty)),
            },
        }
    }

    /// What a batch function returns, and the type of one result.
    pub fn of_batch<'a>(
        output: &'a ReturnType,
        whole: &impl quote::ToTokens,
    ) -> Result<(Returns, Option<&'a Type>)> {
        let message =
            "a batch function answers each call: it returns `Vec<Result<T>>`, or `Result<Vec<Result<T>>>`";
        let ReturnType::Type(_, ty) = output else { return Err(Error::new_spanned(whole, message)) };
        if let Some(answer) = of_list(ty).and_then(of_result) {
            return Ok((Returns::Answers, answer));
        }
        match of_result(ty).flatten().and_then(of_list).and_then(of_result) {
            Some(answer) => Ok((Returns::ResultOfAnswers, answer)),
            None => Err(Error::new_spanned(ty, message)),
        }
    }
}

/// The value of a type called `Result`, which may keep it to itself (`fmt::Result`).
fn of_result(ty: &Type) -> Option<Option<&Type>> {
    let (name, types) = last_segment(ty)?;
    (name == "Result").then(|| types.first().copied())
}

fn of_list(ty: &Type) -> Option<&Type> {
    let (name, types) = last_segment(ty)?;
    if name == "Vec" { types.first().copied() } else { None }
}
