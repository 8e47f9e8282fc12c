//! The one rule of giving and taking in a workspace: nobody gives what they lack, and nobody changes a member who ranks above them.
//!
//! Every decision that changes a role, a permission or a membership asks here, at the moment at which the change takes effect. So an invitation is
//! judged twice: when it is given, and when it is accepted. `docs/decisions/0024-nobody-gives-more-than-they-have.md` says why it is so.
//!
//! Not here: whether the actor has the permission that the command itself needs (`commands/src/authorize.rs`).

use std::cmp::Ordering;

use super::{Member, Workspace, WorkspaceEvent, WorkspaceRefusal};
use crate::ids::UserId;
use crate::permission::{self, Permission, Role};

impl Workspace {
    /// That the actor may change what another member is, may do or is called here. Everybody may change themselves, and owners may change each
    /// other. Others change members of a lower rank, and members of their own rank who have no permission that the actor lacks.
    ///
    /// # Errors
    /// The member ranks above the actor, or the actor is no active member.
    pub(super) fn may_change_member(&self, actor: UserId, user_id: UserId) -> Result<(), WorkspaceRefusal> {
        self.may_act_on(actor, user_id)?;
        match (self.active_member(actor), self.members.get(&user_id)) {
            (Some(giver), Some(member)) if user_id != actor && is_weaker_equal(giver, member) => Err(WorkspaceRefusal::RankAboveOwn),
            _ => Ok(()),
        }
    }

    /// That the actor may act on another member at all, as in removing them from a channel: the member does not rank above the actor.
    ///
    /// # Errors
    /// The member ranks above the actor, or the actor is no active member.
    pub fn may_act_on(&self, actor: UserId, user_id: UserId) -> Result<(), WorkspaceRefusal> {
        let Some(member) = self.members.get(&user_id).filter(|_| user_id != actor) else { return Ok(()) };
        if self.active_member(actor).is_some_and(|giver| giver.role >= member.role) {
            return Ok(());
        }
        Err(if member.role == Role::Owner { WorkspaceRefusal::OwnersOnly } else { WorkspaceRefusal::RankAboveOwn })
    }

    /// That the actor may make `after` of a member who is `before`; of nothing, where the member is let in again.
    ///
    /// # Errors
    /// The change gives a role or a permission that the actor lacks, or the actor is no active member.
    pub(super) fn may_give(&self, actor: UserId, before: Option<&Member>, after: &Member) -> Result<(), WorkspaceRefusal> {
        let giver = self.active_member(actor).ok_or(WorkspaceRefusal::PermissionBeyondOwn)?;
        gives_no_more_than_own(giver, before, after)
    }
}

/// That members who change their own overrides grant themselves nothing outright, unless they are owners: it would outlive their role.
pub(super) fn grants_themselves_nothing(before: &Member, after: &Member) -> Result<(), WorkspaceRefusal> {
    let grants = |permission: &Permission| is_granted(after, *permission) && !is_granted(before, *permission);
    let is_beyond = before.role != Role::Owner && Permission::ALL.iter().any(grants);
    if is_beyond { Err(WorkspaceRefusal::PermissionToOneself) } else { Ok(()) }
}

/// That `inviter`, as they are now, may bring somebody in as `role`.
pub(super) fn may_invite(inviter: &Member, role: Role) -> Result<(), WorkspaceRefusal> {
    if !inviter.active || !has(inviter, Permission::MemberInvite) {
        return Err(WorkspaceRefusal::PermissionBeyondOwn);
    }
    gives_no_more_than_own(inviter, None, &Member::new(role))
}

/// The end of each open invitation of a member that they can no longer give, being `after` from now on.
pub(super) fn ended_invitations<'a>(
    workspace: &'a Workspace,
    user_id: UserId,
    after: &'a Member,
) -> impl Iterator<Item = WorkspaceEvent> + 'a {
    let ends = move |role| may_invite(after, role).is_err();
    let theirs = workspace.invitations.iter().filter(move |(_, invitation)| invitation.invited_by == user_id && ends(invitation.role));
    theirs.map(|(invitation_id, _)| WorkspaceEvent::InvitationRevoked { invitation_id: *invitation_id })
}

/// Owners give everything; who owns a workspace is judged before.
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

/// Whether the member gets the permission by the change: with a role, granted outright, or by lifting what denied it. One that is granted
/// outright to somebody whose role has it counts too: it would outlive the role.
fn gains(before: Option<&Member>, after: &Member, permission: Permission) -> bool {
    let had = before.is_some_and(|before| has(before, permission));
    let was_granted = before.is_some_and(|before| is_granted(before, permission));
    (has(after, permission) && !had) || (is_granted(after, permission) && !was_granted)
}

/// Whether the member is of the same rank, no owner, and has a permission that `giver` lacks.
fn is_weaker_equal(giver: &Member, member: &Member) -> bool {
    let is_equal = giver.role.cmp(&member.role) == Ordering::Equal && giver.role != Role::Owner;
    is_equal && Permission::ALL.iter().any(|permission| has(member, *permission) && !has(giver, *permission))
}

fn has(member: &Member, permission: Permission) -> bool {
    permission::allows(member.role, &member.permissions, permission)
}

/// Whether an override gives it, whatever the role.
pub(super) fn is_granted(member: &Member, permission: Permission) -> bool {
    member.permissions.get(&permission) == Some(&true)
}
