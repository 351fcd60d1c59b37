//! One call of a batch function: its typed arguments, and which task it is.

use serde::de::DeserializeOwned;

use crate::arguments::Given;
use crate::bindings::margay::task::types;
use crate::context::TaskInfo;
use crate::failure::Result;
use crate::payload;

/// One call of a batch function: its arguments, and the task it belongs to.
///
/// How arguments become an `A` depends on what `A` is:
///
/// | `A` | takes | example of a call |
/// |---|---|---|
/// | one value: a number, a `String`, a `Vec`, an enum, a [`serde_json::Value`] | one argument, by position, or by the name of the function's parameter | `[7]` |
/// | a tuple, such as `(u64, String)`, or an array | that many arguments, by position | `[7, "de"]` |
/// | a struct with fields, or a map | arguments by name, one for each field | `{"user": 7, "lang": "de"}` |
/// | `()` | nothing | |
///
/// A struct of one unnamed field is treated as that field is. Fields that are an `Option` or have
/// `#[serde(default)]` may be left out. To take one struct as one argument, write a tuple of one:
/// `Call<(Order,)>`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Call<A> {
    /// The arguments.
    pub args: A,
    /// Which task this is.
    pub task: TaskInfo,
    /// Which call of the run this is, from 0. Calls whose arguments are wrong never reach the function, so
    /// this may differ from the position in its list.
    pub index: u32,
}

impl<A> Call<A> {
    /// A call as a test makes it: of no real task.
    pub fn new(args: A) -> Call<A> {
        Call { args, task: example_task(), index: 0 }
    }
}

impl<A: DeserializeOwned> Call<A> {
    /// Types a call's arguments. `parameter` is the name under which a single value may be given.
    pub(crate) fn read(call: types::Call, index: u32, parameter: &str) -> Result<Call<A>> {
        let given = Given::read(&call)?;
        let args = payload::read(given, parameter)?;
        Ok(Call { args, task: call.task, index })
    }
}

/// A task for code that runs outside the runtime, in tests above all.
pub(crate) fn example_task() -> TaskInfo {
    TaskInfo {
        id: "00000000000070008000000000000000".to_owned(),
        function: "example:function".to_owned(),
        queue: "default".to_owned(),
        attempt: 1,
        enqueued_at: None,
        scheduled_at: None,
    }
}

#[cfg(test)]
pub(crate) fn example_call(args: &str, kwargs: &str) -> types::Call {
    types::Call { task: example_task(), args: args.to_owned(), kwargs: kwargs.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<A: DeserializeOwned>(args: &str, kwargs: &str) -> Result<A, String> {
        let call = Call::read(example_call(args, kwargs), 0, "order");
        call.map(|call| call.args).map_err(|failure| failure.message().to_owned())
    }

    #[derive(serde::Deserialize, Debug, PartialEq)]
    struct User {
        user: u64,
        lang: Option<String>,
    }

    #[derive(serde::Deserialize, Debug, PartialEq)]
    struct Id(u64);

    #[test]
    fn one_value_is_one_argument() {
        assert_eq!(read::<u64>("[7]", "{}"), Ok(7));
        assert_eq!(read::<Id>("[]", r#"{"order": 7}"#), Ok(Id(7)));
        assert_eq!(read::<Vec<u8>>("[[1, 2]]", "{}"), Ok(vec![1, 2]));
        assert_eq!(read::<Option<u64>>("[]", "{}"), Ok(None));
        assert_eq!(
            read::<Box<serde_json::value::RawValue>>("[ 1.50 ]", "{}").expect("any JSON").get(),
            "1.50"
        );
    }

    #[test]
    fn a_tuple_is_that_many_arguments() {
        assert_eq!(read::<(u64, String)>(r#"[7, "de"]"#, "{}"), Ok((7, "de".to_owned())));
        assert_eq!(read::<(User,)>(r#"[{"user": 7}]"#, "{}"), Ok((User { user: 7, lang: None },)));
        assert_eq!(read::<()>("[]", "{}"), Ok(()));
    }

    #[test]
    fn a_struct_is_arguments_by_name() {
        assert_eq!(read::<User>("[]", r#"{"user": 7}"#), Ok(User { user: 7, lang: None }));
        let map = std::collections::BTreeMap::from([("a".to_owned(), 1)]);
        assert_eq!(read("[]", r#"{"a": 1}"#), Ok(map));
    }

    #[test]
    fn a_refusal_names_the_argument() {
        let refusal = |result: Result<u64, String>| result.expect_err("these arguments are wrong");
        assert_eq!(refusal(read("[]", "{}")), "argument `order` is missing");
        assert_eq!(refusal(read("[true]", "{}")), "argument `order`: expected u64, got boolean `true`");
        assert_eq!(refusal(read("[1, 2]", "{}")), "2 positional arguments given, but there is only `order`");
        assert_eq!(refusal(read("[]", r#"{"x": 1}"#)), "argument `x` is unknown: there is only `order`");
        assert_eq!(
            refusal(read("[1]", r#"{"order": 1}"#)),
            "argument `order` is given twice, by position and by name"
        );

        let refusal = |result: Result<(u64, u64), String>| result.expect_err("these arguments are wrong");
        assert_eq!(refusal(read("[1]", "{}")), "1 positional arguments given, but 2 are needed");
        assert_eq!(refusal(read("[1, 2, 3]", "{}")), "3 positional arguments given, but 2 are needed");
        assert_eq!(refusal(read("[1, []]", "{}")), "argument number 2: expected u64, got sequence");
        assert_eq!(refusal(read("[1, 2]", r#"{"x": 1}"#)), "argument `x` is unknown: give all by position");

        let refusal = |result: Result<User, String>| result.expect_err("these arguments are wrong");
        assert_eq!(refusal(read("[]", "{}")), "argument `user` is missing");
        assert_eq!(refusal(read("[]", r#"{"user": ""}"#)), "argument `user`: expected u64, got string \"\"");
        assert_eq!(
            refusal(read("[]", r#"{"user": 1, "x": 2}"#)),
            "argument `x` is unknown: there are `user`, `lang`"
        );
        assert_eq!(refusal(read("[1]", "{}")), "give all arguments by name: `user`, `lang`");
    }
}
