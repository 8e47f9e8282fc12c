//! What has happened to a channel.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::ids::{UserId, WorkspaceId};
use crate::retention_policy::RetentionPolicy;
use crate::text::{ChannelDisplayName, ChannelName, Description, Purpose, Topic};

/// What has happened to a channel. The wire name of each is its `rename`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ChannelEvent {
    /// Was created. Who is in it from the start joins by events of their own, right after.
    #[serde(rename = "channel.created")]
    Created(Box<Creation>),
    /// Got another name.
    #[serde(rename = "channel.renamed")]
    Renamed {
        /// The name.
        name: ChannelName,
        /// The name as it is shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<ChannelDisplayName>,
    },
    /// Got another topic, or none.
    #[serde(rename = "channel.topic_changed")]
    TopicChanged {
        /// The topic.
        topic: Option<Topic>,
    },
    /// Got another purpose, or none.
    #[serde(rename = "channel.purpose_changed")]
    PurposeChanged {
        /// The purpose.
        purpose: Option<Purpose>,
    },
    /// Got another description, or none.
    #[serde(rename = "channel.description_changed")]
    DescriptionChanged {
        /// The description.
        description: Option<Description>,
    },
    /// Changed its settings; all of them, as they are now.
    #[serde(rename = "channel.settings_changed")]
    SettingsChanged(ChannelSettings),
    /// Somebody joined, or was added.
    #[serde(rename = "channel.member_joined")]
    MemberJoined {
        /// Who.
        user_id: UserId,
        /// As what.
        role: MemberRole,
        /// Who added them, where somebody did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invited_by: Option<UserId>,
    },
    /// Somebody left.
    #[serde(rename = "channel.member_left")]
    MemberLeft {
        /// Who.
        user_id: UserId,
    },
    /// Somebody was removed.
    #[serde(rename = "channel.member_removed")]
    MemberRemoved {
        /// Who.
        user_id: UserId,
        /// Who removed them.
        removed_by: UserId,
    },
    /// A member became something else in the channel.
    #[serde(rename = "channel.member_role_changed")]
    MemberRoleChanged {
        /// Who.
        user_id: UserId,
        /// What they are now.
        role: MemberRole,
    },
    /// A member changed what they are told about.
    #[serde(rename = "channel.notification_level_changed")]
    NotificationLevelChanged {
        /// Who.
        user_id: UserId,
        /// The level.
        level: NotificationLevel,
    },
    /// Was archived.
    #[serde(rename = "channel.archived")]
    Archived {
        /// Who did it.
        by: UserId,
    },
    /// Was opened again.
    #[serde(rename = "channel.unarchived")]
    Unarchived {
        /// Who did it.
        by: UserId,
    },
}

/// What a channel started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Creation {
    /// Where it is.
    pub workspace_id: WorkspaceId,
    /// Public, private, direct or group.
    pub kind: Kind,
    /// The name; direct and group conversations have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ChannelName>,
    /// The name as it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<ChannelDisplayName>,
    /// A description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// What is being talked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// Whether it is the workspace's #general.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_general: bool,
    /// Who created it.
    pub created_by: UserId,
}

/// Who can find a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Everyone in the workspace but guests.
    #[serde(rename = "public")]
    Public,
    /// Its members.
    #[serde(rename = "private")]
    Private,
    /// The one or two people who talk in it.
    #[serde(rename = "dm")]
    Direct,
    /// The three to nine people who talk in it.
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

    /// Whether it is a conversation of fixed people, without a name.
    #[must_use]
    pub fn is_direct(self) -> bool {
        matches!(self, Kind::Direct | Kind::GroupDirect)
    }
}

/// What a member is in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// The usual.
    Member,
    /// May rename, archive and set up the channel, and remove members.
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

/// What a member is told about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationLevel {
    /// Every message.
    #[default]
    All,
    /// Messages that mention them.
    Mentions,
    /// Nothing.
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

/// How a channel is run. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSettings {
    /// Whether messages may be answered in threads.
    pub allow_threads: bool,
    /// Whether files may be uploaded.
    pub allow_file_upload: bool,
    /// Whether people outside the workspace may be given access.
    pub allow_external_sharing: bool,
    /// How long messages are kept; as the workspace says, where this says nothing.
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
