//! The commands of the installation.

use super::event::{KeyChange, ReplayEnd, ReplayStart, SkippedEvent};

/// The commands of the installation.
#[derive(Clone, Debug, PartialEq)]
pub enum InstallationCommand {
    /// Start to rebuild a projection. The caller has made sure that no other replay of it runs, so a replay that the
    /// log shows as running was cut off.
    StartReplay(Box<ReplayStart>),
    /// Record how a replay ended.
    EndReplay(Box<ReplayEnd>),
    /// Skip an event that a projection cannot apply, now and in every replay.
    SkipEvent(SkippedEvent),
    /// Record that a parked event, and the events that waited behind it, were applied.
    NoteRetry {
        /// The projection.
        projection: String,
        /// The parked key, such as `workspace:…`.
        park_key: String,
        /// The position of the event that could not be applied.
        position: i64,
        /// How many events were applied.
        events: u64,
    },
    /// Record that a new key signs the heads of the log from the next head on. Each key is recorded once.
    NoteKeyRotation {
        /// The public key, as it is published.
        vkey: String,
        /// How it follows the key before it.
        change: KeyChange,
    },
    /// Remove the identifiers that clients had given to messages from the events so far.
    RemoveClientIds {
        /// How many idempotency keys that were made of them are replaced by keyed hashes.
        keys: u64,
    },
}

impl InstallationCommand {
    /// The command's name in the metadata of its events.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::StartReplay(_) => "start replay",
            Self::EndReplay(_) => "end replay",
            Self::SkipEvent(_) => "skip event",
            Self::NoteRetry { .. } => "retry event",
            Self::NoteKeyRotation { .. } => "rotate proof key",
            Self::RemoveClientIds { .. } => "remove client ids",
        }
    }
}
