//! What can be asked of a session.

use super::event::{Attempt, End, Start};
use crate::ids::UserId;

/// What can be asked of a session.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionCommand {
    /// Sign somebody in who has shown who they are.
    Start(Start),
    /// Note that somebody was not signed in.
    Refuse(Attempt),
    /// Sign out.
    End {
        /// Whose session it is: one that was started by an earlier release is not in the log.
        user_id: UserId,
        /// Why.
        reason: End,
    },
}

impl SessionCommand {
    /// The name under which the log remembers it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Start(_) => "start session",
            Self::Refuse(_) => "refuse session",
            Self::End { .. } => "end session",
        }
    }
}
