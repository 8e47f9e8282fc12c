//! The events of a workspace.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::ids::{ChannelId, HoldId, InvitationId, UserId};
use crate::permission::{Overrides, Role};
use crate::retention_policy::RetentionPolicy;
use crate::text::{AvatarUrl, Department, Description, Email, EmojiName, Reason, Title, WorkspaceDomain, WorkspaceName};

/// The events of a workspace. The `rename` of each is its name on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum WorkspaceEvent {
    /// The workspace was created. Its owner joins in the next event.
    #[serde(rename = "workspace.created")]
    Created {
        /// The name, the description and the picture.
        details: Details,
        /// The domain. It is unique on this server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<WorkspaceDomain>,
        /// The #general channel.
        general_channel_id: ChannelId,
        /// The limit of active members.
        max_members: u32,
    },
    /// The name, the description or the picture changed. The payload has all three.
    #[serde(rename = "workspace.details_changed")]
    DetailsChanged(Details),
    /// The workspace got another domain, or none.
    #[serde(rename = "workspace.domain_changed")]
    DomainChanged {
        /// The domain. It is unique on this server.
        domain: Option<WorkspaceDomain>,
    },
    /// The settings changed. The payload has all of them.
    #[serde(rename = "workspace.settings_changed")]
    SettingsChanged(WorkspaceSettings),
    /// The plan changed.
    #[serde(rename = "workspace.plan_changed")]
    PlanChanged {
        /// The new plan.
        plan: Plan,
    },
    /// A person was invited by mail address.
    #[serde(rename = "workspace.member_invited")]
    MemberInvited {
        /// The invitation.
        invitation_id: InvitationId,
        /// The mail address of the invited person.
        email: Email,
        /// The role.
        role: Role,
        /// The user who sent the invitation.
        invited_by: UserId,
        /// When the invitation expires.
        expires_at: DateTime<Utc>,
    },
    /// An invitation was revoked.
    #[serde(rename = "workspace.invitation_revoked")]
    InvitationRevoked {
        /// The invitation.
        invitation_id: InvitationId,
    },
    /// A user became a member.
    #[serde(rename = "workspace.member_joined")]
    MemberJoined {
        /// The user.
        user_id: UserId,
        /// The role.
        role: Role,
        /// The invitation that the user accepted, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invitation_id: Option<InvitationId>,
        /// The user who sent the invitation, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invited_by: Option<UserId>,
    },
    /// A member's role changed.
    #[serde(rename = "workspace.member_role_changed")]
    MemberRoleChanged {
        /// The user.
        user_id: UserId,
        /// The new role.
        role: Role,
    },
    /// A member's title or department changed. The payload has both.
    #[serde(rename = "workspace.member_details_changed")]
    MemberDetailsChanged {
        /// The user.
        user_id: UserId,
        /// Job title in this workspace.
        title: Option<Title>,
        /// Department.
        department: Option<Department>,
    },
    /// A member's permission overrides changed. The payload has all of them.
    #[serde(rename = "workspace.member_permissions_changed")]
    MemberPermissionsChanged {
        /// The user.
        user_id: UserId,
        /// The overrides.
        permissions: Overrides,
    },
    /// A member was deactivated.
    #[serde(rename = "workspace.member_deactivated")]
    MemberDeactivated {
        /// The member.
        user_id: UserId,
    },
    /// A deactivated member was reactivated.
    #[serde(rename = "workspace.member_reactivated")]
    MemberReactivated {
        /// The member.
        user_id: UserId,
    },
    /// An owner handed the workspace over to another member, and became an admin.
    #[serde(rename = "workspace.handed_over")]
    HandedOver {
        /// The former owner.
        from: UserId,
        /// The new owner.
        to: UserId,
    },
    /// A legal hold was placed. Data under it are neither archived, purged nor erased.
    #[serde(rename = "workspace.hold_placed")]
    HoldPlaced {
        /// The hold.
        hold_id: HoldId,
        /// The target of the hold.
        on: HoldTarget,
        /// Why.
        reason: Reason,
        /// The user who placed it.
        placed_by: UserId,
    },
    /// A legal hold was released.
    #[serde(rename = "workspace.hold_released")]
    HoldReleased {
        /// The hold.
        hold_id: HoldId,
        /// Why.
        reason: Reason,
        /// The user who released it.
        released_by: UserId,
    },
    /// An emoji of the workspace's own was added.
    #[serde(rename = "workspace.emoji_added")]
    EmojiAdded {
        /// Its name.
        name: EmojiName,
        /// The user who added it.
        added_by: UserId,
    },
    /// An emoji of the workspace's own was removed. Reactions with it stay.
    #[serde(rename = "workspace.emoji_removed")]
    EmojiRemoved {
        /// Its name.
        name: EmojiName,
        /// The user who removed it.
        removed_by: UserId,
    },
}

/// The target of a legal hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HoldTarget {
    /// Everything in the workspace.
    Workspace {},
    /// Everything in a channel.
    Channel {
        /// The channel.
        channel_id: ChannelId,
    },
    /// All messages of one user in the workspace.
    Person {
        /// The user.
        user_id: UserId,
    },
}

/// The details of a workspace: its name, description and picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Its name.
    pub name: WorkspaceName,
    /// Its purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// The address of its picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<AvatarUrl>,
}

/// The plan of a workspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// The free plan.
    #[default]
    Free,
    /// The plan with more features.
    Pro,
    /// The plan with the most features.
    Enterprise,
}

impl Plan {
    /// Every plan, from the lowest to the highest.
    pub const ALL: [Self; 3] = [Self::Free, Self::Pro, Self::Enterprise];

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Enterprise => "enterprise",
        }
    }
}

/// The settings of a workspace. Unknown keys are refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceSettings {
    /// How long messages are kept in channels without a policy of their own. `None` means for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_policy: Option<RetentionPolicy>,
    /// The largest file that may be uploaded, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_max_bytes: Option<u64>,
    /// How long authors may edit a message, in minutes. `None` means for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit_window_minutes: Option<u32>,
}

impl WorkspaceEvent {
    /// The name on the wire.
    #[must_use]
    pub fn wire_name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "workspace.created",
            Self::DetailsChanged(_) => "workspace.details_changed",
            Self::DomainChanged { .. } => "workspace.domain_changed",
            Self::SettingsChanged(_) => "workspace.settings_changed",
            Self::PlanChanged { .. } => "workspace.plan_changed",
            Self::MemberInvited { .. } => "workspace.member_invited",
            Self::InvitationRevoked { .. } => "workspace.invitation_revoked",
            Self::MemberJoined { .. } => "workspace.member_joined",
            Self::MemberRoleChanged { .. } => "workspace.member_role_changed",
            Self::MemberDetailsChanged { .. } => "workspace.member_details_changed",
            Self::MemberPermissionsChanged { .. } => "workspace.member_permissions_changed",
            Self::MemberDeactivated { .. } => "workspace.member_deactivated",
            Self::MemberReactivated { .. } => "workspace.member_reactivated",
            Self::HandedOver { .. } => "workspace.handed_over",
            Self::HoldPlaced { .. } => "workspace.hold_placed",
            Self::HoldReleased { .. } => "workspace.hold_released",
            Self::EmojiAdded { .. } => "workspace.emoji_added",
            Self::EmojiRemoved { .. } => "workspace.emoji_removed",
        }
    }

    /// The version of the payload; see [`crate::upcast`].
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self {
            Self::SettingsChanged(_) => "2",
            Self::Created { .. }
            | Self::DetailsChanged(_)
            | Self::DomainChanged { .. }
            | Self::PlanChanged { .. }
            | Self::MemberInvited { .. }
            | Self::InvitationRevoked { .. }
            | Self::MemberJoined { .. }
            | Self::MemberRoleChanged { .. }
            | Self::MemberDetailsChanged { .. }
            | Self::MemberPermissionsChanged { .. }
            | Self::MemberDeactivated { .. }
            | Self::MemberReactivated { .. }
            | Self::HandedOver { .. }
            | Self::HoldPlaced { .. }
            | Self::HoldReleased { .. }
            | Self::EmojiAdded { .. }
            | Self::EmojiRemoved { .. } => "1",
        }
    }
}

impl DomainEvent for WorkspaceEvent {
    fn event_type(&self) -> String {
        self.wire_name().into()
    }

    fn event_version(&self) -> String {
        self.version().into()
    }
}
