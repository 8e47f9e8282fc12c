//! What can be asked of a channel.

use std::collections::BTreeSet;

use super::event::{ChannelSettings, Kind, MemberRole, NotificationLevel};
use crate::ids::{UserId, WorkspaceId};
use crate::text::{ChannelDisplayName, ChannelName, Description, Purpose, Topic};

/// What can be asked of a channel.
#[derive(Clone, Debug, PartialEq)]
pub enum ChannelCommand {
    /// Create it; the actor becomes its first member and its admin.
    Create(Box<NewChannel>),
    /// Give it another name.
    Rename {
        /// The name; unique in the workspace.
        name: ChannelName,
        /// The name as it is shown.
        display_name: Option<ChannelDisplayName>,
    },
    /// Say what is being talked about now, or nothing.
    ChangeTopic {
        /// The topic.
        topic: Option<Topic>,
    },
    /// Say what the channel is for, or nothing.
    ChangePurpose {
        /// The purpose.
        purpose: Option<Purpose>,
    },
    /// Describe it, or not.
    ChangeDescription {
        /// The description.
        description: Option<Description>,
    },
    /// Change the settings. Fields that stay are passed as they are.
    ChangeSettings(ChannelSettings),
    /// Join it: the actor becomes a member.
    Join,
    /// Add somebody else.
    AddMember {
        /// Whom.
        user_id: UserId,
    },
    /// Leave it: the actor ceases to be a member.
    Leave,
    /// Remove somebody else.
    RemoveMember {
        /// Whom.
        user_id: UserId,
    },
    /// Change what a member is in the channel.
    ChangeMemberRole {
        /// Who.
        user_id: UserId,
        /// What they become.
        role: MemberRole,
    },
    /// Change what the actor is told about.
    ChangeNotificationLevel {
        /// The level.
        level: NotificationLevel,
    },
    /// Archive it: it stays readable, and nobody can post in it any more.
    Archive,
    /// Open it again.
    Unarchive,
}

/// What a channel starts with.
#[derive(Clone, Debug, PartialEq)]
pub struct NewChannel {
    /// Where it is.
    pub workspace_id: WorkspaceId,
    /// Public, private, direct or group. For a direct or group conversation, `name` is `None`, and `members` are who talks.
    pub kind: Kind,
    /// The name; unique in the workspace.
    pub name: Option<ChannelName>,
    /// The name as it is shown.
    pub display_name: Option<ChannelDisplayName>,
    /// A description.
    pub description: Option<Description>,
    /// What is being talked about.
    pub topic: Option<Topic>,
    /// What it is for.
    pub purpose: Option<Purpose>,
    /// Whether it is the workspace's #general.
    pub is_general: bool,
    /// Who else is in it from the start.
    pub members: BTreeSet<UserId>,
}

impl ChannelCommand {
    /// The name under which the log remembers it.
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
