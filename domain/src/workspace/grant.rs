//! The rule of rank and permissions in a workspace: no member gives a role or a permission that they lack, and no
//! member changes a member who ranks above them.
//!
//! Every decision that changes a role, a permission or a membership checks this rule at the moment at which the change
//! takes effect. So an invitation is checked twice: when it is sent, and when it is accepted.
//! `docs/decisions/0024-nobody-gives-more-than-they-have.md` gives the reasons.
//!
//! The server itself ([`UserId::SYSTEM`]) acts for its operators on the command line. It ranks above every member, and may
//! give every role. No request over HTTP has this actor.
//!
//! Not here: whether the actor has the permission that the command itself needs (`commands/src/authorize.rs`).

use std::cmp::Ordering;

use super::{Member, Workspace, WorkspaceEvent, WorkspaceRefusal};
use crate::ids::UserId;
use crate::permission::{self, Permission, Role};

impl Workspace {
    /// Checks that the actor may change another member's role, permissions or details. All members may change
    /// themselves, and owners may change each other. Other members may change members of a lower rank, and members of
    /// their own rank who have no permission that the actor lacks.
    ///
    /// # Errors
    /// The member ranks above the actor, or the actor is not an active member.
    pub(super) fn may_change_member(&self, actor: UserId, user_id: UserId) -> Result<(), WorkspaceRefusal> {
        self.may_act_on(actor, user_id)?;
        match (self.active_member(actor), self.members.get(&user_id)) {
            (Some(giver), Some(member)) if user_id != actor && is_weaker_equal(giver, member) => Err(WorkspaceRefusal::RankAboveOwn),
            _ => Ok(()),
        }
    }

    /// Checks that the member does not rank above the actor, who wants to remove them from a channel, for example.
    ///
    /// # Errors
    /// The member ranks above the actor, or the actor is not an active member.
    pub fn may_act_on(&self, actor: UserId, user_id: UserId) -> Result<(), WorkspaceRefusal> {
        let Some(member) = self.members.get(&user_id).filter(|_| user_id != actor && actor != UserId::SYSTEM) else { return Ok(()) };
        if self.active_member(actor).is_some_and(|giver| giver.role >= member.role) {
            return Ok(());
        }
        Err(if member.role == Role::Owner { WorkspaceRefusal::OwnersOnly } else { WorkspaceRefusal::RankAboveOwn })
    }

    /// Checks that the actor may change a member from `before` to `after`. `before` is `None` if the member is
    /// reactivated.
    ///
    /// # Errors
    /// The change gives a role or a permission that the actor lacks, or the actor is not an active member.
    pub(super) fn may_give(&self, actor: UserId, before: Option<&Member>, after: &Member) -> Result<(), WorkspaceRefusal> {
        if actor == UserId::SYSTEM {
            return Ok(());
        }
        let giver = self.active_member(actor).ok_or(WorkspaceRefusal::PermissionBeyondOwn)?;
        gives_no_more_than_own(giver, before, after)
    }
}

/// Checks that members who change their own overrides do not grant themselves a permission. They would keep it after a
/// change of their role. Owners may do it.
pub(super) fn grants_themselves_nothing(before: &Member, after: &Member) -> Result<(), WorkspaceRefusal> {
    let grants = |permission: &Permission| is_granted(after, *permission) && !is_granted(before, *permission);
    let is_beyond = before.role != Role::Owner && Permission::ALL.iter().any(grants);
    if is_beyond { Err(WorkspaceRefusal::PermissionToOneself) } else { Ok(()) }
}

/// Checks that `inviter`, with their present role and permissions, may invite a person as `role`.
pub(super) fn may_invite(inviter: &Member, role: Role) -> Result<(), WorkspaceRefusal> {
    if !inviter.active || !has(inviter, Permission::MemberInvite) {
        return Err(WorkspaceRefusal::PermissionBeyondOwn);
    }
    gives_no_more_than_own(inviter, None, &Member::new(role))
}

/// The events that revoke the open invitations which the member can no longer give, once the member is `after`.
pub(super) fn ended_invitations<'a>(
    workspace: &'a Workspace,
    user_id: UserId,
    after: &'a Member,
) -> impl Iterator<Item = WorkspaceEvent> + 'a {
    let ends = move |role| may_invite(after, role).is_err();
    let theirs = workspace.invitations.iter().filter(move |(_, invitation)| invitation.invited_by == user_id && ends(invitation.role));
    theirs.map(|(invitation_id, _)| WorkspaceEvent::InvitationRevoked { invitation_id: *invitation_id })
}

/// Checks what the change gives. Owners may give everything. Another check protects the role of owner.
fn gives_no_more_than_own(giver: &Member, before: Option<&Member>, after: &Member) -> Result<(), WorkspaceRefusal> {
    if giver.role == Role::Owner {
        return Ok(());
    }
    if after.role > giver.role && before.is_none_or(|before| before.role < after.role) {
        return Err(WorkspaceRefusal::RoleBeyondOwn);
    }
    let beyond = |permission: Permission| gains(before, after, permission) && !has(giver, permission);
    if Permission::ALL.iter().copied().any(beyond) { Err(WorkspaceRefusal::PermissionBeyondOwn) } else { Ok(()) }
}

/// Whether the change gives the member the permission: by a role, by a grant, or by lifting a denial. A grant counts
/// even if the member's role has the permission, because the grant would remain after a change of the role.
fn gains(before: Option<&Member>, after: &Member, permission: Permission) -> bool {
    let had = before.is_some_and(|before| has(before, permission));
    let was_granted = before.is_some_and(|before| is_granted(before, permission));
    (has(after, permission) && !had) || (is_granted(after, permission) && !was_granted)
}

/// Whether the member has the same rank, is not an owner, and has a permission that `giver` lacks.
fn is_weaker_equal(giver: &Member, member: &Member) -> bool {
    let is_equal = giver.role.cmp(&member.role) == Ordering::Equal && giver.role != Role::Owner;
    is_equal && Permission::ALL.iter().any(|permission| has(member, *permission) && !has(giver, *permission))
}

fn has(member: &Member, permission: Permission) -> bool {
    permission::allows(member.role, &member.permissions, permission)
}

/// Whether an override grants it, whatever the role is.
pub(super) fn is_granted(member: &Member, permission: Permission) -> bool {
    member.permissions.get(&permission) == Some(&true)
}
