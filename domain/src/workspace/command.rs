//! What can be asked of a workspace.

use chrono::{DateTime, Utc};

use super::event::{Details, HoldTarget, Plan, WorkspaceSettings};
use crate::ids::{ChannelId, HoldId, InvitationId, UserId};
use crate::permission::{Overrides, Role};
use crate::text::{Department, Email, Reason, Title, WorkspaceDomain};

/// What can be asked of a workspace.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkspaceCommand {
    /// Create it; the actor becomes its owner.
    Create {
        /// Name, description and picture.
        details: Details,
        /// Unique on this server.
        domain: Option<WorkspaceDomain>,
        /// Its #general channel, which is created with it.
        general_channel_id: ChannelId,
        /// How many active members it may have.
        max_members: u32,
    },
    /// Change name, description and picture. Fields that stay are passed as they are.
    ChangeDetails(Details),
    /// Change the settings. Fields that stay are passed as they are.
    ChangeSettings(WorkspaceSettings),
    /// Give it another plan.
    ChangePlan {
        /// What it pays for.
        plan: Plan,
    },
    /// Invite somebody by mail.
    Invite {
        /// The invitation.
        invitation_id: InvitationId,
        /// Whom.
        email: Email,
        /// As what.
        role: Role,
        /// Until when it can be accepted.
        expires_at: DateTime<Utc>,
    },
    /// Accept an invitation: the actor becomes a member.
    AcceptInvitation {
        /// The invitation.
        invitation_id: InvitationId,
    },
    /// Take an invitation back.
    RevokeInvitation {
        /// The invitation.
        invitation_id: InvitationId,
    },
    /// Change what a member is.
    ChangeMemberRole {
        /// Who.
        user_id: UserId,
        /// What they become.
        role: Role,
    },
    /// Change a member's title and department here.
    ChangeMemberDetails {
        /// Who.
        user_id: UserId,
        /// Job title in this workspace.
        title: Option<Title>,
        /// Department.
        department: Option<Department>,
    },
    /// Replace a member's permission overrides.
    ChangeMemberPermissions {
        /// Who.
        user_id: UserId,
        /// The overrides.
        permissions: Overrides,
    },
    /// Shut a member out.
    DeactivateMember {
        /// Who.
        user_id: UserId,
    },
    /// Let a deactivated member in again.
    ReactivateMember {
        /// Who.
        user_id: UserId,
    },
    /// Make another member an owner in the actor's place; the actor becomes an admin.
    HandOver {
        /// The new owner.
        to: UserId,
    },
    /// Put something under a legal hold.
    PlaceHold {
        /// The hold.
        hold_id: HoldId,
        /// What it is to cover. That a channel is one of this workspace is known outside.
        on: HoldTarget,
        /// Why.
        reason: Reason,
    },
    /// End a legal hold.
    ReleaseHold {
        /// The hold.
        hold_id: HoldId,
        /// Why.
        reason: Reason,
    },
}

impl WorkspaceCommand {
    /// The name under which the log remembers it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create workspace",
            Self::ChangeDetails(_) => "change workspace details",
            Self::ChangeSettings(_) => "change workspace settings",
            Self::ChangePlan { .. } => "change workspace plan",
            Self::Invite { .. } => "invite member",
            Self::AcceptInvitation { .. } => "accept invitation",
            Self::RevokeInvitation { .. } => "revoke invitation",
            Self::ChangeMemberRole { .. } => "change member role",
            Self::ChangeMemberDetails { .. } => "change member details",
            Self::ChangeMemberPermissions { .. } => "change member permissions",
            Self::DeactivateMember { .. } => "deactivate member",
            Self::ReactivateMember { .. } => "reactivate member",
            Self::HandOver { .. } => "hand over workspace",
            Self::PlaceHold { .. } => "place legal hold",
            Self::ReleaseHold { .. } => "release legal hold",
        }
    }
}
