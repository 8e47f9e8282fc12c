//! What has happened to a user.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{InvitationId, UserId, WorkspaceId};
use crate::text::{AvatarUrl, Bio, DisplayName, Email, Emoji, Language, Phone, Pronouns, Reason, StatusText, Timezone, Title, Username};

/// What has happened to a user. The wire name of each is its `rename`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum UserEvent {
    /// Became a user.
    #[serde(rename = "user.registered")]
    Registered(Box<Registration>),
    /// Changed what others see; the whole of it, as it is now.
    #[serde(rename = "user.profile_changed")]
    ProfileChanged(Box<Profile>),
    /// Changed their preferences; the whole of them, as they are now.
    #[serde(rename = "user.preferences_changed")]
    PreferencesChanged(Preferences),
    /// Said what they are doing just now, or nothing.
    #[serde(rename = "user.status_changed")]
    StatusChanged {
        /// What they are doing.
        text: Option<StatusText>,
        /// A picture for it.
        emoji: Option<Emoji>,
        /// When it ceases to hold.
        expires_at: Option<DateTime<Utc>>,
    },
    /// Was locked out of the whole server.
    #[serde(rename = "user.suspended")]
    Suspended {
        /// Why.
        reason: Option<Reason>,
    },
    /// Was let in again.
    #[serde(rename = "user.reactivated")]
    Reactivated {},
    /// Became an operator of the server.
    #[serde(rename = "user.made_operator")]
    MadeOperator {},
    /// An owner of a workspace that the user is or was in asked the operators for the user's erasure. Nothing follows from it by itself.
    #[serde(rename = "user.erasure_proposed")]
    ErasureProposed {
        /// The owner.
        proposed_by: UserId,
        /// The workspace.
        workspace_id: WorkspaceId,
    },
    /// Is to be erased, unless that is cancelled until then.
    #[serde(rename = "user.erasure_requested")]
    ErasureRequested {
        /// The user who asked for it: the same user, or an operator. Until release 0.2 also an owner of all their workspaces.
        requested_by: UserId,
        /// From when on it is carried out.
        due_at: DateTime<Utc>,
    },
    /// Is not to be erased after all.
    #[serde(rename = "user.erasure_cancelled")]
    ErasureCancelled {
        /// Who cancelled it.
        cancelled_by: UserId,
    },
    /// Was erased, for ever: their key was destroyed with this event.
    #[serde(rename = "user.erased")]
    Erased {
        /// The invitations that they had accepted: their keys were destroyed too.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        invitations: Vec<InvitationId>,
    },
}

/// What a user starts with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// Unique on this server, without case.
    pub email: Email,
    /// Unique on this server, without case.
    pub username: Username,
    /// What others see.
    pub profile: Profile,
    /// Their own settings.
    pub preferences: Preferences,
    /// Whether a program speaks here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_bot: bool,
    /// Whether they run this server: may suspend users and see every projection.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_operator: bool,
}

impl Registration {
    /// Leaves nothing of who they were.
    pub(super) fn erase(&mut self) {
        (self.email, self.username) = (Email::erased(), Username::erased());
        let display_name = DisplayName::erased();
        self.profile = Profile { display_name, avatar_url: None, title: None, phone: None, bio: None, pronouns: None };
        self.preferences = Preferences::default();
    }
}

/// What others see of a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The name that is shown.
    pub display_name: DisplayName,
    /// Where their picture lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<AvatarUrl>,
    /// Job title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    /// Telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// Some lines about themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bio: Option<Bio>,
    /// Pronouns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pronouns: Option<Pronouns>,
}

/// Settings that the server keeps for clients without reading them.
pub type Json = Map<String, Value>;

/// A user's own settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Preferences {
    /// Where their day begins; `UTC` where they say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<Timezone>,
    /// The language of their client; `en` where they say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Kept for clients.
    #[serde(default, skip_serializing_if = "Json::is_empty")]
    pub notification_settings: Json,
    /// Kept for clients.
    #[serde(default, skip_serializing_if = "Json::is_empty")]
    pub theme_preferences: Json,
}

impl UserEvent {
    /// The name on the wire.
    #[must_use]
    pub fn wire_name(&self) -> &'static str {
        match self {
            Self::Registered(_) => "user.registered",
            Self::ProfileChanged(_) => "user.profile_changed",
            Self::PreferencesChanged(_) => "user.preferences_changed",
            Self::StatusChanged { .. } => "user.status_changed",
            Self::Suspended { .. } => "user.suspended",
            Self::Reactivated {} => "user.reactivated",
            Self::MadeOperator {} => "user.made_operator",
            Self::ErasureProposed { .. } => "user.erasure_proposed",
            Self::ErasureRequested { .. } => "user.erasure_requested",
            Self::ErasureCancelled { .. } => "user.erasure_cancelled",
            Self::Erased { .. } => "user.erased",
        }
    }

    /// The version of the payload; see [`crate::upcast`].
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self {
            Self::Registered(_)
            | Self::ProfileChanged(_)
            | Self::PreferencesChanged(_)
            | Self::StatusChanged { .. }
            | Self::Suspended { .. }
            | Self::Reactivated {}
            | Self::ErasureRequested { .. }
            | Self::ErasureCancelled { .. }
            | Self::MadeOperator {}
            | Self::ErasureProposed { .. }
            | Self::Erased { .. } => "1",
        }
    }
}

impl DomainEvent for UserEvent {
    fn event_type(&self) -> String {
        self.wire_name().into()
    }

    fn event_version(&self) -> String {
        self.version().into()
    }
}
