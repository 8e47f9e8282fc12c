//! The commands of a channel.

use std::collections::BTreeSet;

use super::event::{ChannelSettings, Kind, MemberRole, NotificationLevel};
use crate::ids::{UserId, WorkspaceId};
use crate::text::{ChannelDisplayName, ChannelName, Description, Purpose, Topic};

/// The commands of a channel.
#[derive(Clone, Debug, PartialEq)]
pub enum ChannelCommand {
    /// Create it. The actor becomes its first member and its admin.
    Create(Box<NewChannel>),
    /// Rename it.
    Rename {
        /// The name. It is unique in the workspace.
        name: ChannelName,
        /// The name that clients show.
        display_name: Option<ChannelDisplayName>,
    },
    /// Set the topic, or clear it.
    ChangeTopic {
        /// The topic.
        topic: Option<Topic>,
    },
    /// Set the purpose, or clear it.
    ChangePurpose {
        /// The purpose.
        purpose: Option<Purpose>,
    },
    /// Set the description, or clear it.
    ChangeDescription {
        /// The description.
        description: Option<Description>,
    },
    /// Change the settings. The caller passes all of them, also those that stay the same.
    ChangeSettings(ChannelSettings),
    /// Join it. The actor becomes a member.
    Join,
    /// Adopt it, because nobody is in it. The actor becomes a member and its admin.
    Adopt,
    /// Add another user.
    AddMember {
        /// The user to add.
        user_id: UserId,
    },
    /// Leave it. The actor is no longer a member.
    Leave,
    /// Remove another user.
    RemoveMember {
        /// The user to remove.
        user_id: UserId,
    },
    /// Change a member's role in the channel.
    ChangeMemberRole {
        /// The member.
        user_id: UserId,
        /// The new role.
        role: MemberRole,
    },
    /// Change which messages the actor is notified of.
    ChangeNotificationLevel {
        /// The level.
        level: NotificationLevel,
    },
    /// Archive it. It stays readable, and posts to it are refused.
    Archive,
    /// Reopen the archived channel.
    Unarchive,
}

/// The data that a new channel starts with.
#[derive(Clone, Debug, PartialEq)]
pub struct NewChannel {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Public, private, direct or group. In a direct or group conversation, `name` is `None`, and `members` are its
    /// participants.
    pub kind: Kind,
    /// The name. It is unique in the workspace.
    pub name: Option<ChannelName>,
    /// The name that clients show.
    pub display_name: Option<ChannelDisplayName>,
    /// A description.
    pub description: Option<Description>,
    /// The present subject of the conversation.
    pub topic: Option<Topic>,
    /// Its purpose.
    pub purpose: Option<Purpose>,
    /// Whether it is the workspace's #general.
    pub is_general: bool,
    /// The other members from the start.
    pub members: BTreeSet<UserId>,
}

impl ChannelCommand {
    /// The command's name in the metadata of its events.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create channel",
            Self::Rename { .. } => "rename channel",
            Self::ChangeTopic { .. } => "change topic",
            Self::ChangePurpose { .. } => "change purpose",
            Self::ChangeDescription { .. } => "change description",
            Self::ChangeSettings(_) => "change channel settings",
            Self::Join => "join channel",
            Self::Adopt => "adopt channel",
            Self::AddMember { .. } => "add channel member",
            Self::Leave => "leave channel",
            Self::RemoveMember { .. } => "remove channel member",
            Self::ChangeMemberRole { .. } => "change channel role",
            Self::ChangeNotificationLevel { .. } => "change notification level",
            Self::Archive => "archive channel",
            Self::Unarchive => "unarchive channel",
        }
    }
}
