//! The events of a channel.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::ids::{UserId, WorkspaceId};
use crate::retention_policy::RetentionPolicy;
use crate::text::{ChannelDisplayName, ChannelName, Description, Purpose, Topic};

/// The events of a channel. The `rename` of each is its name on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ChannelEvent {
    /// The channel was created. Its first members join in the next events.
    #[serde(rename = "channel.created")]
    Created(Box<Creation>),
    /// The name or the display name changed.
    #[serde(rename = "channel.renamed")]
    Renamed {
        /// The name.
        name: ChannelName,
        /// The name that clients show.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<ChannelDisplayName>,
    },
    /// The topic was set or cleared.
    #[serde(rename = "channel.topic_changed")]
    TopicChanged {
        /// The topic.
        topic: Option<Topic>,
    },
    /// The purpose was set or cleared.
    #[serde(rename = "channel.purpose_changed")]
    PurposeChanged {
        /// The purpose.
        purpose: Option<Purpose>,
    },
    /// The description was set or cleared.
    #[serde(rename = "channel.description_changed")]
    DescriptionChanged {
        /// The description.
        description: Option<Description>,
    },
    /// The settings changed. The payload has all of them.
    #[serde(rename = "channel.settings_changed")]
    SettingsChanged(ChannelSettings),
    /// A user joined, or was added.
    #[serde(rename = "channel.member_joined")]
    MemberJoined {
        /// The user.
        user_id: UserId,
        /// The role.
        role: MemberRole,
        /// The member who added the user, if the user did not join alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invited_by: Option<UserId>,
    },
    /// A member left.
    #[serde(rename = "channel.member_left")]
    MemberLeft {
        /// The user.
        user_id: UserId,
    },
    /// A member was removed.
    #[serde(rename = "channel.member_removed")]
    MemberRemoved {
        /// The user.
        user_id: UserId,
        /// The member who removed the user.
        removed_by: UserId,
    },
    /// A member's role in the channel changed.
    #[serde(rename = "channel.member_role_changed")]
    MemberRoleChanged {
        /// The user.
        user_id: UserId,
        /// The new role.
        role: MemberRole,
    },
    /// A member changed which messages they are notified of.
    #[serde(rename = "channel.notification_level_changed")]
    NotificationLevelChanged {
        /// The user.
        user_id: UserId,
        /// The level.
        level: NotificationLevel,
    },
    /// The channel was archived.
    #[serde(rename = "channel.archived")]
    Archived {
        /// The user who did it.
        by: UserId,
    },
    /// The archived channel was reopened.
    #[serde(rename = "channel.unarchived")]
    Unarchived {
        /// The user who did it.
        by: UserId,
    },
}

/// The data that a channel started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Creation {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Public, private, direct or group.
    pub kind: Kind,
    /// The name. Direct and group conversations have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ChannelName>,
    /// The name that clients show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<ChannelDisplayName>,
    /// A description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// The present subject of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// Its purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// Whether it is the workspace's #general.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_general: bool,
    /// The user who created it.
    pub created_by: UserId,
}

/// The kind of a channel, which says who can find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Every member of the workspace except guests can find it.
    #[serde(rename = "public")]
    Public,
    /// Its members can find it.
    #[serde(rename = "private")]
    Private,
    /// Its one or two participants can find it.
    #[serde(rename = "dm")]
    Direct,
    /// Its three to nine participants can find it.
    #[serde(rename = "group_dm")]
    GroupDirect,
}

impl Kind {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Public => "public",
            Kind::Private => "private",
            Kind::Direct => "dm",
            Kind::GroupDirect => "group_dm",
        }
    }

    /// Whether it is a conversation, which has no name and whose participants never change.
    #[must_use]
    pub fn is_direct(self) -> bool {
        matches!(self, Kind::Direct | Kind::GroupDirect)
    }
}

/// A member's role in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// The member has no special rights.
    Member,
    /// The member may rename, archive and configure the channel, and remove members.
    Admin,
}

impl MemberRole {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MemberRole::Member => "member",
            MemberRole::Admin => "admin",
        }
    }
}

/// The messages that a member is notified of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationLevel {
    /// Every message.
    #[default]
    All,
    /// Messages that mention the member.
    Mentions,
    /// No message.
    None,
}

impl NotificationLevel {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            NotificationLevel::All => "all",
            NotificationLevel::Mentions => "mentions",
            NotificationLevel::None => "none",
        }
    }
}

/// The settings of a channel. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSettings {
    /// Whether messages may be answered in threads.
    pub allow_threads: bool,
    /// Whether files may be uploaded.
    pub allow_file_upload: bool,
    /// Whether people outside the workspace may be given access.
    pub allow_external_sharing: bool,
    /// How long messages are kept. `None` means that the workspace's policy is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_policy: Option<RetentionPolicy>,
}

impl Default for ChannelSettings {
    fn default() -> Self {
        Self { allow_threads: true, allow_file_upload: true, allow_external_sharing: false, retention_policy: None }
    }
}

impl ChannelEvent {
    /// The name on the wire.
    #[must_use]
    pub fn wire_name(&self) -> &'static str {
        match self {
            Self::Created(_) => "channel.created",
            Self::Renamed { .. } => "channel.renamed",
            Self::TopicChanged { .. } => "channel.topic_changed",
            Self::PurposeChanged { .. } => "channel.purpose_changed",
            Self::DescriptionChanged { .. } => "channel.description_changed",
            Self::SettingsChanged(_) => "channel.settings_changed",
            Self::MemberJoined { .. } => "channel.member_joined",
            Self::MemberLeft { .. } => "channel.member_left",
            Self::MemberRemoved { .. } => "channel.member_removed",
            Self::MemberRoleChanged { .. } => "channel.member_role_changed",
            Self::NotificationLevelChanged { .. } => "channel.notification_level_changed",
            Self::Archived { .. } => "channel.archived",
            Self::Unarchived { .. } => "channel.unarchived",
        }
    }

    /// The version of the payload; see [`crate::upcast`].
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self {
            Self::Created(_)
            | Self::Renamed { .. }
            | Self::TopicChanged { .. }
            | Self::PurposeChanged { .. }
            | Self::DescriptionChanged { .. }
            | Self::SettingsChanged(_)
            | Self::MemberJoined { .. }
            | Self::MemberLeft { .. }
            | Self::MemberRemoved { .. }
            | Self::MemberRoleChanged { .. }
            | Self::NotificationLevelChanged { .. }
            | Self::Archived { .. }
            | Self::Unarchived { .. } => "1",
        }
    }
}

impl DomainEvent for ChannelEvent {
    fn event_type(&self) -> String {
        self.wire_name().into()
    }

    fn event_version(&self) -> String {
        self.version().into()
    }
}
