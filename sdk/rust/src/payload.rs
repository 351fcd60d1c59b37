//! The arguments of a batch call as one value. A type is first asked what it wants to be read from, then
//! given its arguments in that form.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;

use crate::arguments::{Given, list, missing, quoted, typed};
use crate::failure::{Failure, Result, invalid_arguments};

/// Reads a call's arguments as an `A`; `parameter` names a single value.
pub(crate) fn read<A: DeserializeOwned>(given: Given<'_>, parameter: &str) -> Result<A> {
    let Err(shape) = A::deserialize(Probe) else {
        // A type that takes nothing from its input: there is nothing to give it either.
        return Err(invalid_arguments("the arguments' type reads no arguments"));
    };
    let named = match shape {
        Shape::One => {
            return single(given, parameter)?.ok_or_else(|| missing(parameter)).and_then(value(parameter));
        }
        Shape::Maybe => return single(given, parameter)?.map_or_else(absent, value(parameter)),
        Shape::Positions(count) => return positions(given, count),
        Shape::Names(fields) => Names::check(given, fields)?,
    };
    A::deserialize(named).map_err(|refusal| refusal.0)
}

fn value<'a, A: DeserializeOwned>(parameter: &str) -> impl FnOnce(&'a RawValue) -> Result<A> {
    move |raw| typed(&quoted(parameter), raw, PhantomData)
}

fn absent<A: DeserializeOwned>() -> Result<A> {
    Ok(serde_json::from_str("null")?)
}

/// The one argument of a type that is a single value.
fn single<'a>(mut given: Given<'a>, parameter: &str) -> Result<Option<&'a RawValue>> {
    let named = given.named.remove(parameter);
    if let Some(name) = given.named.keys().next() {
        return Err(invalid_arguments(format!("argument `{name}` is unknown: there is only `{parameter}`")));
    }
    match (given.positional.as_slice(), named) {
        ([value], None) => Ok(Some(value)),
        ([], value) => Ok(value),
        ([_], Some(_)) => {
            Err(invalid_arguments(format!("argument `{parameter}` is given twice, by position and by name")))
        }
        (many, _) => Err(invalid_arguments(format!(
            "{} positional arguments given, but there is only `{parameter}`",
            many.len()
        ))),
    }
}

fn positions<A: DeserializeOwned>(given: Given<'_>, count: usize) -> Result<A> {
    if let Some(name) = given.named.keys().next() {
        return Err(invalid_arguments(format!("argument `{name}` is unknown: give all by position")));
    }
    if given.positional.len() != count {
        let got = given.positional.len();
        return Err(invalid_arguments(format!("{got} positional arguments given, but {count} are needed")));
    }
    let values = given.positional.into_iter().enumerate();
    A::deserialize(Positions(values)).map_err(|refusal| refusal.0)
}

/// What a type wants to be read from.
#[derive(Debug)]
enum Shape {
    One,
    Maybe,
    Positions(usize),
    /// With these fields, or any where the type is a map.
    Names(&'static [&'static str]),
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Shape {}

impl de::Error for Shape {
    fn custom<T: fmt::Display>(_: T) -> Shape {
        Shape::One
    }
}

/// A deserialiser that never has a value: its error is the shape it was asked for.
struct Probe;

macro_rules! answer {
    ($($method:ident($($argument:ident: $type:ty),*) -> $shape:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* _: V) -> Result<V::Value, Shape> {
            Err($shape)
        }
    )*};
}

impl<'de> Deserializer<'de> for Probe {
    type Error = Shape;

    answer! {
        deserialize_any() -> Shape::One;
        deserialize_option() -> Shape::Maybe;
        deserialize_enum(_name: &'static str, _variants: &'static [&'static str]) -> Shape::One;
        deserialize_unit() -> Shape::Positions(0);
        deserialize_unit_struct(_name: &'static str) -> Shape::Positions(0);
        deserialize_tuple(count: usize) -> Shape::Positions(count);
        deserialize_tuple_struct(_name: &'static str, count: usize) -> Shape::Positions(count);
        deserialize_map() -> Shape::Names(&[]);
        deserialize_struct(_name: &'static str, fields: &'static [&'static str]) -> Shape::Names(fields);
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Shape> {
        // serde_json marks its own kinds of value this way, and only serde_json can read them.
        if name.starts_with("$serde_json") { Err(Shape::One) } else { visitor.visit_newtype_struct(self) }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf seq identifier
        ignored_any
    }
}

/// Why arguments were refused, on its way through serde.
#[derive(Debug)]
struct Refusal(Failure);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refusal {}

impl de::Error for Refusal {
    fn custom<T: fmt::Display>(message: T) -> Refusal {
        Refusal(invalid_arguments(message.to_string()))
    }

    fn missing_field(name: &'static str) -> Refusal {
        Refusal(missing(name))
    }
}

/// A tuple's arguments.
struct Positions<I>(I);

impl<'de, I: Iterator<Item = (usize, &'de RawValue)>> Deserializer<'de> for Positions<I> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_seq(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, I: Iterator<Item = (usize, &'de RawValue)>> de::SeqAccess<'de> for Positions<I> {
    type Error = Refusal;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refusal> {
        let Some((index, value)) = self.0.next() else { return Ok(None) };
        typed(&format!("number {}", index + 1), value, seed).map(Some).map_err(Refusal)
    }
}

/// A struct's or a map's arguments.
struct Names<'de> {
    rest: std::collections::btree_map::IntoIter<String, &'de RawValue>,
    next: Option<(String, &'de RawValue)>,
}

impl<'de> Names<'de> {
    fn check(given: Given<'de>, fields: &[&str]) -> Result<Names<'de>> {
        if !given.positional.is_empty() {
            return Err(invalid_arguments(match fields {
                [] => "give all arguments by name".to_owned(),
                fields => format!("give all arguments by name: {}", list(fields)),
            }));
        }
        let unknown = given.named.keys().find(|name| !fields.is_empty() && !fields.contains(&name.as_str()));
        if let Some(name) = unknown {
            return Err(invalid_arguments(format!(
                "argument `{name}` is unknown: there are {}",
                list(fields)
            )));
        }
        Ok(Names { rest: given.named.into_iter(), next: None })
    }
}

impl<'de> Deserializer<'de> for Names<'de> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_map(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> de::MapAccess<'de> for Names<'de> {
    type Error = Refusal;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refusal> {
        self.next = self.rest.next();
        let Some((name, _)) = &self.next else { return Ok(None) };
        let name: StrDeserializer<'_, Refusal> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refusal> {
        match self.next.take() {
            Some((name, value)) => typed(&quoted(&name), value, seed).map_err(Refusal),
            None => Err(de::Error::custom("a value was asked for before its name")),
        }
    }
}
