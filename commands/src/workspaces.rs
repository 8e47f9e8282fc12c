//! Commands of workspaces. `by_operators` has those of the server's operators, who need not be members.

mod by_operators;

use domain::channel::{Kind, NewChannel};
use domain::ids::{ChannelId, InvitationId, UserId, WorkspaceId};
use domain::permission::Role;
use domain::text::{ChannelName, WorkspaceDomain};
use domain::workspace::{Details, HoldTarget};
use domain::{ChannelCommand, Context, StreamId, Workspace, WorkspaceCommand, WorkspaceEvent, WorkspaceRefusal};
use tracing::instrument;

use crate::channels::announcements;
use crate::event_store::{Claim, ClaimChange, ClaimKind, names};
use crate::execute::{ChangedRow, Decision, Draft};
use crate::reader::Reader;
use crate::{Appended, CommandError, CommandRefusal, CommandRequest, Commands, authorize, slots};

/// The name of the channel that every workspace has.
const GENERAL: &str = "general";

/// The data that a new workspace starts with.
#[derive(Clone, Debug)]
pub struct NewWorkspace {
    /// Its identifier.
    pub workspace_id: WorkspaceId,
    /// The identifier of its #general channel.
    pub general_channel_id: ChannelId,
    /// The name, the description and the picture.
    pub details: Details,
    /// The domain. It is unique on this server.
    pub domain: Option<WorkspaceDomain>,
    /// The limit of active members.
    pub max_members: u32,
    /// How many workspaces the actor may create. `None` means no limit. Operators have no limit.
    pub each_max: Option<u32>,
}

impl Commands {
    /// Creates a workspace with its #general channel. The actor becomes its owner.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "create a workspace", skip_all, fields(workspace.id = %new.workspace_id))]
    pub async fn create_workspace(&self, asked: &CommandRequest, new: NewWorkspace) -> Result<Appended, CommandError> {
        self.execute(asked, &Create { owner: None, new: &new }).await
    }

    /// Runs a command on a workspace.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    pub async fn workspace(
        &self,
        asked: &CommandRequest,
        workspace_id: WorkspaceId,
        command: WorkspaceCommand,
    ) -> Result<Appended, CommandError> {
        let name = command.name();
        self.workspace_with(asked, workspace_id, name, |_| Ok(command.clone())).await
    }

    /// Runs the command that `choose` derives from the present state of the workspace, or fails with its refusal.
    /// `choose` may be called more than once.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "run a command on a workspace", skip_all, fields(workspace.id = %workspace_id, command = name))]
    pub async fn workspace_with(
        &self,
        asked: &CommandRequest,
        workspace_id: WorkspaceId,
        name: &'static str,
        choose: impl Fn(&Workspace) -> Result<WorkspaceCommand, CommandRefusal> + Sync,
    ) -> Result<Appended, CommandError> {
        self.execute(asked, &Change { workspace_id, name, choose }).await
    }

    /// Ends the actor's own membership of a workspace. It has no effect if the membership has ended already.
    ///
    /// # Errors
    /// The command is refused, for example because the actor is the last owner; or the store failed.
    #[instrument(name = "leave a workspace", skip_all, fields(workspace.id = %workspace_id))]
    pub async fn leave_workspace(&self, asked: &CommandRequest, workspace_id: WorkspaceId) -> Result<Appended, CommandError> {
        self.execute(asked, &Leave { workspace_id }).await
    }

    /// Accepts an invitation. The actor becomes a member, and joins #general unless they are a guest.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "accept an invitation", skip_all, fields(workspace.id = %workspace_id))]
    pub async fn accept_invitation(
        &self,
        asked: &CommandRequest,
        workspace_id: WorkspaceId,
        invitation_id: InvitationId,
    ) -> Result<Appended, CommandError> {
        self.execute(asked, &Accept { workspace_id, invitation_id }).await
    }
}

/// The creation of a workspace by its owner, or by the server itself for `owner`.
struct Create<'a> {
    owner: Option<UserId>,
    new: &'a NewWorkspace,
}

impl Decision for Create<'_> {
    fn name(&self) -> &'static str {
        "create workspace"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        if self.owner.is_some() {
            authorize::server_itself(context.actor)?;
        }
        let (new, owner_id) = (self.new, self.owner.unwrap_or(context.actor));
        let owner = reader.user(owner_id).await?;
        authorize::active(&owner)?;
        let workspace = reader.workspace(new.workspace_id).await?;
        let channel = reader.channel(new.general_channel_id).await?;
        let by_owner = Context { actor: owner_id, ..context.clone() };
        let created = workspace.decide(&by_owner, new.command())?;
        let general = channel.decide(&by_owner, ChannelCommand::Create(Box::new(new.general()?)))?;
        let workspace_stream = StreamId::workspace(new.workspace_id);
        let slot = match new.each_max.filter(|_| self.owner.is_none() && !owner.is_operator()) {
            Some(max) => {
                Some(slots::free(reader.store(), slots::of_workspaces(owner_id), max, WorkspaceRefusal::TooManyCreated(max)).await?)
            }
            None => None,
        };
        Ok(Draft::of(new.workspace_id)
            .write(workspace_stream, Some(new.workspace_id), created)
            .effect(workspace_stream, StreamId::channel(new.general_channel_id), Some(new.workspace_id), general)
            .claim(new.claims()?)
            .claim(slot.map(|slot| slot.taken_by(new.workspace_id))))
    }
}

impl NewWorkspace {
    fn command(&self) -> WorkspaceCommand {
        WorkspaceCommand::Create {
            details: self.details.clone(),
            domain: self.domain.clone(),
            general_channel_id: self.general_channel_id,
            max_members: self.max_members,
        }
    }

    fn general(&self) -> Result<NewChannel, CommandError> {
        Ok(NewChannel {
            workspace_id: self.workspace_id,
            kind: Kind::Public,
            name: Some(ChannelName::parse(GENERAL)?),
            display_name: None,
            description: None,
            topic: None,
            purpose: None,
            is_general: true,
            members: std::collections::BTreeSet::new(),
        })
    }

    fn claims(&self) -> Result<Vec<ClaimChange>, CommandError> {
        let general = names::of_channel(self.workspace_id, &ChannelName::parse(GENERAL)?);
        let general = general.into_iter().map(|claim| claim.taken_by(self.general_channel_id));
        let domain = self.domain.iter().map(|domain| claim_of(domain).taken_by(self.workspace_id));
        Ok(domain.chain(general).collect())
    }
}

fn claim_of(domain: &WorkspaceDomain) -> Claim {
    Claim::on_server(ClaimKind::WorkspaceDomain, domain.as_str())
}

struct Change<F> {
    workspace_id: WorkspaceId,
    name: &'static str,
    choose: F,
}

impl<F: Fn(&Workspace) -> Result<WorkspaceCommand, CommandRefusal> + Sync> Decision for Change<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn row(&self) -> Option<ChangedRow> {
        Some(row_of(self.workspace_id))
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let workspace = reader.workspace(self.workspace_id).await?;
        let command = if context.actor == UserId::SYSTEM {
            let command = (self.choose)(&workspace)?;
            authorize::workspace_command_of_the_server(&workspace, &command)?;
            command
        } else {
            authorize::active(reader.user(context.actor).await?.as_ref())?;
            authorize::sees_workspace(&workspace, context.actor)?;
            let command = (self.choose)(&workspace)?;
            if let Err(refusal) = authorize::workspace_command(&workspace, context.actor, &command) {
                let is_repeated = has_handed_over(reader, self.workspace_id, &workspace, context.actor, &command).await?;
                return if is_repeated { Ok(Draft::of(self.workspace_id)) } else { Err(refusal.into()) };
            }
            command
        };
        held_channel_is_here(reader, self.workspace_id, &command).await?;
        no_member_is_invited(reader, &workspace, context, &command).await?;
        let subject = subject(self.workspace_id, &command);
        let promoted = promoted_guest(&workspace, &command);
        let events: Vec<WorkspaceEvent> = match workspace.decide(context, command.clone()) {
            Ok(events) => events,
            Err(refusal) => {
                return if is_done(reader, self.workspace_id, &command).await? { Ok(Draft::of(subject)) } else { Err(refusal.into()) };
            }
        };
        let draft = Draft { subject, ..Draft::of(self.workspace_id) }.write(
            StreamId::workspace(self.workspace_id),
            Some(self.workspace_id),
            events,
        );
        match promoted.zip(workspace.general_channel_id) {
            Some((user_id, general)) => {
                join_general(draft, &Context { actor: user_id, ..context.clone() }, reader, general, self.workspace_id).await
            }
            None => Ok(draft),
        }
    }
}

/// The row of a workspace. Its members, invitations, holds and emojis are rows of their own.
pub(super) fn row_of(workspace_id: WorkspaceId) -> ChangedRow {
    let additions = &[
        "workspace.member_invited",
        "workspace.invitation_revoked",
        "workspace.member_joined",
        "workspace.member_role_changed",
        "workspace.member_details_changed",
        "workspace.member_permissions_changed",
        "workspace.member_deactivated",
        "workspace.member_reactivated",
        "workspace.handed_over",
        "workspace.hold_placed",
        "workspace.hold_released",
        "workspace.emoji_added",
        "workspace.emoji_removed",
    ];
    ChangedRow { stream: StreamId::workspace(workspace_id), additions }
}

/// Whether the log has what a refused command asks for: the invitation was revoked, or the hold released. The state has
/// neither any more. So a repeated request succeeds, and one for something that never was is refused.
async fn is_done(reader: &Reader<'_>, workspace_id: WorkspaceId, command: &WorkspaceCommand) -> Result<bool, CommandError> {
    let stream = StreamId::workspace(workspace_id);
    let (event_type, field, id) = match command {
        WorkspaceCommand::RevokeInvitation { invitation_id } => ("workspace.invitation_revoked", "invitation_id", invitation_id.0),
        WorkspaceCommand::ReleaseHold { hold_id, .. } => ("workspace.hold_released", "hold_id", hold_id.0),
        _ => return Ok(false),
    };
    Ok(reader.store().has_event(stream, event_type, field, id).await?)
}

/// Whether the actor has handed the workspace over to this owner before, and so may not do it again.
async fn has_handed_over(
    reader: &Reader<'_>,
    workspace_id: WorkspaceId,
    workspace: &Workspace,
    actor: UserId,
    command: &WorkspaceCommand,
) -> Result<bool, CommandError> {
    let WorkspaceCommand::HandOver { to } = command else { return Ok(false) };
    let stream = StreamId::workspace(workspace_id);
    Ok(workspace.has_owner(*to) && reader.store().has_event(stream, "workspace.handed_over", "from", actor.0).await?)
}

/// Checks that an invited address belongs to nobody who is or was a member. An account that is in other workspaces only
/// makes no difference, so the inviter learns nothing about it.
async fn no_member_is_invited(
    reader: &Reader<'_>,
    workspace: &Workspace,
    context: &Context,
    command: &WorkspaceCommand,
) -> Result<(), CommandError> {
    let WorkspaceCommand::Invite { email, .. } = command else { return Ok(()) };
    let held = reader.store().holders(&names::of_email(email)).await?;
    Ok(held.into_values().try_for_each(|holder| workspace.may_be_invited(context.actor, holder.into()))?)
}

/// The guest whom the command gives a higher role. Every member except guests is in #general.
fn promoted_guest(workspace: &Workspace, command: &WorkspaceCommand) -> Option<UserId> {
    match command {
        WorkspaceCommand::ChangeMemberRole { user_id, role } if *role != Role::Guest && workspace.has_guest(*user_id) => Some(*user_id),
        _ => None,
    }
}

struct Leave {
    workspace_id: WorkspaceId,
}

impl Decision for Leave {
    fn name(&self) -> &'static str {
        "leave workspace"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        authorize::active(reader.user(context.actor).await?.as_ref())?;
        let workspace = reader.workspace(self.workspace_id).await?;
        authorize::workspace_command(&workspace, context.actor, &WorkspaceCommand::Leave)?;
        let left = workspace.decide(context, WorkspaceCommand::Leave)?;
        Ok(Draft::of(self.workspace_id).write(StreamId::workspace(self.workspace_id), Some(self.workspace_id), left))
    }
}

/// Checks that the target of a hold is a channel of this workspace. The actor need not see the channel, because a
/// member with this permission may hold everything.
async fn held_channel_is_here(reader: &mut Reader<'_>, workspace_id: WorkspaceId, command: &WorkspaceCommand) -> Result<(), CommandError> {
    let WorkspaceCommand::PlaceHold { on: HoldTarget::Channel { channel_id }, .. } = command else { return Ok(()) };
    let channel = reader.channel(*channel_id).await?;
    let is_here = channel.creation.as_ref().is_some_and(|creation| creation.workspace_id == workspace_id);
    if is_here { Ok(()) } else { Err(WorkspaceRefusal::HoldTargetNotFound.into()) }
}

/// The identifier of the thing that a command creates or changes.
fn subject(workspace_id: WorkspaceId, command: &WorkspaceCommand) -> uuid::Uuid {
    match command {
        WorkspaceCommand::Invite { invitation_id, .. } => invitation_id.0,
        WorkspaceCommand::PlaceHold { hold_id, .. } => hold_id.0,
        _ => workspace_id.0,
    }
}

struct Accept {
    workspace_id: WorkspaceId,
    invitation_id: InvitationId,
}

impl Decision for Accept {
    fn name(&self) -> &'static str {
        "accept invitation"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        authorize::active(reader.user(context.actor).await?.as_ref())?;
        let workspace = reader.workspace(self.workspace_id).await?;
        let command = WorkspaceCommand::AcceptInvitation { invitation_id: self.invitation_id };
        authorize::workspace_command(&workspace, context.actor, &command)?;
        inviter_is_active(reader, &workspace, self.invitation_id).await?;
        let is_guest = workspace.invitations.get(&self.invitation_id).is_some_and(|invitation| invitation.role == Role::Guest);
        let joined = workspace.decide(context, command)?;
        let draft = Draft::of(self.workspace_id).write(StreamId::workspace(self.workspace_id), Some(self.workspace_id), joined);
        match workspace.general_channel_id.filter(|_| !is_guest) {
            Some(general) => join_general(draft, context, reader, general, self.workspace_id).await,
            None => Ok(draft),
        }
    }
}

/// Checks that the inviter's account is active, because an invitation ends with its inviter. The domain checks the
/// inviter's membership.
pub(crate) async fn inviter_is_active(
    reader: &mut Reader<'_>,
    workspace: &Workspace,
    invitation_id: InvitationId,
) -> Result<(), CommandError> {
    let Some(invitation) = workspace.invitations.get(&invitation_id) else { return Ok(()) };
    let inviter = reader.user(invitation.invited_by).await?;
    if inviter.is_active() { Ok(()) } else { Err(WorkspaceRefusal::InvitationEnded.into()) }
}

/// Makes the actor a member of #general, if they are not in it.
async fn join_general(
    draft: Draft,
    context: &Context,
    reader: &mut Reader<'_>,
    channel_id: ChannelId,
    workspace_id: WorkspaceId,
) -> Result<Draft, CommandError> {
    let channel = reader.channel(channel_id).await?;
    if channel.has_member(context.actor) {
        return Ok(draft);
    }
    let events = channel.decide(context, ChannelCommand::Join)?;
    let messages = announcements(context, workspace_id, channel_id, &events);
    let (workspace, general) = (StreamId::workspace(workspace_id), StreamId::channel(channel_id));
    let draft = draft.effect(workspace, general, Some(workspace_id), events);
    Ok(messages.into_iter().fold(draft, |draft, (stream, event)| draft.effect(general, stream, Some(workspace_id), vec![event])))
}
