//! The errors of the event store.

use std::sync::Arc;

use domain::format::EventFormat;
use domain::{DecodeError, StreamId};
use keyring::KeyError;
use stores::release::Outdated;

/// Why the store could not answer a request.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Postgres failed, or cannot be reached.
    #[error("the event store's database failed")]
    Postgres(#[source] Arc<sqlx::Error>),
    /// The events of a stream cannot be read.
    #[error("a stream cannot be read")]
    Stream(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// A stored event cannot be read.
    #[error("event {sequence} of {stream} cannot be read")]
    Unreadable {
        /// The stream.
        stream: StreamId,
        /// Its sequence number in the stream.
        sequence: i64,
        /// Why.
        source: Arc<DecodeError>,
    },
    /// The append did not get its turn in time.
    #[error("the event store is too busy")]
    Busy,
    /// The clock of this process is ahead of the database's. Its events would shift the time of all later ones.
    #[error("the clock of this server is ahead of the clock of its database")]
    ClockAhead,
    /// The store is shutting down.
    #[error("the event store has stopped")]
    Stopped,
    /// The keys for personal data are not available.
    #[error("the keys for personal data are not available")]
    Keys(#[source] Arc<KeyError>),
    /// An event cannot be written as JSON.
    #[error("an event cannot be written as JSON")]
    Unwritable(#[source] Arc<serde_json::Error>),
    /// A later release has claimed the database: this process must stop.
    #[error(transparent)]
    Outdated(Arc<Outdated>),
    /// An event of this format can be written only when every process reads it, and an older process is still running.
    #[error("events of format {0} cannot be written while an older release is running")]
    UpgradeUnderWay(EventFormat),
}

impl From<Outdated> for StoreError {
    fn from(outdated: Outdated) -> Self {
        Self::Outdated(Arc::new(outdated))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(Arc::new(error))
    }
}

impl From<KeyError> for StoreError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Postgres(error) => error.into(),
            KeyError::WrongMasterKey | KeyError::Damaged(_) | KeyError::NotMade(_) => Self::Keys(Arc::new(error)),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unwritable(Arc::new(error))
    }
}
