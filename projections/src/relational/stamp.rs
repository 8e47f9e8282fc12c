//! The position and the time of an event, which rows record.

use chrono::{DateTime, Utc};
use domain::{Event, Recorded};

/// The position and the time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventStamp {
    /// The event's position in the log.
    pub(crate) position: i64,
    /// The event's time in microseconds, which is the precision of Postgres.
    pub(crate) at: DateTime<Utc>,
    /// When the event was recorded, in microseconds.
    pub(crate) recorded_at: DateTime<Utc>,
}

impl EventStamp {
    pub(crate) fn of(event: &Recorded<Event>) -> Self {
        Self { position: event.position, at: to_micros(event.happened_at()), recorded_at: to_micros(event.recorded_at) }
    }
}

/// Cuts a time to microseconds, as Postgres does: a row in memory must equal the same row read back.
pub(crate) fn to_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}
