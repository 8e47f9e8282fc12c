//! What a fold needs to know of an event beside what happened.

use chrono::{DateTime, Utc};
use domain::{Event, Recorded};

/// Where an event stands, and when it happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Its place in the log.
    pub(crate) position: i64,
    /// When it happened, to the microsecond, which is what Postgres keeps.
    pub(crate) at: DateTime<Utc>,
}

impl Seen {
    pub(crate) fn of(event: &Recorded<Event>) -> Self {
        Self { position: event.position, at: to_micros(event.happened_at()) }
    }
}

/// A time as Postgres keeps it: a fold in memory must hold what a row read back would.
pub(crate) fn to_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}
