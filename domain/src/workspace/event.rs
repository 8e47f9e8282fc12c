//! What has happened in a workspace.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::ids::{ChannelId, HoldId, InvitationId, UserId};
use crate::permission::{Overrides, Role};
use crate::retention_policy::RetentionPolicy;
use crate::text::{AvatarUrl, Department, Description, Email, Reason, Title, WorkspaceDomain, WorkspaceName};

/// What has happened in a workspace. The wire name of each is its `rename`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum WorkspaceEvent {
    /// Was created.
    #[serde(rename = "workspace.created")]
    Created {
        /// Name, description and picture.
        details: Details,
        /// Unique on this server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<WorkspaceDomain>,
        /// Its #general channel.
        general_channel_id: ChannelId,
        /// How many active members it may have.
        max_members: u32,
    },
    /// Changed name, description or picture; all of them, as they are now.
    #[serde(rename = "workspace.details_changed")]
    DetailsChanged(Details),
    /// Changed its settings; all of them, as they are now.
    #[serde(rename = "workspace.settings_changed")]
    SettingsChanged(WorkspaceSettings),
    /// Was given another plan.
    #[serde(rename = "workspace.plan_changed")]
    PlanChanged {
        /// What it pays for now.
        plan: Plan,
    },
    /// Somebody was invited.
    #[serde(rename = "workspace.member_invited")]
    MemberInvited {
        /// The invitation.
        invitation_id: InvitationId,
        /// Whom.
        email: Email,
        /// As what.
        role: Role,
        /// Who invited them.
        invited_by: UserId,
        /// Until when it can be accepted.
        expires_at: DateTime<Utc>,
    },
    /// An invitation was taken back.
    #[serde(rename = "workspace.invitation_revoked")]
    InvitationRevoked {
        /// The invitation.
        invitation_id: InvitationId,
    },
    /// Somebody became a member.
    #[serde(rename = "workspace.member_joined")]
    MemberJoined {
        /// Who.
        user_id: UserId,
        /// As what.
        role: Role,
        /// The invitation that they accepted, where one was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invitation_id: Option<InvitationId>,
        /// Who invited them, where somebody did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invited_by: Option<UserId>,
    },
    /// A member became something else.
    #[serde(rename = "workspace.member_role_changed")]
    MemberRoleChanged {
        /// Who.
        user_id: UserId,
        /// What they are now.
        role: Role,
    },
    /// A member's title or department changed; both, as they are now.
    #[serde(rename = "workspace.member_details_changed")]
    MemberDetailsChanged {
        /// Who.
        user_id: UserId,
        /// Job title in this workspace.
        title: Option<Title>,
        /// Department.
        department: Option<Department>,
    },
    /// A member's overrides changed; all of them, as they are now.
    #[serde(rename = "workspace.member_permissions_changed")]
    MemberPermissionsChanged {
        /// Who.
        user_id: UserId,
        /// The overrides.
        permissions: Overrides,
    },
    /// A member was shut out.
    #[serde(rename = "workspace.member_deactivated")]
    MemberDeactivated {
        /// Who.
        user_id: UserId,
    },
    /// A deactivated member was let in again.
    #[serde(rename = "workspace.member_reactivated")]
    MemberReactivated {
        /// Who.
        user_id: UserId,
    },
    /// One owner put another member in their place, and became an admin.
    #[serde(rename = "workspace.handed_over")]
    HandedOver {
        /// The owner that was.
        from: UserId,
        /// The owner that is.
        to: UserId,
    },
    /// Something was put under a legal hold: nothing of it is archived, purged or erased from then on.
    #[serde(rename = "workspace.hold_placed")]
    HoldPlaced {
        /// The hold.
        hold_id: HoldId,
        /// What it covers.
        on: HoldTarget,
        /// Why.
        reason: Reason,
        /// Who placed it.
        placed_by: UserId,
    },
    /// A legal hold ended.
    #[serde(rename = "workspace.hold_released")]
    HoldReleased {
        /// The hold.
        hold_id: HoldId,
        /// Why.
        reason: Reason,
        /// Who released it.
        released_by: UserId,
    },
}

/// What a legal hold covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HoldTarget {
    /// Everything in the workspace.
    Workspace {},
    /// Everything in a channel.
    Channel {
        /// Which.
        channel_id: ChannelId,
    },
    /// Everything that somebody wrote in the workspace.
    Person {
        /// Who.
        user_id: UserId,
    },
}

/// What a workspace says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Its name.
    pub name: WorkspaceName,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// Where its picture lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<AvatarUrl>,
}

/// What a workspace pays for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Nothing.
    #[default]
    Free,
    /// More.
    Pro,
    /// Most.
    Enterprise,
}

impl Plan {
    /// Every plan, from least to most.
    pub const ALL: [Self; 3] = [Self::Free, Self::Pro, Self::Enterprise];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Enterprise => "enterprise",
        }
    }
}

/// How a workspace is run. Unknown keys are refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceSettings {
    /// How long messages are kept, in channels that say nothing themselves; for ever where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_policy: Option<RetentionPolicy>,
    /// The largest file that may be uploaded, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_max_bytes: Option<u64>,
    /// How long authors may edit a message, in minutes; for ever where it says nothing.
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
        }
    }

    /// The version of the payload; see [`crate::upcast`].
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self {
            Self::SettingsChanged(_) => "2",
            Self::Created { .. }
            | Self::DetailsChanged(_)
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
            | Self::HoldReleased { .. } => "1",
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
