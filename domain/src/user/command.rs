//! What can be asked of a user.

use chrono::{DateTime, TimeDelta, Utc};

use super::event::{Preferences, Profile, Registration};
use crate::ids::{InvitationId, WorkspaceId};
use crate::text::{Emoji, Reason, StatusText};

/// What can be asked of a user.
#[derive(Clone, Debug, PartialEq)]
pub enum UserCommand {
    /// Become a user.
    Register(Box<Registration>),
    /// Change what others see. Fields that stay are passed as they are.
    ChangeProfile(Box<Profile>),
    /// Change one's preferences.
    ChangePreferences(Preferences),
    /// Say what one is doing just now, or nothing.
    ChangeStatus {
        /// What one is doing.
        text: Option<StatusText>,
        /// A picture for it.
        emoji: Option<Emoji>,
        /// When it ceases to hold.
        expires_at: Option<DateTime<Utc>>,
    },
    /// Lock the user out of the whole server.
    Suspend {
        /// Why.
        reason: Option<Reason>,
    },
    /// Let a suspended user in again.
    Reactivate,
    /// Make the user an operator of the server.
    MakeOperator,
    /// Ask the operators to have the user erased, as an owner of that workspace.
    ProposeErasure {
        /// The workspace.
        workspace_id: WorkspaceId,
    },
    /// Have the user erased, once it has been waited for so long.
    RequestErasure {
        /// How long it can be cancelled.
        wait: TimeDelta,
    },
    /// Have the user not erased after all.
    CancelErasure,
    /// Erase the user, for ever.
    Erase {
        /// The invitations that they had accepted.
        invitations: Vec<InvitationId>,
    },
}

impl UserCommand {
    /// The name under which the log remembers it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Register(_) => "register user",
            Self::ChangeProfile(_) => "change profile",
            Self::ChangePreferences(_) => "change preferences",
            Self::ChangeStatus { .. } => "change status",
            Self::Suspend { .. } => "suspend user",
            Self::Reactivate => "reactivate user",
            Self::MakeOperator => "make operator",
            Self::ProposeErasure { .. } => "propose erasure",
            Self::RequestErasure { .. } => "request erasure",
            Self::CancelErasure => "cancel erasure",
            Self::Erase { .. } => "erase user",
        }
    }
}
