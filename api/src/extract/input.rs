//! Small parts that the inputs of several resources share.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer};

use crate::problem::Problem;

/// The years that RFC 3339 can write.
const YEARS: RangeInclusive<i32> = 0..=9999;

/// A field of a partial change (JSON Merge Patch, RFC 7396): an absent field keeps its value, `null` clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// The field stays as it is.
    #[default]
    Keep,
    /// The field is cleared.
    Clear,
    /// The field gets this value.
    Set(T),
}

impl<T> Change<T> {
    /// Parses the value, if there is one.
    ///
    /// # Errors
    /// Returns the errors of `parse`.
    pub fn parse<U, E>(&self, parse: impl FnOnce(&T) -> Result<U, E>) -> Result<Change<U>, E> {
        Ok(match self {
            Self::Keep => Change::Keep,
            Self::Clear => Change::Clear,
            Self::Set(value) => Change::Set(parse(value)?),
        })
    }
}

impl<T: Clone> Change<T> {
    /// The new value of a field that had the value `before`.
    #[must_use]
    pub fn of(&self, before: Option<&T>) -> Option<T> {
        match self {
            Self::Keep => before.cloned(),
            Self::Clear => None,
            Self::Set(value) => Some(value.clone()),
        }
    }
}

/// The field needs `#[serde(default)]` too: then an absent field is `Keep`, and a present one is `null` or a value.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(deserializer).map(|value| value.map_or(Self::Clear, Self::Set))
    }
}

/// Refuses a text that is not a single line of 1 to `chars_max` characters. Control characters are refused because, for
/// example, Postgres cannot store U+0000.
///
/// # Errors
/// The problem names the field.
pub fn reject_unless_line(field: &'static str, text: &str, chars_max: usize) -> Result<(), Problem> {
    if text.is_empty() || text.chars().count() > chars_max || text.chars().any(char::is_control) {
        return Err(Problem::invalid("input.invalid", field, format!("{field} must be one line of 1 to {chars_max} characters")));
    }
    Ok(())
}

/// Refuses a moment outside the years that RFC 3339 can write. Postgres, for example, has none before 4713 BC.
///
/// # Errors
/// The problem names the field.
pub fn reject_unless_moment(field: &'static str, moment: DateTime<Utc>) -> Result<(), Problem> {
    if YEARS.contains(&moment.year()) {
        return Ok(());
    }
    Err(Problem::malformed("request.query_invalid", Some(field.into()), format!("{field} must be in the years 0000 to 9999")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Example {
        #[serde(default)]
        title: Change<String>,
    }

    fn title(json: &str) -> Change<String> {
        serde_json::from_str::<Example>(json).expect("JSON").title
    }

    #[test]
    fn absent_keeps_and_null_clears() {
        let before = "before".to_owned();
        assert_eq!(title("{}").of(Some(&before)).as_deref(), Some("before"));
        assert_eq!(title(r#"{"title": null}"#).of(Some(&before)), None);
        assert_eq!(title(r#"{"title": "after"}"#).of(Some(&before)).as_deref(), Some("after"));
    }
}
