//! How answers show JSON documents that were stored as they are: payloads, states and settings. A member that is empty
//! (`null`) is left out, as in every other answer.
//!
//! Rows name the functions in `serialize_with`. The stored form does not change.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::timestamp;

/// The document without members that are `null`, at any depth. Items of lists stay, so that the others keep their places.
#[must_use]
pub fn without_nulls(document: Value) -> Value {
    match document {
        Value::Object(members) => {
            let left = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(left.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// A payload or a state of the domain, as answers show it: without members that are `null`, and with moments that have
/// six digits. A moment is the value of a member whose name ends with `_at`, or is `cut_off` or `moment`.
#[must_use]
pub fn shown(document: Value) -> Value {
    fn with_digits(document: &mut Value) {
        match document {
            Value::Object(members) => {
                for (name, value) in members {
                    match value.as_str().filter(|_| is_moment(name)).and_then(|text| text.parse::<DateTime<Utc>>().ok()) {
                        Some(moment) => *value = timestamp::text(moment).into(),
                        None => with_digits(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(with_digits),
            _ => {}
        }
    }
    let mut document = without_nulls(document);
    with_digits(&mut document);
    document
}

fn is_moment(name: &str) -> bool {
    name.ends_with("_at") || matches!(name, "cut_off" | "moment")
}

/// Writes a document without members that are `null`.
///
/// # Errors
/// Returns the errors of the serializer.
pub fn serialize<S: Serializer>(document: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    without_nulls(document.clone()).serialize(serializer)
}

/// Writes a document of the domain as answers show it ([`shown`]).
///
/// # Errors
/// Returns the errors of the serializer.
pub fn serialize_shown<S: Serializer>(document: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    shown(document.clone()).serialize(serializer)
}

/// Writes a document that may be absent, without members that are `null`.
///
/// # Errors
/// Returns the errors of the serializer.
pub fn serialize_option<S: Serializer>(document: &Option<Value>, serializer: S) -> Result<S::Ok, S::Error> {
    document.clone().map(without_nulls).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_members_are_left_out_and_moments_have_six_digits() {
        let stored = json!({
            "topic": null, "name": "2026-11-30T12:00:00Z", "sent_at": "2026-11-30T12:00:00Z", "looks_at": "the sea",
            "inner": [{"a": null, "due_at": "2026-11-30T12:00:00.123456789Z"}, null],
        });
        let expected = json!({
            "name": "2026-11-30T12:00:00Z", "sent_at": "2026-11-30T12:00:00.000000Z", "looks_at": "the sea",
            "inner": [{"due_at": "2026-11-30T12:00:00.123456Z"}, null],
        });
        assert_eq!(shown(stored), expected);
    }
}
