//! A workspace: its members and their permissions, its settings, and its legal holds. Not here: its channels, each of
//! which is an aggregate of its own, and the permission to run a command (`commands/src/authorize.rs`).

mod command;
mod decide;
mod error;
mod event;
mod grant;
mod hold;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::WorkspaceCommand;
pub use error::WorkspaceRefusal;
pub use event::{Details, HoldTarget, Plan, WorkspaceEvent, WorkspaceSettings};
pub use hold::{Subject, covering, covering_channel};

use crate::context::Context;
use crate::ids::{ChannelId, HoldId, InvitationId, UserId};
use crate::permission::{self, Overrides, Permission, Role};
use crate::text::{Department, Email, Emoji, EmojiName, Reason, Title, WorkspaceDomain};

/// The state that decisions about a workspace need: the fold of its events, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workspace {
    /// The name, the description and the picture. `None` before it was created.
    pub details: Option<Details>,
    /// The domain.
    pub domain: Option<WorkspaceDomain>,
    /// The #general channel.
    pub general_channel_id: Option<ChannelId>,
    /// The limit of active members.
    pub max_members: u32,
    /// Its settings.
    pub settings: WorkspaceSettings,
    /// Its plan.
    pub plan: Plan,
    /// All present and former members.
    pub members: BTreeMap<UserId, Member>,
    /// Invitations that are neither accepted nor revoked.
    pub invitations: BTreeMap<InvitationId, Invitation>,
    /// The legal holds that are not released.
    pub holds: BTreeMap<HoldId, Hold>,
    /// The names of its own emojis. Absent in JSON if it has none, as in snapshots from before there were any.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub emojis: BTreeSet<EmojiName>,
}

/// A legal hold that is not released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The target of the hold.
    pub on: HoldTarget,
    /// Why.
    pub reason: Reason,
    /// The user who placed it.
    pub placed_by: UserId,
}

/// A user's membership of a workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Owner, admin, member or guest.
    pub role: Role,
    /// Whether the member is active, and not deactivated.
    pub active: bool,
    /// The overrides: permissions that the member has beyond their role, or lacks in spite of it.
    pub permissions: Overrides,
    /// Job title in this workspace.
    pub title: Option<Title>,
    /// Department.
    pub department: Option<Department>,
}

/// An invitation that is neither accepted nor revoked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invitation {
    /// The mail address of the invited person.
    pub email: Email,
    /// The role.
    pub role: Role,
    /// The user who sent the invitation.
    pub invited_by: UserId,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
}

impl Workspace {
    /// The version of this state in snapshots. Raise it when the same events are folded into another state, or when the
    /// state is written as other JSON. Snapshots of other versions are not used. A test compares both with
    /// `domain/states`.
    pub const STATE_VERSION: u32 = 2;

    /// Whether it has been created.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.details.is_some()
    }

    /// The member, if the user is an active member.
    #[must_use]
    pub fn active_member(&self, user_id: UserId) -> Option<&Member> {
        self.members.get(&user_id).filter(|member| member.active)
    }

    /// Whether everybody here can use the emoji: it is one of Unicode, or the workspace has added it.
    #[must_use]
    pub fn has_emoji(&self, emoji: &Emoji) -> bool {
        !emoji.is_custom() || self.emojis.contains(emoji.as_str())
    }

    /// Whether the workspace may have another emoji of its own.
    #[must_use]
    pub fn has_room_for_emojis(&self, more: usize) -> bool {
        self.emojis.len() + more <= decide::EMOJIS_MAX
    }

    /// Whether the user is an active member with the permission.
    #[must_use]
    pub fn allows(&self, user_id: UserId, permission: Permission) -> bool {
        self.active_member(user_id).is_some_and(|m| permission::allows(m.role, &m.permissions, permission))
    }

    /// Checks that no legal hold covers the subject, so that it may be archived, purged or erased.
    ///
    /// # Errors
    /// A legal hold covers the subject. The error names the first one.
    pub fn not_held(&self, subject: Subject) -> Result<(), WorkspaceRefusal> {
        covering(&self.holds, subject).next().map_or(Ok(()), |hold_id| Err(WorkspaceRefusal::Held(hold_id)))
    }

    /// The events that end the membership of a user whose account was erased. There are none if the user is not an
    /// active member.
    #[must_use]
    pub fn end_membership(&self, user_id: UserId) -> Vec<WorkspaceEvent> {
        self.active_member(user_id).map(|member| decide::shut_out(self, user_id, member)).unwrap_or_default()
    }

    /// Checks that the user with an invited address is no member of the workspace and never was. A guest who invites is
    /// not told, because guests see nobody's address: such an invitation cannot be accepted.
    ///
    /// # Errors
    /// The user is a member, or was one.
    pub fn may_be_invited(&self, inviter: UserId, user_id: UserId) -> Result<(), WorkspaceRefusal> {
        let is_guest = self.active_member(inviter).is_none_or(|member| member.role == Role::Guest);
        match self.members.get(&user_id).filter(|_| !is_guest) {
            None => Ok(()),
            Some(member) if member.active => Err(WorkspaceRefusal::InvitedMember),
            Some(_) => Err(WorkspaceRefusal::InvitedDeactivated),
        }
    }

    /// Whether the user is an active member with the role of a guest.
    #[must_use]
    pub fn has_guest(&self, user_id: UserId) -> bool {
        self.active_member(user_id).is_some_and(|member| member.role == Role::Guest)
    }

    /// Whether the user is an active owner.
    #[must_use]
    pub fn has_owner(&self, user_id: UserId) -> bool {
        self.active_member(user_id).is_some_and(|member| member.role == Role::Owner)
    }

    /// Checks that a person may register with this invitation: it can be accepted now, and is for this address.
    ///
    /// # Errors
    /// The invitation cannot be accepted, or it is for another address.
    pub fn may_register(&self, context: &Context, invitation_id: InvitationId, email: &Email) -> Result<(), WorkspaceRefusal> {
        let invitation = decide::acceptable(self, context, invitation_id)?;
        if invitation.email.folded() == email.folded() { Ok(()) } else { Err(WorkspaceRefusal::InvitationOfAnother) }
    }

    /// Decides `command`, and returns the events that follow from it.
    ///
    /// # Errors
    /// The rules refuse the command.
    pub fn decide(&self, context: &Context, command: WorkspaceCommand) -> Result<Vec<WorkspaceEvent>, WorkspaceRefusal> {
        match command {
            WorkspaceCommand::Create { details, domain, general_channel_id, max_members } => {
                decide::create(self, context, details, domain, general_channel_id, max_members)
            }
            WorkspaceCommand::ChangeDetails(details) => decide::change_details(self, details),
            WorkspaceCommand::ChangeDomain { domain } => decide::change_domain(self, domain),
            WorkspaceCommand::ChangeSettings(settings) => decide::change_settings(self, settings),
            WorkspaceCommand::ChangePlan { plan } => decide::change_plan(self, plan),
            WorkspaceCommand::Invite { invitation_id, email, role, expires_at } => {
                decide::invite(self, context, invitation_id, email, role, expires_at)
            }
            WorkspaceCommand::AddMember { user_id, role } => decide::add_member(self, context, user_id, role),
            WorkspaceCommand::AcceptInvitation { invitation_id } => decide::accept_invitation(self, context, invitation_id),
            WorkspaceCommand::RevokeInvitation { invitation_id } => decide::revoke_invitation(self, invitation_id),
            WorkspaceCommand::ChangeMemberRole { user_id, role } => decide::change_member_role(self, context, user_id, role),
            WorkspaceCommand::ChangeMemberDetails { user_id, title, department } => {
                decide::change_member_details(self, context, user_id, title, department)
            }
            WorkspaceCommand::ChangeMemberPermissions { user_id, permissions } => {
                decide::change_member_permissions(self, context, user_id, permissions)
            }
            WorkspaceCommand::DeactivateMember { user_id } => decide::deactivate_member(self, context, user_id),
            WorkspaceCommand::Leave => decide::leave(self, context),
            WorkspaceCommand::ReactivateMember { user_id } => decide::reactivate_member(self, context, user_id),
            WorkspaceCommand::HandOver { to } => decide::hand_over(self, context, to),
            WorkspaceCommand::PlaceHold { hold_id, on, reason } => decide::place_hold(self, context, hold_id, on, reason),
            WorkspaceCommand::ReleaseHold { hold_id, reason } => decide::release_hold(self, context, hold_id, reason),
            WorkspaceCommand::AddEmoji { name } => decide::add_emoji(self, context, name),
            WorkspaceCommand::RemoveEmoji { name } => decide::remove_emoji(self, context, name),
        }
    }
}

impl Aggregate for Workspace {
    const TYPE: &'static str = "workspace";
    type Command = (Context, WorkspaceCommand);
    type Event = WorkspaceEvent;
    type Error = WorkspaceRefusal;
    type Services = ();

    async fn handle(&mut self, (context, command): Self::Command, (): &(), sink: &EventSink<Self>) -> Result<(), WorkspaceRefusal> {
        for event in self.decide(&context, command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: WorkspaceEvent) {
        match event {
            WorkspaceEvent::Created { details, domain, general_channel_id, max_members } => {
                self.details = Some(details);
                self.domain = domain;
                self.general_channel_id = Some(general_channel_id);
                self.max_members = max_members;
            }
            WorkspaceEvent::DetailsChanged(details) => self.details = Some(details),
            WorkspaceEvent::DomainChanged { domain } => self.domain = domain,
            WorkspaceEvent::SettingsChanged(settings) => self.settings = settings,
            WorkspaceEvent::PlanChanged { plan } => self.plan = plan,
            WorkspaceEvent::MemberInvited { invitation_id, email, role, invited_by, expires_at } => {
                self.invitations.insert(invitation_id, Invitation { email, role, invited_by, expires_at });
            }
            WorkspaceEvent::InvitationRevoked { invitation_id } => drop(self.invitations.remove(&invitation_id)),
            WorkspaceEvent::MemberJoined { user_id, role, invitation_id, invited_by: _ } => {
                if let Some(accepted) = invitation_id {
                    self.invitations.remove(&accepted);
                }
                self.members.insert(user_id, Member::new(role));
            }
            WorkspaceEvent::MemberRoleChanged { user_id, role } => self.change(user_id, |m| m.role = role),
            WorkspaceEvent::MemberDetailsChanged { user_id, title, department } => self.change(user_id, |m| {
                m.title = title;
                m.department = department;
            }),
            WorkspaceEvent::MemberPermissionsChanged { user_id, permissions } => self.change(user_id, |m| m.permissions = permissions),
            WorkspaceEvent::MemberDeactivated { user_id } => self.change(user_id, |m| m.active = false),
            WorkspaceEvent::MemberReactivated { user_id } => self.change(user_id, |m| m.active = true),
            WorkspaceEvent::HandedOver { from, to } => {
                self.change(to, |m| m.role = Role::Owner);
                self.change(from, |m| m.role = Role::Admin);
            }
            WorkspaceEvent::HoldPlaced { hold_id, on, reason, placed_by } => {
                self.holds.insert(hold_id, Hold { on, reason, placed_by });
            }
            WorkspaceEvent::HoldReleased { hold_id, .. } => drop(self.holds.remove(&hold_id)),
            WorkspaceEvent::EmojiAdded { name, added_by: _ } => drop(self.emojis.insert(name)),
            WorkspaceEvent::EmojiRemoved { name, removed_by: _ } => drop(self.emojis.remove(&name)),
        }
    }
}

/// Snapshots hold no personal data. The events that had them put them back.
impl Workspace {
    /// The state without what is personal ([`crate::personal`]).
    #[must_use]
    pub fn impersonal(&self) -> Self {
        let mut state = self.clone();
        for member in state.members.values_mut() {
            (member.title, member.department) = (None, None);
        }
        for invitation in state.invitations.values_mut() {
            invitation.email = Email::erased();
        }
        state
    }

    /// Puts back the personal data that an event has. The caller must pass all such events, in order.
    pub fn restore(&mut self, event: WorkspaceEvent) {
        match event {
            WorkspaceEvent::MemberInvited { invitation_id, email, .. } => {
                if let Some(invitation) = self.invitations.get_mut(&invitation_id) {
                    invitation.email = email;
                }
            }
            WorkspaceEvent::MemberDetailsChanged { .. } => self.apply(event),
            WorkspaceEvent::Created { .. }
            | WorkspaceEvent::DetailsChanged(_)
            | WorkspaceEvent::DomainChanged { .. }
            | WorkspaceEvent::SettingsChanged(_)
            | WorkspaceEvent::InvitationRevoked { .. }
            | WorkspaceEvent::MemberJoined { .. }
            | WorkspaceEvent::MemberRoleChanged { .. }
            | WorkspaceEvent::MemberPermissionsChanged { .. }
            | WorkspaceEvent::MemberDeactivated { .. }
            | WorkspaceEvent::MemberReactivated { .. }
            | WorkspaceEvent::HandedOver { .. }
            | WorkspaceEvent::PlanChanged { .. }
            | WorkspaceEvent::HoldPlaced { .. }
            | WorkspaceEvent::HoldReleased { .. }
            | WorkspaceEvent::EmojiAdded { .. }
            | WorkspaceEvent::EmojiRemoved { .. } => {}
        }
    }
}

impl Workspace {
    fn change(&mut self, user_id: UserId, change: impl FnOnce(&mut Member)) {
        if let Some(member) = self.members.get_mut(&user_id) {
            change(member);
        }
    }
}

impl Member {
    fn new(role: Role) -> Self {
        Self { role, active: true, permissions: Overrides::new(), title: None, department: None }
    }
}
