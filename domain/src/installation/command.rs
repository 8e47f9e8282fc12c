//! What can be asked of the installation.

use super::event::{ReplayEnd, ReplayStart, SkippedEvent};

/// What can be asked of the installation.
#[derive(Clone, Debug, PartialEq)]
pub enum InstallationCommand {
    /// Build a projection anew. Whoever asks has made sure that no other replay of it runs: one that the log has as running is dead.
    StartReplay(Box<ReplayStart>),
    /// Say what came of it.
    EndReplay(Box<ReplayEnd>),
    /// Leave an event out that a projection cannot apply, now and in every replay.
    SkipEvent(SkippedEvent),
    /// Say that what waited behind such an event was applied after all.
    NoteRetry {
        /// The projection.
        projection: String,
        /// What waited, such as `workspace:…`.
        park_key: String,
        /// The position of the event that could not be applied.
        position: i64,
        /// How many events were applied.
        events: u64,
    },
    /// Say that another key signs the heads of the log from the next one on; once for each.
    NoteKeyRotation {
        /// The public key, as it is published.
        vkey: String,
    },
}

impl InstallationCommand {
    /// The name under which the log remembers it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::StartReplay(_) => "start replay",
            Self::EndReplay(_) => "end replay",
            Self::SkipEvent(_) => "skip event",
            Self::NoteRetry { .. } => "retry event",
            Self::NoteKeyRotation { .. } => "rotate proof key",
        }
    }
}
