//! How answers write a moment: RFC 3339 in UTC, always with six digits of a second and `Z`. So texts of moments have one
//! length, and their order is the order of the moments.
//!
//! Rows name these functions in `serialize_with`. Events do not: their stored form never changes.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

/// The text of a moment.
#[must_use]
pub fn text(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Writes a moment.
///
/// # Errors
/// Returns the errors of the serializer.
pub fn serialize<S: Serializer>(moment: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    text(*moment).serialize(serializer)
}

/// Writes a moment that may be absent. The field is skipped if it is.
///
/// # Errors
/// Returns the errors of the serializer.
pub fn serialize_option<S: Serializer>(moment: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    moment.map(text).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_always_has_six_digits() {
        for (moment, expected) in [
            ("2026-11-30T12:00:00Z", "2026-11-30T12:00:00.000000Z"),
            ("2026-11-30T13:00:00.5+01:00", "2026-11-30T12:00:00.500000Z"),
            ("2026-11-30T12:00:00.123456789Z", "2026-11-30T12:00:00.123456Z"),
        ] {
            assert_eq!(text(moment.parse().expect("a moment")), expected);
        }
    }
}
