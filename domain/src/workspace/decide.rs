//! The rules of workspaces, without async, clock or framework. One function per command.

use std::ops::RangeInclusive;

use chrono::{DateTime, TimeDelta, Utc};

use super::grant::{ended_invitations, grants_themselves_nothing, is_granted, may_invite};
use super::{Details, HoldTarget, Invitation, Member, Plan, Workspace, WorkspaceEvent, WorkspaceRefusal, WorkspaceSettings};
use crate::context::Context;
use crate::ids::{ChannelId, HoldId, InvitationId, UserId};
use crate::permission::{Overrides, Permission, Role};
use crate::refusal::OutOfRange;
use crate::text::{Department, Email, Reason, Title, WorkspaceDomain};

type Decision = Result<Vec<WorkspaceEvent>, WorkspaceRefusal>;

/// How many active members a workspace may be set up for.
pub(super) const MAX_MEMBERS: RangeInclusive<u64> = 1..=1_000_000;
/// Up to 10 GiB.
pub(super) const UPLOAD_MAX_BYTES: RangeInclusive<u64> = 1..=10 * 1024 * 1024 * 1024;
/// Up to a year.
pub(super) const EDIT_WINDOW_MINUTES: RangeInclusive<u64> = 1..=525_600;
/// How long an invitation can be accepted, at most.
pub(super) const INVITATION_LIFE_MAX: TimeDelta = TimeDelta::days(90);

/// The most invitations that can be accepted at a time.
pub(super) const INVITATIONS_MAX: usize = 1_000;
/// Of them, the most of one member.
pub(super) const INVITATIONS_EACH_MAX: usize = 250;
/// The most invitations that are kept, those that expired and were not revoked among them.
pub(super) const INVITATIONS_KEPT_MAX: usize = 10_000;
/// The most legal holds that stand at a time.
pub(super) const HOLDS_MAX: usize = 1_000;

/// Creates the workspace; the actor becomes its owner.
pub(super) fn create(
    workspace: &Workspace,
    context: &Context,
    details: Details,
    domain: Option<WorkspaceDomain>,
    general_channel_id: ChannelId,
    max_members: u32,
) -> Decision {
    if workspace.exists() {
        return Err(WorkspaceRefusal::CreatedAlready);
    }
    in_range("max_members", max_members, MAX_MEMBERS)?;
    Ok(vec![
        WorkspaceEvent::Created { details, domain, general_channel_id, max_members },
        WorkspaceEvent::MemberJoined { user_id: context.actor, role: Role::Owner, invitation_id: None, invited_by: None },
    ])
}

/// Changes name, description and picture.
pub(super) fn change_details(workspace: &Workspace, details: Details) -> Decision {
    if *existing(workspace)? == details {
        return Ok(vec![]);
    }
    Ok(vec![WorkspaceEvent::DetailsChanged(details)])
}

/// Changes how the workspace is run.
pub(super) fn change_settings(workspace: &Workspace, settings: WorkspaceSettings) -> Decision {
    existing(workspace)?;
    let WorkspaceSettings { retention_policy, upload_max_bytes, edit_window_minutes } = settings;
    retention_policy.map_or(Ok(()), |policy| policy.check().map_err(WorkspaceRefusal::SettingsInvalid))?;
    upload_max_bytes.map_or(Ok(()), |bytes| in_range("upload_max_bytes", bytes, UPLOAD_MAX_BYTES))?;
    edit_window_minutes.map_or(Ok(()), |minutes| in_range("edit_window_minutes", minutes, EDIT_WINDOW_MINUTES))?;
    if workspace.settings == settings {
        return Ok(vec![]);
    }
    Ok(vec![WorkspaceEvent::SettingsChanged(settings)])
}

/// Gives the workspace another plan.
pub(super) fn change_plan(workspace: &Workspace, plan: Plan) -> Decision {
    existing(workspace)?;
    if workspace.plan == plan { Ok(vec![]) } else { Ok(vec![WorkspaceEvent::PlanChanged { plan }]) }
}

/// Invites somebody by mail. Whether the address belongs to a member is not known here: members are known by their identifiers.
pub(super) fn invite(
    workspace: &Workspace,
    context: &Context,
    invitation_id: InvitationId,
    email: Email,
    role: Role,
    expires_at: DateTime<Utc>,
) -> Decision {
    existing(workspace)?;
    if role == Role::Owner {
        return Err(WorkspaceRefusal::OwnerNotInvited);
    }
    if expires_at <= context.at || expires_at - context.at > INVITATION_LIFE_MAX {
        return Err(WorkspaceRefusal::InvitationExpiryInvalid);
    }
    let folded = email.folded();
    if workspace.invitations.values().any(|i| i.expires_at > context.at && i.email.folded() == folded) {
        return Err(WorkspaceRefusal::InvitedAlready);
    }
    let inviter = workspace.active_member(context.actor).ok_or(WorkspaceRefusal::PermissionBeyondOwn)?;
    may_invite(inviter, role)?;
    has_room_for_invitation(workspace, context)?;
    Ok(vec![WorkspaceEvent::MemberInvited { invitation_id, email, role, invited_by: context.actor, expires_at }])
}

/// Makes the actor a member by an invitation, which counts as far as its inviter could give it now.
pub(super) fn accept_invitation(workspace: &Workspace, context: &Context, invitation_id: InvitationId) -> Decision {
    let invitation = pending(workspace, invitation_id)?;
    if invitation.expires_at <= context.at {
        return Err(WorkspaceRefusal::InvitationExpired);
    }
    let inviter = workspace.active_member(invitation.invited_by).ok_or(WorkspaceRefusal::InvitationEnded)?;
    may_invite(inviter, invitation.role).map_err(|_| WorkspaceRefusal::InvitationEnded)?;
    match workspace.members.get(&context.actor) {
        Some(member) if member.active => return Err(WorkspaceRefusal::MemberAlready),
        Some(_) => return Err(WorkspaceRefusal::ReactivationNeeded),
        None => has_room(workspace)?,
    }
    Ok(vec![WorkspaceEvent::MemberJoined {
        user_id: context.actor,
        role: invitation.role,
        invitation_id: Some(invitation_id),
        invited_by: Some(invitation.invited_by),
    }])
}

/// Takes an invitation back.
pub(super) fn revoke_invitation(workspace: &Workspace, invitation_id: InvitationId) -> Decision {
    pending(workspace, invitation_id)?;
    Ok(vec![WorkspaceEvent::InvitationRevoked { invitation_id }])
}

/// Changes what a member is. Their invitations that they can no longer give end.
pub(super) fn change_member_role(workspace: &Workspace, context: &Context, user_id: UserId, role: Role) -> Decision {
    let member = active_member(workspace, user_id)?;
    if role == Role::Owner {
        by_owner(workspace, context)?;
    }
    workspace.may_change_member(context.actor, user_id)?;
    if member.role == role {
        return Ok(vec![]);
    }
    let after = Member { role, ..member.clone() };
    workspace.may_give(context.actor, Some(member), &after)?;
    another_owner_remains(workspace, user_id)?;
    let changed = WorkspaceEvent::MemberRoleChanged { user_id, role };
    Ok(std::iter::once(changed).chain(ended_invitations(workspace, user_id, &after)).collect())
}

/// Changes a member's title and department here.
pub(super) fn change_member_details(
    workspace: &Workspace,
    context: &Context,
    user_id: UserId,
    title: Option<Title>,
    department: Option<Department>,
) -> Decision {
    let member = member(workspace, user_id)?;
    workspace.may_change_member(context.actor, user_id)?;
    if member.title == title && member.department == department {
        return Ok(vec![]);
    }
    Ok(vec![WorkspaceEvent::MemberDetailsChanged { user_id, title, department }])
}

/// Replaces what a member may do beyond their role, or not in spite of it. Their invitations that they can no longer give end.
pub(super) fn change_member_permissions(workspace: &Workspace, context: &Context, user_id: UserId, permissions: Overrides) -> Decision {
    let member = member(workspace, user_id)?;
    workspace.may_change_member(context.actor, user_id)?;
    let after = Member { permissions, ..member.clone() };
    if is_granted(&after, Permission::WorkspaceHandOver) && !is_granted(member, Permission::WorkspaceHandOver) {
        return Err(WorkspaceRefusal::HandOverNotGranted);
    }
    workspace.may_give(context.actor, Some(member), &after)?;
    if user_id == context.actor {
        grants_themselves_nothing(member, &after)?;
    }
    if member.permissions == after.permissions {
        return Ok(vec![]);
    }
    let changed = WorkspaceEvent::MemberPermissionsChanged { user_id, permissions: after.permissions.clone() };
    Ok(std::iter::once(changed).chain(ended_invitations(workspace, user_id, &after)).collect())
}

/// Shuts a member out. Their invitations end with them.
pub(super) fn deactivate_member(workspace: &Workspace, context: &Context, user_id: UserId) -> Decision {
    let member = member(workspace, user_id)?;
    if !member.active {
        return Err(WorkspaceRefusal::MemberDeactivatedAlready);
    }
    workspace.may_change_member(context.actor, user_id)?;
    another_owner_remains(workspace, user_id)?;
    Ok(shut_out(workspace, user_id, member))
}

/// The end of an active membership, and of the invitations of that member.
pub(super) fn shut_out(workspace: &Workspace, user_id: UserId, member: &Member) -> Vec<WorkspaceEvent> {
    let after = Member { active: false, ..member.clone() };
    let ended = ended_invitations(workspace, user_id, &after);
    std::iter::once(WorkspaceEvent::MemberDeactivated { user_id }).chain(ended).collect()
}

/// Lets a deactivated member in again, who is then what they were: that is given to them anew.
pub(super) fn reactivate_member(workspace: &Workspace, context: &Context, user_id: UserId) -> Decision {
    let member = member(workspace, user_id)?;
    if member.active {
        return Err(WorkspaceRefusal::MemberActiveAlready);
    }
    workspace.may_change_member(context.actor, user_id)?;
    workspace.may_give(context.actor, None, member)?;
    has_room(workspace)?;
    Ok(vec![WorkspaceEvent::MemberReactivated { user_id }])
}

/// Makes another member an owner in the actor's place.
pub(super) fn hand_over(workspace: &Workspace, context: &Context, to: UserId) -> Decision {
    existing(workspace)?;
    by_owner(workspace, context)?;
    if to == context.actor {
        return Err(WorkspaceRefusal::HandOverToSelf);
    }
    if active_member(workspace, to)?.role == Role::Guest {
        return Err(WorkspaceRefusal::HandOverToGuest);
    }
    let handed_over = WorkspaceEvent::HandedOver { from: context.actor, to };
    let after = Member { role: Role::Admin, ..active_member(workspace, context.actor)?.clone() };
    Ok(std::iter::once(handed_over).chain(ended_invitations(workspace, context.actor, &after)).collect())
}

/// Puts something under a legal hold. One thing may be under several: each is a matter of its own, and ends by itself.
pub(super) fn place_hold(workspace: &Workspace, context: &Context, hold_id: HoldId, on: HoldTarget, reason: Reason) -> Decision {
    existing(workspace)?;
    let is_known = match on {
        HoldTarget::Workspace {} | HoldTarget::Channel { .. } => true,
        // Who was a member is held too: what they wrote is still there.
        HoldTarget::Person { user_id } => workspace.members.contains_key(&user_id),
    };
    if !is_known {
        return Err(WorkspaceRefusal::HoldTargetNotFound);
    }
    if workspace.holds.len() >= HOLDS_MAX {
        return Err(WorkspaceRefusal::TooManyHolds(HOLDS_MAX));
    }
    Ok(vec![WorkspaceEvent::HoldPlaced { hold_id, on, reason, placed_by: context.actor }])
}

/// Ends a legal hold.
pub(super) fn release_hold(workspace: &Workspace, context: &Context, hold_id: HoldId, reason: Reason) -> Decision {
    existing(workspace)?;
    if !workspace.holds.contains_key(&hold_id) {
        return Err(WorkspaceRefusal::HoldNotFound);
    }
    Ok(vec![WorkspaceEvent::HoldReleased { hold_id, reason, released_by: context.actor }])
}

fn existing(workspace: &Workspace) -> Result<&Details, WorkspaceRefusal> {
    workspace.details.as_ref().ok_or(WorkspaceRefusal::NotFound)
}

fn in_range(field: &'static str, value: impl Into<u64>, range: RangeInclusive<u64>) -> Result<(), WorkspaceRefusal> {
    OutOfRange::check(field, value, range).map_err(WorkspaceRefusal::SettingsInvalid)
}

fn pending(workspace: &Workspace, invitation_id: InvitationId) -> Result<&Invitation, WorkspaceRefusal> {
    existing(workspace)?;
    workspace.invitations.get(&invitation_id).ok_or(WorkspaceRefusal::InvitationNotFound)
}

fn member(workspace: &Workspace, user_id: UserId) -> Result<&Member, WorkspaceRefusal> {
    existing(workspace)?;
    workspace.members.get(&user_id).ok_or(WorkspaceRefusal::MemberNotFound)
}

fn active_member(workspace: &Workspace, user_id: UserId) -> Result<&Member, WorkspaceRefusal> {
    let member = member(workspace, user_id)?;
    if member.active { Ok(member) } else { Err(WorkspaceRefusal::MemberDeactivated) }
}

fn has_room(workspace: &Workspace) -> Result<(), WorkspaceRefusal> {
    let active = workspace.members.values().filter(|m| m.active).count();
    let room = usize::try_from(workspace.max_members).unwrap_or(usize::MAX);
    if active < room { Ok(()) } else { Err(WorkspaceRefusal::Full) }
}

fn has_room_for_invitation(workspace: &Workspace, context: &Context) -> Result<(), WorkspaceRefusal> {
    let open = || workspace.invitations.values().filter(|invitation| invitation.expires_at > context.at);
    if workspace.invitations.len() >= INVITATIONS_KEPT_MAX {
        return Err(WorkspaceRefusal::TooManyInvitationsKept(INVITATIONS_KEPT_MAX));
    }
    if open().count() >= INVITATIONS_MAX {
        return Err(WorkspaceRefusal::TooManyInvitations(INVITATIONS_MAX));
    }
    if open().filter(|invitation| invitation.invited_by == context.actor).count() >= INVITATIONS_EACH_MAX {
        return Err(WorkspaceRefusal::TooManyInvitationsByYou(INVITATIONS_EACH_MAX));
    }
    Ok(())
}

fn is_owner(workspace: &Workspace, user_id: UserId) -> bool {
    workspace.active_member(user_id).is_some_and(|m| m.role == Role::Owner)
}

fn by_owner(workspace: &Workspace, context: &Context) -> Result<(), WorkspaceRefusal> {
    if is_owner(workspace, context.actor) { Ok(()) } else { Err(WorkspaceRefusal::OwnersOnly) }
}

/// That there is an active owner beside `user_id`, which is so for whoever is none themselves.
fn another_owner_remains(workspace: &Workspace, user_id: UserId) -> Result<(), WorkspaceRefusal> {
    let remains = workspace.members.iter().any(|(id, m)| *id != user_id && m.active && m.role == Role::Owner);
    if remains { Ok(()) } else { Err(WorkspaceRefusal::LastOwner) }
}
