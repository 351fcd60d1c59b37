//! `export!`: what makes a component of a project's tasks.

use crate::bindings::margay::task::types;
use crate::failure::Result;
use crate::module::Json;

/// Makes these tasks the functions of the module. A project uses it once, in its `lib.rs`; a task that it
/// does not name is not offered.
///
/// ```
/// # use margay_sdk::{Result, task};
/// mod mail {
///     # use margay_sdk::{Result, task};
///     #[task]
///     pub fn send(user: u64) -> Result<()> {
///         # let _ = user;
///         Ok(())
///     }
/// }
///
/// #[task]
/// fn tidy_up() {}
///
/// margay_sdk::export!(mail::send, tidy_up);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    ($($task:ty),+ $(,)?) => {
        const _: () = {
            const FUNCTIONS: &[$crate::__private::Function] =
                &[$(<$task as $crate::__private::Task>::FUNCTION),+];
            static MODULE: $crate::__private::Module = $crate::__private::Module::new(FUNCTIONS);

            #[allow(dead_code, reason = "on the host nothing exports it")]
            struct Exported;

            impl $crate::__private::Guest for Exported {
                fn describe() -> ::std::vec::Vec<$crate::__private::types::FunctionSpec> {
                    MODULE.describe()
                }

                fn run(
                    function: ::std::string::String,
                    call: $crate::__private::types::Call,
                ) -> ::std::result::Result<::std::string::String, $crate::__private::types::Failure> {
                    $crate::__private::wire_answer(MODULE.run(&function, call))
                }

                fn run_batch(
                    function: ::std::string::String,
                    calls: ::std::vec::Vec<$crate::__private::types::Call>,
                ) -> $crate::__private::WireAnswers {
                    $crate::__private::wire_answers(MODULE.run_batch(&function, calls))
                }
            }

            // Elsewhere there is nobody to export to, and two test binaries could not be told apart.
            #[cfg(target_family = "wasm")]
            $crate::bindings::export!(Exported with_types_in $crate::bindings);
        };
    };
}

/// What the contract's `run-batch` answers.
pub type WireAnswers = Result<Vec<Result<Json, types::Failure>>, types::Failure>;

/// An answer as the contract has it.
///
/// # Errors
/// The failure it was given.
pub fn wire_answer(answer: Result<Json>) -> Result<Json, types::Failure> {
    answer.map_err(Into::into)
}

/// The answers of a batch as the contract has them.
///
/// # Errors
/// The failure it was given.
pub fn wire_answers(answers: Result<Vec<Result<Json>>>) -> WireAnswers {
    Ok(answers?.into_iter().map(wire_answer).collect())
}
