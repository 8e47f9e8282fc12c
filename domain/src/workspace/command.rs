//! The commands of a workspace.

use chrono::{DateTime, Utc};

use super::event::{Details, HoldTarget, Plan, WorkspaceSettings};
use crate::ids::{ChannelId, HoldId, InvitationId, UserId};
use crate::permission::{Overrides, Role};
use crate::text::{Department, Email, EmojiName, Reason, Title, WorkspaceDomain};

/// The commands of a workspace.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkspaceCommand {
    /// Create it. The actor becomes its owner.
    Create {
        /// The name, the description and the picture.
        details: Details,
        /// The domain. It is unique on this server.
        domain: Option<WorkspaceDomain>,
        /// The #general channel, which is created together with the workspace.
        general_channel_id: ChannelId,
        /// The limit of active members.
        max_members: u32,
    },
    /// Change name, description and picture. The caller passes all of them, also those that stay the same.
    ChangeDetails(Details),
    /// Change or remove the domain.
    ChangeDomain {
        /// The new domain. `None` removes it.
        domain: Option<WorkspaceDomain>,
    },
    /// Change the settings. The caller passes all of them, also those that stay the same.
    ChangeSettings(WorkspaceSettings),
    /// Change the plan.
    ChangePlan {
        /// The new plan.
        plan: Plan,
    },
    /// Invite a person by mail address.
    Invite {
        /// The invitation.
        invitation_id: InvitationId,
        /// The mail address of the invited person.
        email: Email,
        /// The role.
        role: Role,
        /// When the invitation expires.
        expires_at: DateTime<Utc>,
    },
    /// Add a user without an invitation. The server itself does this, for its operators.
    AddMember {
        /// The user.
        user_id: UserId,
        /// The role.
        role: Role,
    },
    /// Accept an invitation: the actor becomes a member.
    AcceptInvitation {
        /// The invitation.
        invitation_id: InvitationId,
    },
    /// Revoke an invitation.
    RevokeInvitation {
        /// The invitation.
        invitation_id: InvitationId,
    },
    /// Change a member's role.
    ChangeMemberRole {
        /// The member.
        user_id: UserId,
        /// The new role.
        role: Role,
    },
    /// Change a member's title and department in this workspace.
    ChangeMemberDetails {
        /// The member.
        user_id: UserId,
        /// Job title in this workspace.
        title: Option<Title>,
        /// Department.
        department: Option<Department>,
    },
    /// Replace a member's permission overrides.
    ChangeMemberPermissions {
        /// The member.
        user_id: UserId,
        /// The overrides.
        permissions: Overrides,
    },
    /// Deactivate a member.
    DeactivateMember {
        /// The member.
        user_id: UserId,
    },
    /// Leave the workspace. The actor is no longer an active member.
    Leave,
    /// Reactivate a deactivated member.
    ReactivateMember {
        /// The member.
        user_id: UserId,
    },
    /// Hand the workspace over: another member becomes an owner, and the actor becomes an admin.
    HandOver {
        /// The new owner.
        to: UserId,
    },
    /// Place a legal hold.
    PlaceHold {
        /// The hold.
        hold_id: HoldId,
        /// The target of the hold. The caller has checked that a channel belongs to this workspace.
        on: HoldTarget,
        /// Why.
        reason: Reason,
    },
    /// Release a legal hold.
    ReleaseHold {
        /// The hold.
        hold_id: HoldId,
        /// Why.
        reason: Reason,
    },
    /// Add an emoji of the workspace's own.
    AddEmoji {
        /// Its name.
        name: EmojiName,
    },
    /// Remove an emoji of the workspace's own. Reactions with it stay.
    RemoveEmoji {
        /// Its name.
        name: EmojiName,
    },
}

impl WorkspaceCommand {
    /// The command's name in the metadata of its events.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create workspace",
            Self::ChangeDetails(_) => "change workspace details",
            Self::ChangeDomain { .. } => "change workspace domain",
            Self::ChangeSettings(_) => "change workspace settings",
            Self::ChangePlan { .. } => "change workspace plan",
            Self::Invite { .. } => "invite member",
            Self::AddMember { .. } => "add member",
            Self::AcceptInvitation { .. } => "accept invitation",
            Self::RevokeInvitation { .. } => "revoke invitation",
            Self::ChangeMemberRole { .. } => "change member role",
            Self::ChangeMemberDetails { .. } => "change member details",
            Self::ChangeMemberPermissions { .. } => "change member permissions",
            Self::DeactivateMember { .. } => "deactivate member",
            Self::Leave => "leave workspace",
            Self::ReactivateMember { .. } => "reactivate member",
            Self::HandOver { .. } => "hand over workspace",
            Self::PlaceHold { .. } => "place legal hold",
            Self::ReleaseHold { .. } => "release legal hold",
            Self::AddEmoji { .. } => "add emoji",
            Self::RemoveEmoji { .. } => "remove emoji",
        }
    }
}
