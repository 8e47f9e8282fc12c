//! The commands of a user.

use chrono::{DateTime, TimeDelta, Utc};

use super::event::{Preferences, Profile, Registration};
use crate::ids::{InvitationId, WorkspaceId};
use crate::text::{Emoji, Reason, StatusText};

/// The commands of a user.
#[derive(Clone, Debug, PartialEq)]
pub enum UserCommand {
    /// Register as a user.
    Register(Box<Registration>),
    /// Change the profile. The caller passes all fields, also those that stay the same.
    ChangeProfile(Box<Profile>),
    /// Change the preferences.
    ChangePreferences(Preferences),
    /// Set or clear the status.
    ChangeStatus {
        /// The present activity.
        text: Option<StatusText>,
        /// An emoji for it.
        emoji: Option<Emoji>,
        /// When the status ends.
        expires_at: Option<DateTime<Utc>>,
    },
    /// Suspend the user on the whole server.
    Suspend {
        /// Why.
        reason: Option<Reason>,
    },
    /// Reactivate a suspended user.
    Reactivate,
    /// Make the user an operator of the server.
    MakeOperator,
    /// Make the user an ordinary user again.
    RemoveOperator,
    /// Record that an operator of the server sets a new password. The password itself is in no event.
    ResetPassword,
    /// Propose to the operators that they erase the user. The actor is an owner of the workspace.
    ProposeErasure {
        /// The workspace.
        workspace_id: WorkspaceId,
    },
    /// Request the erasure of the user. It is carried out after a waiting time.
    RequestErasure {
        /// How long the request can be cancelled.
        wait: TimeDelta,
    },
    /// Cancel the requested erasure.
    CancelErasure,
    /// Erase the user for ever.
    Erase {
        /// The invitations that the user accepted.
        invitations: Vec<InvitationId>,
    },
}

impl UserCommand {
    /// The command's name in the metadata of its events.
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
            Self::RemoveOperator => "remove operator",
            Self::ResetPassword => "reset password",
            Self::ProposeErasure { .. } => "propose erasure",
            Self::RequestErasure { .. } => "request erasure",
            Self::CancelErasure => "cancel erasure",
            Self::Erase { .. } => "erase user",
        }
    }
}
