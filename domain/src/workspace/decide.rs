//! The rules of workspaces: pure functions, one for each command, without async, clock or framework.

use std::ops::RangeInclusive;

use chrono::{DateTime, TimeDelta, Utc};

use super::grant::{ended_invitations, grants_themselves_nothing, is_granted, may_invite};
use super::{Details, HoldTarget, Invitation, Member, Plan, Workspace, WorkspaceEvent, WorkspaceRefusal, WorkspaceSettings};
use crate::context::Context;
use crate::ids::{ChannelId, HoldId, InvitationId, UserId};
use crate::permission::{Overrides, Permission, Role};
use crate::refusal::OutOfRange;
use crate::text::{Department, Email, EmojiName, Reason, Title, WorkspaceDomain};

type Decision = Result<Vec<WorkspaceEvent>, WorkspaceRefusal>;

/// The allowed limits of active members.
pub(super) const MAX_MEMBERS: RangeInclusive<u64> = 1..=1_000_000;
/// In bytes, up to 10 GiB.
pub(super) const UPLOAD_MAX_BYTES: RangeInclusive<u64> = 1..=10 * 1024 * 1024 * 1024;
/// In minutes, up to a year.
pub(super) const EDIT_WINDOW_MINUTES: RangeInclusive<u64> = 1..=525_600;
/// The longest time in which an invitation can be accepted.
pub(super) const INVITATION_LIFE_MAX: TimeDelta = TimeDelta::days(90);

/// The most open invitations of a workspace.
pub(super) const INVITATIONS_MAX: usize = 1_000;
/// The most open invitations that one member has sent.
pub(super) const INVITATIONS_EACH_MAX: usize = 250;
/// The most invitations that are kept. They include expired ones that were not revoked.
pub(super) const INVITATIONS_KEPT_MAX: usize = 10_000;
/// The most emojis of a workspace's own. All of them are in the state that each decision about the workspace reads.
pub(super) const EMOJIS_MAX: usize = 2_000;
/// The most legal holds of a workspace.
pub(super) const HOLDS_MAX: usize = 1_000;

/// Creates the workspace. The actor becomes its owner.
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

/// Changes or removes the domain. The claim of the name is taken and released with the event.
pub(super) fn change_domain(workspace: &Workspace, domain: Option<WorkspaceDomain>) -> Decision {
    existing(workspace)?;
    if workspace.domain == domain { Ok(vec![]) } else { Ok(vec![WorkspaceEvent::DomainChanged { domain }]) }
}

/// Changes the settings.
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

/// Changes the plan.
pub(super) fn change_plan(workspace: &Workspace, plan: Plan) -> Decision {
    existing(workspace)?;
    if workspace.plan == plan { Ok(vec![]) } else { Ok(vec![WorkspaceEvent::PlanChanged { plan }]) }
}

/// Invites a person by mail address. The state has no members' addresses, so another rule checks whether the address
/// belongs to a member ([`Workspace::may_be_invited`]).
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

/// Accepts an invitation: the actor becomes a member. The inviter must still be able to give this role.
pub(super) fn accept_invitation(workspace: &Workspace, context: &Context, invitation_id: InvitationId) -> Decision {
    let invitation = acceptable(workspace, context, invitation_id)?;
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

/// The invitation, if it can be accepted now: it is pending, and its inviter can still give the role.
pub(super) fn acceptable<'a>(
    workspace: &'a Workspace,
    context: &Context,
    invitation_id: InvitationId,
) -> Result<&'a Invitation, WorkspaceRefusal> {
    let invitation = pending(workspace, invitation_id)?;
    if invitation.expires_at <= context.at {
        return Err(WorkspaceRefusal::InvitationExpired);
    }
    let inviter = workspace.active_member(invitation.invited_by).ok_or(WorkspaceRefusal::InvitationEnded)?;
    may_invite(inviter, invitation.role).map_err(|_| WorkspaceRefusal::InvitationEnded)?;
    Ok(invitation)
}

/// Adds a user as a member, without an invitation.
pub(super) fn add_member(workspace: &Workspace, context: &Context, user_id: UserId, role: Role) -> Decision {
    existing(workspace)?;
    if role == Role::Owner {
        by_owner(workspace, context)?;
    }
    workspace.may_give(context.actor, None, &Member::new(role))?;
    match workspace.members.get(&user_id) {
        Some(member) if member.active => Err(WorkspaceRefusal::IsMemberAlready),
        Some(_) => Err(WorkspaceRefusal::WasMember),
        None => {
            has_room(workspace)?;
            Ok(vec![WorkspaceEvent::MemberJoined { user_id, role, invitation_id: None, invited_by: None }])
        }
    }
}

/// Revokes an invitation.
pub(super) fn revoke_invitation(workspace: &Workspace, invitation_id: InvitationId) -> Decision {
    pending(workspace, invitation_id)?;
    Ok(vec![WorkspaceEvent::InvitationRevoked { invitation_id }])
}

/// Changes a member's role. Open invitations that the member can no longer give are revoked.
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

/// Changes a member's title and department in this workspace.
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

/// Replaces a member's permission overrides. Open invitations that the member can no longer give are revoked.
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

/// Deactivates a member. Their open invitations are revoked. Deactivating a deactivated member changes nothing.
pub(super) fn deactivate_member(workspace: &Workspace, context: &Context, user_id: UserId) -> Decision {
    let member = member(workspace, user_id)?;
    workspace.may_change_member(context.actor, user_id)?;
    if !member.active {
        return Ok(vec![]);
    }
    another_owner_remains(workspace, user_id)?;
    Ok(shut_out(workspace, user_id, member))
}

/// Ends the actor's own membership, except the last owner's. Their open invitations are revoked. If it has ended already,
/// nothing changes.
pub(super) fn leave(workspace: &Workspace, context: &Context) -> Decision {
    let member = member(workspace, context.actor)?;
    if !member.active {
        return Ok(vec![]);
    }
    another_owner_remains(workspace, context.actor)?;
    Ok(shut_out(workspace, context.actor, member))
}

/// The events that end an active membership and revoke the invitations of the member.
pub(super) fn shut_out(workspace: &Workspace, user_id: UserId, member: &Member) -> Vec<WorkspaceEvent> {
    let after = Member { active: false, ..member.clone() };
    let ended = ended_invitations(workspace, user_id, &after);
    std::iter::once(WorkspaceEvent::MemberDeactivated { user_id }).chain(ended).collect()
}

/// Reactivates a member with the same role and permissions as before. The actor must be able to give them now.
/// Reactivating an active member changes nothing.
pub(super) fn reactivate_member(workspace: &Workspace, context: &Context, user_id: UserId) -> Decision {
    let member = member(workspace, user_id)?;
    workspace.may_change_member(context.actor, user_id)?;
    if member.active {
        return Ok(vec![]);
    }
    workspace.may_give(context.actor, None, member)?;
    has_room(workspace)?;
    Ok(vec![WorkspaceEvent::MemberReactivated { user_id }])
}

/// Makes another member an owner in place of the actor.
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

/// Places a legal hold. Several holds may cover the same target, and each is released by itself.
pub(super) fn place_hold(workspace: &Workspace, context: &Context, hold_id: HoldId, on: HoldTarget, reason: Reason) -> Decision {
    existing(workspace)?;
    let is_known = match on {
        HoldTarget::Workspace {} | HoldTarget::Channel { .. } => true,
        // A former member can be held too, because their messages are still there.
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

/// Releases a legal hold.
pub(super) fn release_hold(workspace: &Workspace, context: &Context, hold_id: HoldId, reason: Reason) -> Decision {
    existing(workspace)?;
    if !workspace.holds.contains_key(&hold_id) {
        return Err(WorkspaceRefusal::HoldNotFound);
    }
    Ok(vec![WorkspaceEvent::HoldReleased { hold_id, reason, released_by: context.actor }])
}

/// Adds an emoji, unless the workspace has it.
pub(super) fn add_emoji(workspace: &Workspace, context: &Context, name: EmojiName) -> Decision {
    existing(workspace)?;
    if workspace.emojis.contains(&name) {
        return Ok(vec![]);
    }
    if workspace.emojis.len() >= EMOJIS_MAX {
        return Err(WorkspaceRefusal::TooManyEmojis(EMOJIS_MAX));
    }
    Ok(vec![WorkspaceEvent::EmojiAdded { name, added_by: context.actor }])
}

/// Removes an emoji. Reactions with it stay, and are shown by its name. If the workspace has no such emoji, nothing
/// changes.
pub(super) fn remove_emoji(workspace: &Workspace, context: &Context, name: EmojiName) -> Decision {
    existing(workspace)?;
    if !workspace.emojis.contains(&name) {
        return Ok(vec![]);
    }
    Ok(vec![WorkspaceEvent::EmojiRemoved { name, removed_by: context.actor }])
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
    if is_owner(workspace, context.actor) || context.actor == UserId::SYSTEM { Ok(()) } else { Err(WorkspaceRefusal::OwnersOnly) }
}

/// Checks that an active owner other than `user_id` remains. This also holds if `user_id` is not an owner.
fn another_owner_remains(workspace: &Workspace, user_id: UserId) -> Result<(), WorkspaceRefusal> {
    let remains = workspace.members.iter().any(|(id, m)| *id != user_id && m.active && m.role == Role::Owner);
    if remains { Ok(()) } else { Err(WorkspaceRefusal::LastOwner) }
}
