//! Rows in memory. Events are applied to them, and the changed rows are written back. The live projector and the
//! rebuild use the same code, so they come to the same tables.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::stamp::EventStamp;

/// A row of a read table.
pub(crate) trait Row {
    /// The type of the key.
    type Key: Copy + Eq + Hash + Debug;

    /// The table.
    const TABLE: &'static str;

    /// The row's key.
    fn key(&self) -> Self::Key;

    /// The last event that was applied to the row.
    fn position(&self) -> i64;

    /// Sets the last applied event.
    fn set_position(&mut self, position: i64);

    /// Sets when the row last changed.
    fn set_updated_at(&mut self, at: DateTime<Utc>);
}

/// Implements [`Row`] for a row of a table with a key column. The row records when it changed, if a column for that is
/// named.
macro_rules! row {
    ($row:ident, $table:literal, $key:ident $(, $updated_at:ident)?) => {
        impl crate::relational::rows::Row for $row {
            type Key = uuid::Uuid;
            const TABLE: &'static str = $table;

            fn key(&self) -> uuid::Uuid {
                self.$key
            }

            fn position(&self) -> i64 {
                self.position
            }

            fn set_position(&mut self, position: i64) {
                self.position = position;
            }

            fn set_updated_at(&mut self, at: chrono::DateTime<chrono::Utc>) {
                let _ = at;
                $(self.$updated_at = at;)?
            }
        }
    };
}

pub(crate) use row;

/// A row that is written as JSON. One statement writes many of them.
pub(crate) trait JsonRow: Row + Serialize {
    /// The columns that are written: the key, then all others. A column that a newer release added gets its default.
    const COLUMNS: &'static [&'static str];

    /// Writes rows, unless the stored row has a later position.
    fn save(connection: &mut PgConnection, rows: &[&Self]) -> impl Future<Output = sqlx::Result<()>> + Send;
}

/// Implements [`JsonRow`] for a row of a table: first the key column, then all others. A column has the name of its
/// field.
///
/// So the columns are written once, for the statement that writes live rows and for the one that fills a table under
/// construction.
macro_rules! json_row {
    ($row:ident, $table:literal, $key:literal, $first:literal $(, $column:literal)*) => {
        impl crate::relational::rows::JsonRow for $row {
            const COLUMNS: &'static [&'static str] = &[$key, $first $(, $column)*];

            async fn save(connection: &mut sqlx::PgConnection, rows: &[&Self]) -> sqlx::Result<()> {
                sqlx::query!(
                    "INSERT INTO " + $table + " (" + $key + ", " + $first $(+ ", " + $column)* + ")
                     SELECT " + $key + ", " + $first $(+ ", " + $column)* + "
                     FROM jsonb_populate_recordset(NULL::" + $table + ", $1)
                     ON CONFLICT (" + $key + ") DO UPDATE
                     SET (" + $first $(+ ", " + $column)* + ")
                       = (EXCLUDED." + $first $(+ ", EXCLUDED." + $column)* + ")
                     WHERE " + $table + ".position < EXCLUDED.position",
                    sqlx::types::Json(rows) as _
                )
                .execute(connection)
                .await
                .map(drop)
            }
        }
    };
}

pub(crate) use json_row;

/// Rows of a table: those that the events of a batch change, or in a rebuild all of them.
#[derive(Debug)]
pub(crate) struct Rows<R: Row> {
    slots: HashMap<R::Key, Slot<R>>,
}

#[derive(Debug)]
struct Slot<R> {
    row: R,
    changed: bool,
}

/// Whether an event is applied in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// In order of position.
    InOrder,
    /// After later events.
    Late,
}

/// The row that an event is about is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing;

impl<R: Row> Default for Rows<R> {
    fn default() -> Self {
        Self { slots: HashMap::new() }
    }
}

impl<R: Row> Rows<R> {
    /// Adds rows as they are stored.
    pub(crate) fn load(&mut self, rows: impl IntoIterator<Item = R>) {
        for row in rows {
            self.slots.entry(row.key()).or_insert(Slot { row, changed: false });
        }
    }

    /// Returns the row, if it is loaded.
    pub(crate) fn get(&self, key: R::Key) -> Option<&R> {
        self.slots.get(&key).map(|slot| &slot.row)
    }

    /// Adds a new row, unless it exists and this event was already applied to it.
    pub(crate) fn insert(&mut self, row: R) {
        let known = self.slots.get(&row.key()).map(|slot| slot.row.position());
        if known.is_none_or(|position| position < row.position()) {
            self.slots.insert(row.key(), Slot { row, changed: true });
        }
    }

    /// Changes a row, unless this event was already applied to it.
    pub(crate) fn change(&mut self, key: R::Key, stamp: EventStamp, change: impl FnOnce(&mut R)) -> Result<(), Missing> {
        let slot = self.slots.get_mut(&key).ok_or(Missing)?;
        if slot.row.position() < stamp.position {
            change(&mut slot.row);
            slot.row.set_position(stamp.position);
            slot.row.set_updated_at(stamp.at);
            slot.changed = true;
        }
        Ok(())
    }

    /// Changes a counter of a row. `Arrival::Late` counts an event although later events were applied to the row: the
    /// order does not matter for counting.
    pub(crate) fn count(&mut self, key: R::Key, position: i64, arrival: Arrival, change: impl FnOnce(&mut R)) -> Result<(), Missing> {
        let slot = self.slots.get_mut(&key).ok_or(Missing)?;
        if slot.row.position() < position || arrival == Arrival::Late {
            change(&mut slot.row);
            slot.row.set_position(position.max(slot.row.position()));
            slot.changed = true;
        }
        Ok(())
    }

    /// Changes a part of a row that does not depend on the row's position, because another statement writes it too.
    pub(crate) fn note(&mut self, key: R::Key, note: impl FnOnce(&mut R)) -> Result<(), Missing> {
        let slot = self.slots.get_mut(&key).ok_or(Missing)?;
        note(&mut slot.row);
        Ok(())
    }

    /// The rows to be written, in order of their positions.
    pub(crate) fn changed(&self) -> Vec<&R> {
        let mut changed = self.slots.values().filter(|slot| slot.changed).map(|slot| &slot.row).collect::<Vec<_>>();
        changed.sort_unstable_by_key(|row| row.position());
        changed
    }

    /// Whether there are rows to be written.
    pub(crate) fn any_changed(&self) -> bool {
        self.slots.values().any(|slot| slot.changed)
    }

    /// Removes a row, and returns it.
    pub(crate) fn take(&mut self, key: R::Key) -> Option<R> {
        self.slots.remove(&key).map(|slot| slot.row)
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// All rows, to be written into an empty table.
    pub(crate) fn into_rows(self) -> impl Iterator<Item = R> {
        self.slots.into_values().map(|slot| slot.row)
    }
}
