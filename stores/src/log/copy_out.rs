//! Parses rows of the log from the binary format of `COPY`
//! (<https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS>).

use chrono::{DateTime, Utc};
use domain::wire_event::Row;
use uuid::Uuid;

/// Signature and flags; the length of the extension area follows.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0";

/// The length of the header: the extension area has always been empty.
const HEADER_BYTES: usize = SIGNATURE.len() + 4;

/// Postgres' epoch, 2000-01-01, in Unix microseconds.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The number of columns of an event.
pub const EVENT_FIELDS: usize = 11;

/// Stands in place of a row's number of fields, and ends the rows.
const TRAILER: i16 = -1;

/// The bytes are not the rows that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rows of the log are not what was asked for: {0}")]
pub struct Malformed(&'static str);

/// Takes pieces as they come from the network, cut anywhere, and returns rows.
#[derive(Debug, Default)]
pub struct Parser<const FIELDS: usize> {
    /// The beginning of a row whose end has not arrived yet.
    kept: Vec<u8>,
    header_seen: bool,
}

impl<const FIELDS: usize> Parser<FIELDS> {
    /// Parses a piece. Postgres sends each row as a piece of its own, so usually nothing needs to be kept or copied.
    pub fn feed(&mut self, piece: &[u8], mut row: impl FnMut(Values<'_, FIELDS>) -> Result<(), Malformed>) -> Result<(), Malformed> {
        if self.kept.is_empty() {
            let read = self.read(piece, &mut row)?;
            self.kept.extend_from_slice(&piece[read..]);
            return Ok(());
        }
        let mut joined = std::mem::take(&mut self.kept);
        joined.extend_from_slice(piece);
        let read = self.read(&joined, &mut row)?;
        joined.drain(..read);
        self.kept = joined;
        Ok(())
    }

    /// Parses the complete rows, and returns their length.
    fn read(&mut self, bytes: &[u8], row: &mut impl FnMut(Values<'_, FIELDS>) -> Result<(), Malformed>) -> Result<usize, Malformed> {
        let mut read = 0;
        if !self.header_seen {
            if bytes.len() < HEADER_BYTES {
                return Ok(0);
            }
            if !bytes.starts_with(SIGNATURE) {
                return Err(Malformed("no signature"));
            }
            self.header_seen = true;
            read = HEADER_BYTES;
        }
        while let Some(length) = read_row(&bytes[read..], row)? {
            read += length;
        }
        Ok(read)
    }
}

/// Parses one row, and returns its length. `None` if it is not complete, or if there are no more rows.
fn read_row<const FIELDS: usize>(
    bytes: &[u8],
    row: &mut impl FnMut(Values<'_, FIELDS>) -> Result<(), Malformed>,
) -> Result<Option<usize>, Malformed> {
    let mut fields = Fields { bytes, at: 0 };
    match fields.int2() {
        None => return Ok(None),
        Some(TRAILER) => return Ok(Some(2)),
        Some(count) if usize::try_from(count) == Ok(FIELDS) => {}
        Some(_) => return Err(Malformed("another number of fields")),
    }
    match fields.all() {
        None => Ok(None),
        Some(values) => {
            row(values)?;
            Ok(Some(fields.at))
        }
    }
}

/// One field for each column. `None` is null.
pub type Values<'a, const FIELDS: usize> = [Option<&'a [u8]>; FIELDS];

struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// All fields of a row, if they are complete.
    fn all<const FIELDS: usize>(&mut self) -> Option<Values<'a, FIELDS>> {
        let mut values = [None; FIELDS];
        for value in &mut values {
            let length = i32::from_be_bytes(self.take(4)?.try_into().ok()?);
            if let Ok(length) = usize::try_from(length) {
                *value = Some(self.take(length)?);
            }
        }
        Some(values)
    }

    fn int2(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at + length)?;
        self.at += length;
        Some(taken)
    }
}

/// Makes an event from its columns, in the order of the statement.
pub fn as_row(values: Values<'_, EVENT_FIELDS>) -> Result<Row<'_>, Malformed> {
    let [position, event_id, aggregate_type, aggregate_id, sequence, workspace_id, recorded_at, event_type, version, payload, metadata] =
        values;
    Ok(Row {
        position: int8(position)?,
        event_id: uuid(event_id)?,
        aggregate_type: text(aggregate_type)?,
        aggregate_id: text(aggregate_id)?,
        sequence: int8(sequence)?,
        workspace_id: workspace_id.map(|bytes| uuid(Some(bytes))).transpose()?,
        recorded_at: time(recorded_at)?,
        event_type: text(event_type)?,
        event_version: text(version)?,
        payload: text(payload)?,
        metadata: text(metadata)?,
    })
}

/// Parses a whole number of eight bytes.
///
/// # Errors
/// The field is null or has another length.
pub fn int8(value: Option<&[u8]>) -> Result<i64, Malformed> {
    value.and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes).ok_or(Malformed("no bigint"))
}

fn uuid(value: Option<&[u8]>) -> Result<Uuid, Malformed> {
    value.and_then(|bytes| Uuid::from_slice(bytes).ok()).ok_or(Malformed("no uuid"))
}

fn text(value: Option<&[u8]>) -> Result<&str, Malformed> {
    value.and_then(|bytes| str::from_utf8(bytes).ok()).ok_or(Malformed("no text"))
}

fn time(value: Option<&[u8]>) -> Result<DateTime<Utc>, Malformed> {
    DateTime::from_timestamp_micros(micros(value)?).ok_or(Malformed("no time"))
}

/// Parses a time, in Unix microseconds.
///
/// # Errors
/// The field is null or has another length.
pub fn micros(value: Option<&[u8]>) -> Result<i64, Malformed> {
    int8(value)?.checked_add(POSTGRES_EPOCH_MICROS).ok_or(Malformed("no time"))
}

/// The bytes of a field that must not be null.
///
/// # Errors
/// The field is null.
pub fn bytes(value: Option<&[u8]>) -> Result<&[u8], Malformed> {
    value.ok_or(Malformed("a null"))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, proptest};
    use proptest::sample::Index;

    use super::*;

    fn copied() -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[0; 4]);
        for position in [7_i64, 8] {
            bytes.extend_from_slice(&i16::try_from(EVENT_FIELDS).expect("few").to_be_bytes());
            let id = [9; 16];
            let fields: [&[u8]; 5] = [&position.to_be_bytes(), &id, b"channel", b"c", &1_i64.to_be_bytes()];
            for field in fields {
                put(&mut bytes, field);
            }
            bytes.extend_from_slice(&(-1_i32).to_be_bytes());
            for field in [&0_i64.to_be_bytes() as &[u8], b"channel.archived", b"1", b"{\"a\":1}", b"{}"] {
                put(&mut bytes, field);
            }
        }
        bytes.extend_from_slice(&TRAILER.to_be_bytes());
        bytes
    }

    fn put(bytes: &mut Vec<u8>, field: &[u8]) {
        bytes.extend_from_slice(&i32::try_from(field.len()).expect("short").to_be_bytes());
        bytes.extend_from_slice(field);
    }

    fn positions(pieces: &[&[u8]]) -> Vec<(i64, String)> {
        let mut parser = Parser::<EVENT_FIELDS>::default();
        let mut rows = Vec::new();
        for piece in pieces {
            parser.feed(piece, |row| as_row(row).map(|row| rows.push((row.position, row.payload.to_owned())))).expect("rows");
        }
        rows
    }

    #[test]
    fn rows_are_the_same_wherever_the_pieces_are_cut() {
        let bytes = copied();
        let expected = vec![(7, "{\"a\":1}".to_owned()), (8, "{\"a\":1}".to_owned())];
        for cut in 0..bytes.len() {
            let (before, after) = bytes.split_at(cut);
            assert_eq!(positions(&[before, after]), expected, "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn a_copy_that_was_damaged_is_read_or_refused(damage in vec((any::<Index>(), any::<u8>()), 1..4), end: Index, piece in 1..64_usize) {
            let mut bytes = copied();
            for (place, byte) in damage {
                let at = place.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(end.index(bytes.len()) + 1);
            let mut parser = Parser::<EVENT_FIELDS>::default();
            let mut rows = 0;
            let read = bytes.chunks(piece).try_for_each(|piece| parser.feed(piece, |row| as_row(row).map(|_| rows += 1)));
            prop_assert!(read.is_err() || rows <= 2);
        }
    }

    #[test]
    fn bytes_that_are_not_a_copy_are_refused() {
        let mut parser = Parser::<EVENT_FIELDS>::default();
        assert_eq!(parser.feed(&[b'x'; 40], |_| Ok(())), Err(Malformed("no signature")));
    }
}
