//! Parses JSON that was written by many programs over many years: a number may be a string, a list may be null, an
//! object may be given by its identifier. A value that cannot be understood is treated as missing. Only invalid JSON is
//! an error.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text. Numbers and booleans become texts.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Scalar::deserialize(deserializer)? {
        Scalar::Nothing => None,
        Scalar::Flag(flag) => Some(flag.to_string()),
        Scalar::Whole(number) => Some(number.to_string()),
        // Moments are seconds with six decimal places.
        Scalar::Broken(number) => Some(format!("{number:.6}")),
        Scalar::Text(text) => Some(text),
    })
}

/// A boolean: `true`, `"true"`, `1`, `"1"`.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Scalar::deserialize(deserializer)? {
        Scalar::Nothing | Scalar::Broken(_) => false,
        Scalar::Flag(flag) => flag,
        Scalar::Whole(number) => number != 0,
        Scalar::Text(text) => matches!(text.as_str(), "true" | "1"),
    })
}

/// A whole number.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match Scalar::deserialize(deserializer)? {
        Scalar::Nothing | Scalar::Flag(_) => None,
        Scalar::Whole(number) => Some(number),
        #[expect(clippy::cast_possible_truncation, reason = "the fraction is not needed, and the cast saturates")]
        Scalar::Broken(number) => Some(number as i64),
        Scalar::Text(text) => text.split('.').next().and_then(|whole| whole.trim().parse().ok()),
    })
}

/// A list of texts.
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let Elements(list) = Elements::<Named>::deserialize(deserializer)?;
    Ok(list.into_iter().map(|Named(text)| text).collect())
}

/// A list of objects.
pub(super) fn list<'de, D: Deserializer<'de>, T: Record<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Elements::deserialize(deserializer).map(|Elements(list)| list)
}

/// An object.
pub(super) fn record<'de, D: Deserializer<'de>, T: Record<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Maybe::deserialize(deserializer).map(|Maybe(record)| record)
}

/// An object of an export. In an old export it may be given by its identifier alone.
pub(super) trait Record<'de>: Deserialize<'de> {
    /// The object, if only its identifier is given.
    fn named(_id: &str) -> Option<Self> {
        None
    }
}

/// A text in a list of texts, or the identifier of an object in a list of objects.
struct Named(String);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct WithId {
            #[serde(default, deserialize_with = "text")]
            id: Option<String>,
        }
        WithId::deserialize(deserializer).map(|with| Named(with.id.unwrap_or_default()))
    }
}

impl Record<'_> for Named {
    fn named(id: &str) -> Option<Self> {
        Some(Named(id.into()))
    }
}

enum Scalar {
    Nothing,
    Flag(bool),
    Whole(i64),
    Broken(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Scalar, E> {
        Ok(Scalar::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(number).map_or(Scalar::Nothing, Scalar::Whole))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Broken(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(text))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }
}

struct Elements<T>(Vec<T>);

impl<'de, T: Record<'de>> Deserialize<'de> for Elements<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RecordVisitor::<T, Many>(PhantomData)).map(Elements)
    }
}

struct Maybe<T>(Option<T>);

impl<'de, T: Record<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut found = deserializer.deserialize_any(RecordVisitor::<T, One>(PhantomData))?;
        Ok(Maybe(found.pop()))
    }
}

/// Reads a list.
struct Many;
/// Reads a single value.
struct One;

trait Shape {
    const LIST: bool;
}

impl Shape for Many {
    const LIST: bool = true;
}

impl Shape for One {
    const LIST: bool = false;
}

struct RecordVisitor<T, S>(PhantomData<(T, S)>);

impl<'de, T: Record<'de>, S: Shape> Visitor<'de> for RecordVisitor<T, S> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Vec<T>, E> {
        Ok(T::named(&number.to_string()).into_iter().collect())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Vec<T>, E> {
        Ok(T::named(&number.to_string()).into_iter().collect())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_str<E>(self, text: &str) -> Result<Vec<T>, E> {
        Ok(T::named(text).into_iter().collect())
    }

    fn visit_unit<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        if !S::LIST {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Vec::new());
        }
        let mut elements = Vec::new();
        while let Some(Maybe(element)) = list.next_element()? {
            elements.extend(element);
        }
        Ok(elements)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|record| vec![record])
    }
}
