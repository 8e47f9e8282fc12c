//! The texts of one parameter, as `serde` reads them.

use std::borrow::Cow;
use std::num::IntErrorKind;
use std::str::FromStr;

use serde::de::value::{Error, SeqDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// The texts of one parameter. A single value has exactly one text. A list has the items of all of its texts.
pub(super) struct Texts<'q>(pub &'q [Cow<'q, str>]);

/// The items of a list.
pub(super) fn items<'q>(texts: &'q [Cow<'q, str>]) -> impl Iterator<Item = &'q str> {
    texts.iter().flat_map(|text| text.split(','))
}

impl<'q> Texts<'q> {
    fn one(&self) -> Result<&'q str, Error> {
        match self.0 {
            [one] => Ok(one),
            _ => Err(Error::custom("a parameter that is no list may be sent only once")),
        }
    }

    fn parsed<T: FromStr>(&self) -> Result<T, Error>
    where
        T::Err: std::fmt::Display,
    {
        self.one()?.parse().map_err(Error::custom)
    }
}

/// One item of a list.
struct Item<'q>([Cow<'q, str>; 1]);

impl<'de> IntoDeserializer<'de> for Item<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Item<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        Texts(&self.0).deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        Texts(&self.0).deserialize_enum(name, variants, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de> for Texts<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Reads a number, for the method of the same type.
macro_rules! number {
    ($($method:ident, $visit:ident;)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.parsed()?)
        })+
    };
}

impl<'de> Deserializer<'de> for Texts<'_> {
    type Error = Error;

    number! {
        deserialize_bool, visit_bool;
        deserialize_i8, visit_i8;
        deserialize_i16, visit_i16;
        deserialize_i32, visit_i32;
        deserialize_i64, visit_i64;
        deserialize_u8, visit_u8;
        deserialize_u32, visit_u32;
        deserialize_u64, visit_u64;
        deserialize_f32, visit_f32;
        deserialize_f64, visit_f64;
    }

    /// The type of a limit of rows. A number beyond its largest one is read as that: lists lower a limit anyway.
    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let text = self.one()?;
        match text.parse::<u16>() {
            _ if text.starts_with('+') => Err(Error::custom("not a whole number")),
            Ok(number) => visitor.visit_u16(number),
            Err(error) if *error.kind() == IntErrorKind::PosOverflow => visitor.visit_u16(u16::MAX),
            _ => Err(Error::custom("not a whole number")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        visitor.visit_enum(StrDeserializer::<Error>::new(self.one()?))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(SeqDeserializer::new(items(self.0).map(|item| Item([Cow::Borrowed(item)]))))
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.one()?)
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}
