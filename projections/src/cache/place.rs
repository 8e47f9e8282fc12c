//! The place of a message among the others by time: a text that sorts in Redis as the messages do.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::relational::messages::Cursor;

/// The length of every place, in characters.
pub(super) const PLACE_CHARS: usize = 49;

/// The time in microseconds, then the identifier, which orders messages of the same microsecond.
pub(super) fn place(created_at: DateTime<Utc>, message_id: Uuid) -> String {
    format!("{:017}{}", created_at.timestamp_micros().max(0), message_id.simple())
}

/// Reads a place back.
pub(super) fn cursor(place: &str) -> Option<Cursor> {
    let (micros, id) = place.split_at_checked(17)?;
    let created_at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
    Some(Cursor { created_at, message_id: id.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_sort_as_their_messages_do_and_are_read_back() {
        let at = |micros| DateTime::from_timestamp_micros(micros).unwrap_or_default();
        let places = [
            place(at(999_999), Uuid::max()),
            place(at(1_000_000), Uuid::nil()),
            place(at(1_000_000), Uuid::from_u128(7)),
            place(at(1_700_000_000_000_000), Uuid::nil()),
        ];
        assert!(places.is_sorted() && places.iter().all(|place| place.len() == PLACE_CHARS));
        assert_eq!(cursor(&places[2]), Some(Cursor { created_at: at(1_000_000), message_id: Uuid::from_u128(7) }));
        assert_eq!(cursor("?"), None);
    }
}
