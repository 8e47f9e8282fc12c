//! One event as the feed brings it: decoded, or the reason why it cannot be.

use domain::wire_event::Row;
use domain::{DecodeError, Event, Recorded};

/// An event, on its way to a projector.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// Its place in the log.
    pub(crate) position: i64,
    /// What is held up when it cannot be applied: its workspace, or its stream where it belongs to none.
    pub(crate) park_key: String,
    /// The event, or why it cannot be read.
    pub(crate) event: Result<Recorded<Event>, DecodeError>,
}

impl Delivery {
    /// Reads a row of the log.
    pub(crate) fn of(row: &Row<'_>) -> Self {
        Self { position: row.position, park_key: park_key(row), event: row.decode() }
    }
}

fn park_key(row: &Row<'_>) -> String {
    match row.workspace_id {
        Some(id) => format!("workspace:{id}"),
        None => format!("{}:{}", row.aggregate_type, row.aggregate_id),
    }
}
