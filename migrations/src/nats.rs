//! The NATS stream to which the log is published.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

/// The stream's name if the settings give none.
pub const DEFAULT_STREAM: &str = "BACKSCROLL_EVENTS";

/// How long NATS remembers a message's identifier, so that it drops a second one. The default of NATS.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
/// How long a message is kept. Projectors read older events from the log.
const AGE_MAX: Duration = Duration::from_hours(24);
/// How many bytes are kept.
const BYTES_MAX: i64 = 1 << 30;

/// The first part of every subject of the stream: `events` for the default stream. Two servers can share one NATS with
/// different streams.
#[must_use]
pub fn subjects_root(stream: &str) -> String {
    if stream == DEFAULT_STREAM { "events".into() } else { format!("{stream}.events") }
}

/// The subject on which a process announces, outside the stream, that the log has grown. A lost message does no harm,
/// because the receivers poll too.
#[must_use]
pub fn wake_subject(stream: &str) -> String {
    format!("{stream}.wake")
}

/// The subject of the notices that nodes send each other outside the stream: typing, presence, read markers. They are not
/// in the log.
#[must_use]
pub fn notices_subject(stream: &str) -> String {
    format!("{stream}.live")
}

/// The configuration of the stream. It is only a transport, and may be deleted at any time.
#[must_use]
pub fn events_stream(stream: &str) -> Config {
    Config {
        name: stream.into(),
        description: Some("the log of Backscroll, on its way to the projectors".into()),
        subjects: vec![format!("{}.>", subjects_root(stream))],
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_age: AGE_MAX,
        max_bytes: BYTES_MAX,
        duplicate_window: DUPLICATE_WINDOW,
        allow_direct: true,
        ..Config::default()
    }
}
