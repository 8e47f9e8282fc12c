//! A cursor: a position, with the identifier of its log.

use std::fmt;
use std::str::FromStr;

use domain::ids::LogId;

/// A place in the log: everything up to the position is known. Written as `LOG_ID:POSITION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The identifier of the log.
    pub log_id: LogId,
    /// The position of the last event that is known. It is 0 before the first one.
    pub position: i64,
}

/// A text that is not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is a log_id and a position, with a colon between them")]
pub struct InvalidCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.log_id, self.position)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (log_id, position) = text.split_once(':').ok_or(InvalidCursor)?;
        let is_number = !position.is_empty() && position.bytes().all(|byte| byte.is_ascii_digit());
        let position = position.parse().ok().filter(|_| is_number).ok_or(InvalidCursor)?;
        Ok(Self { log_id: log_id.parse().map_err(|_| InvalidCursor)?, position })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_cursor_is_read_back_as_it_was_written() {
        let cursor = Cursor { log_id: LogId(Uuid::from_u128(7)), position: 4711 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[test]
    fn other_texts_are_no_cursors() {
        let id = Uuid::from_u128(7);
        for text in [
            "",
            ":",
            "4711",
            &id.to_string(),
            &format!("{id}:"),
            &format!("{id}:-1"),
            &format!("{id}:+1"),
            &format!("{id}:9223372036854775808"),
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
        }
    }
}
