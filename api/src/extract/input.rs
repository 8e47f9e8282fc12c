//! Small parts that the inputs of several resources share.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

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

impl<T> Change<T> {
    /// Parses the value of a field that cannot be cleared. `None` if the field stays as it is.
    ///
    /// # Errors
    /// The change clears the field, or `parse` refuses the value.
    pub fn parse_required<U, E: Into<Problem>>(
        &self,
        field: &'static str,
        parse: impl FnOnce(&T) -> Result<U, E>,
    ) -> Result<Option<U>, Problem> {
        match self {
            Self::Keep => Ok(None),
            Self::Clear => {
                Err(Problem::invalid("input.required", field, format!("{field} cannot be cleared: send a value, or leave it out")))
            }
            Self::Set(value) => parse(value).map(Some).map_err(Into::into),
        }
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

/// Applies a merge patch to an object (RFC 7396, section 2): each member replaces that of the object, `null` removes it,
/// and objects are merged with objects.
pub fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, change) in patch {
        match change {
            Value::Null => drop(target.remove(name)),
            Value::Object(change) => {
                let member = target.entry(name.as_str()).or_insert_with(|| Value::Object(Map::new()));
                if !member.is_object() {
                    *member = Value::Object(Map::new());
                }
                if let Value::Object(member) = member {
                    merge(member, change);
                }
            }
            _ => drop(target.insert(name.clone(), change.clone())),
        }
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
    fn a_required_field_cannot_be_cleared() {
        let parse = |text: &String| Ok::<_, Problem>(text.len());
        assert_eq!(title("{}").parse_required("title", parse).ok(), Some(None));
        assert_eq!(title(r#"{"title": "abc"}"#).parse_required("title", parse).ok(), Some(Some(3)));
        let refused = title(r#"{"title": null}"#).parse_required("title", parse).expect_err("a refusal");
        assert!(refused.to_string().starts_with("input.required: title cannot be cleared"), "{refused}");
    }

    /// The examples of RFC 7396, appendix A, whose patch is an object.
    #[test]
    fn a_merge_patch_does_what_its_rfc_says() {
        for (original, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            let object = |text: &str| serde_json::from_str::<Map<String, Value>>(text).expect("an object");
            let mut merged = object(original);
            merge(&mut merged, &object(patch));
            assert_eq!(merged, object(result), "{original} {patch}");
        }
    }

    #[test]
    fn absent_keeps_and_null_clears() {
        let before = "before".to_owned();
        assert_eq!(title("{}").of(Some(&before)).as_deref(), Some("before"));
        assert_eq!(title(r#"{"title": null}"#).of(Some(&before)), None);
        assert_eq!(title(r#"{"title": "after"}"#).of(Some(&before)).as_deref(), Some("after"));
    }
}
