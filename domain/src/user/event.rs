//! The events of a user.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{InvitationId, UserId, WorkspaceId};
use crate::text::{AvatarUrl, Bio, DisplayName, Email, Emoji, Language, Phone, Pronouns, Reason, StatusText, Timezone, Title, Username};

/// The events of a user. The `rename` of each is its name on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum UserEvent {
    /// A user registered.
    #[serde(rename = "user.registered")]
    Registered(Box<Registration>),
    /// The profile changed. The payload has all of it.
    #[serde(rename = "user.profile_changed")]
    ProfileChanged(Box<Profile>),
    /// The preferences changed. The payload has all of them.
    #[serde(rename = "user.preferences_changed")]
    PreferencesChanged(Preferences),
    /// The user set or cleared their status.
    #[serde(rename = "user.status_changed")]
    StatusChanged {
        /// The present activity.
        text: Option<StatusText>,
        /// An emoji for it.
        emoji: Option<Emoji>,
        /// When the status ends.
        expires_at: Option<DateTime<Utc>>,
    },
    /// The user was suspended on the whole server.
    #[serde(rename = "user.suspended")]
    Suspended {
        /// Why.
        reason: Option<Reason>,
    },
    /// The user was reactivated.
    #[serde(rename = "user.reactivated")]
    Reactivated {},
    /// The user became an operator of the server.
    #[serde(rename = "user.made_operator")]
    MadeOperator {},
    /// The user is not an operator of the server any more.
    #[serde(rename = "user.operator_removed")]
    OperatorRemoved {},
    /// An operator of the server set a new password for the user. The event does not have the password.
    #[serde(rename = "user.password_reset")]
    PasswordReset {},
    /// A workspace owner proposed to the operators to erase the user, who is or was in the workspace. The event has no
    /// effect by itself.
    #[serde(rename = "user.erasure_proposed")]
    ErasureProposed {
        /// The owner.
        proposed_by: UserId,
        /// The workspace.
        workspace_id: WorkspaceId,
    },
    /// An erasure of the user was requested. It can be cancelled until it is due.
    #[serde(rename = "user.erasure_requested")]
    ErasureRequested {
        /// The user who requested it: the user to erase, or an operator. Until release 0.2 it could also be an owner of
        /// all the user's workspaces.
        requested_by: UserId,
        /// The moment from which the erasure is carried out.
        due_at: DateTime<Utc>,
    },
    /// The erasure was cancelled.
    #[serde(rename = "user.erasure_cancelled")]
    ErasureCancelled {
        /// The user who cancelled it.
        cancelled_by: UserId,
    },
    /// The user was erased for ever. Their key was destroyed in the same transaction.
    #[serde(rename = "user.erased")]
    Erased {
        /// The invitations that the user accepted. Their keys were destroyed too.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        invitations: Vec<InvitationId>,
    },
}

/// The data that a user registers with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// The mail address. It is unique on this server, without case.
    pub email: Email,
    /// The name that others mention. It is unique on this server, without case.
    pub username: Username,
    /// The profile.
    pub profile: Profile,
    /// The preferences.
    pub preferences: Preferences,
    /// Whether a program uses the account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_bot: bool,
    /// Whether the user is an operator of this server, who may suspend users and see every projection.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_operator: bool,
}

impl Registration {
    /// Removes all personal data.
    pub(super) fn erase(&mut self) {
        (self.email, self.username) = (Email::erased(), Username::erased());
        let display_name = DisplayName::erased();
        self.profile = Profile { display_name, avatar_url: None, title: None, phone: None, bio: None, pronouns: None };
        self.preferences = Preferences::default();
    }
}

/// The profile: the data of a user that others see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The name that clients show.
    pub display_name: DisplayName,
    /// The address of the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<AvatarUrl>,
    /// Job title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    /// Telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// A few lines in which the user describes themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bio: Option<Bio>,
    /// Pronouns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pronouns: Option<Pronouns>,
}

/// Settings of clients. The server keeps them, and does not read them.
pub type Json = Map<String, Value>;

/// The preferences: a user's own settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Preferences {
    /// The time zone. `None` means `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<Timezone>,
    /// The language of the client. `None` means `en`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Notification settings of clients. The server does not read them.
    #[serde(default, skip_serializing_if = "Json::is_empty")]
    pub notification_settings: Json,
    /// Theme settings of clients. The server does not read them.
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
            Self::OperatorRemoved {} => "user.operator_removed",
            Self::PasswordReset {} => "user.password_reset",
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
            | Self::OperatorRemoved {}
            | Self::PasswordReset {}
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
