//! The commands of a session.

use super::event::{Attempt, EndReason, Start};
use crate::ids::UserId;

/// The commands of a session.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionCommand {
    /// Start the session of a user whom the server has authenticated.
    Start(Start),
    /// Record a refused sign-in.
    Refuse(Attempt),
    /// End the session.
    End {
        /// The user of the session. The log may not know it, because a session of an early release is not in the log.
        user_id: UserId,
        /// Why.
        reason: EndReason,
    },
}

impl SessionCommand {
    /// The command's name in the metadata of its events.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Start(_) => "start session",
            Self::Refuse(_) => "refuse session",
            Self::End { .. } => "end session",
        }
    }
}
