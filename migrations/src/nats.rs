//! The stream of NATS that the log is published to.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

/// The stream's name where the settings say nothing.
pub const DEFAULT_STREAM: &str = "BACKSCROLL_EVENTS";

/// How long the server remembers a message's identifier, to drop a second one. The default of NATS.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
/// How long a message is kept. What is older, a projector reads from the log.
const AGE_MAX: Duration = Duration::from_hours(24);
/// How many bytes are kept.
const BYTES_MAX: i64 = 1 << 30;

/// What every subject of the stream begins with: `events` for the default stream, so that two servers can share one NATS.
#[must_use]
pub fn subjects_root(stream: &str) -> String {
    if stream == DEFAULT_STREAM { "events".into() } else { format!("{stream}.events") }
}

/// Where a process says, outside the stream, that the log has grown. A message that is lost costs nothing: who listens polls as well.
#[must_use]
pub fn wake_subject(stream: &str) -> String {
    format!("{stream}.wake")
}

/// The stream, as it is to be. It is a transport: it may be deleted at any time.
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
