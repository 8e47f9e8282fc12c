//! Rows in the binary format of `COPY`
//! (<https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS>), for the rebuild.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Signature, flags, and the length of the extension area.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Stands in place of a row's number of fields, and ends the rows.
const TRAILER: i16 = -1;

/// Postgres' epoch, 2000-01-01, in Unix microseconds.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The version of the binary form of `jsonb`.
const JSONB_VERSION: u8 = 1;

/// A row that `COPY` can write.
pub(crate) trait CopyRow {
    /// The columns, in the order in which [`CopyRow::write`] writes them.
    const COLUMNS: &'static [&'static str];

    /// Writes the fields.
    fn write(&self, tuple: &mut Tuple<'_>);
}

/// The input of one `COPY`.
#[derive(Debug)]
pub(crate) struct CopyBuffer {
    bytes: Vec<u8>,
}

/// The row that is being written.
pub(crate) struct Tuple<'a> {
    bytes: &'a mut Vec<u8>,
}

impl Default for CopyBuffer {
    fn default() -> Self {
        Self { bytes: HEADER.to_vec() }
    }
}

impl CopyBuffer {
    /// Appends a row.
    pub(crate) fn push<R: CopyRow>(&mut self, row: &R) {
        let fields = i16::try_from(R::COLUMNS.len()).unwrap_or(i16::MAX);
        self.bytes.extend_from_slice(&fields.to_be_bytes());
        row.write(&mut Tuple { bytes: &mut self.bytes });
    }

    /// The length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Ends the input, and returns it.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&TRAILER.to_be_bytes());
        self.bytes
    }
}

impl Tuple<'_> {
    fn field(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// A field has at most 1 GiB, so its length always fits.
    fn length(&mut self, length: usize) {
        self.bytes.extend_from_slice(&i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes());
    }

    pub(crate) fn null(&mut self) {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    pub(crate) fn uuid(&mut self, value: Uuid) {
        self.field(value.as_bytes());
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.field(value.as_bytes());
    }

    /// A value that already has its binary form.
    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.field(value);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.field(&[u8::from(value)]);
    }

    pub(crate) fn int4(&mut self, value: i32) {
        self.field(&value.to_be_bytes());
    }

    pub(crate) fn int8(&mut self, value: i64) {
        self.field(&value.to_be_bytes());
    }

    pub(crate) fn time(&mut self, value: DateTime<Utc>) {
        self.field(&(value.timestamp_micros() - POSTGRES_EPOCH_MICROS).to_be_bytes());
    }

    pub(crate) fn jsonb(&mut self, value: &str) {
        self.length(value.len() + 1);
        self.bytes.push(JSONB_VERSION);
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// Writes a field that may be null.
    pub(crate) fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Example;

    impl CopyRow for Example {
        const COLUMNS: &'static [&'static str] = &["number", "nothing", "object"];

        fn write(&self, tuple: &mut Tuple<'_>) {
            tuple.int4(7);
            tuple.null();
            tuple.jsonb("{}");
        }
    }

    #[test]
    fn a_row_is_written_as_postgres_documents_it() {
        let mut buffer = CopyBuffer::default();
        buffer.push(&Example);
        let bytes = buffer.finish();
        assert_eq!(&bytes[..19], b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        assert_eq!(&bytes[19..], b"\0\x03\0\0\0\x04\0\0\0\x07\xff\xff\xff\xff\0\0\0\x03\x01{}\xff\xff");
    }
}
