//! Commands of channels.

use std::collections::{BTreeSet, HashMap};

use domain::channel::{self, NewChannel, people_key};
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use domain::message::{Kind, MessageEvent, Moment, Posting, system_message};
use domain::{Channel, ChannelCommand, ChannelEvent, ChannelRefusal, Context, StreamId, UserRefusal, Workspace};
use tracing::instrument;
use uuid::Uuid;

use crate::access_refusal::AccessRefusal;
use crate::event_store::{Claim, ClaimChange, ClaimKind, names};
use crate::execute::{ChangedRow, Decision, Draft, taken};
use crate::reader::Reader;
use crate::{Appended, CHANNELS_EACH_MAX, CommandError, CommandRefusal, CommandRequest, Commands, authorize, slots};

impl Commands {
    /// Creates a channel. If the direct or group conversation exists already, its identifier is returned, even if one of
    /// its people is no longer in the workspace.
    ///
    /// `shared` are channels that the actor may share with the others, from the read side: each is checked here. Only
    /// guests need them.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "create a channel", skip_all, fields(channel.id = %channel_id, workspace.id = %new.workspace_id))]
    pub async fn create_channel(
        &self,
        asked: &CommandRequest,
        channel_id: ChannelId,
        new: NewChannel,
        shared: &[ChannelId],
    ) -> Result<Appended, CommandError> {
        self.execute(asked, &Create { channel_id, new, shared }).await
    }

    /// Runs a command on a channel.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    pub async fn channel(&self, asked: &CommandRequest, channel_id: ChannelId, command: ChannelCommand) -> Result<Appended, CommandError> {
        let name = command.name();
        self.channel_with(asked, channel_id, name, |_| Ok(command.clone())).await
    }

    /// Runs the command that `choose` derives from the present state of the channel, or fails with its refusal.
    /// `choose` may be called more than once.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "run a command on a channel", skip_all, fields(channel.id = %channel_id, command = name))]
    pub async fn channel_with(
        &self,
        asked: &CommandRequest,
        channel_id: ChannelId,
        name: &'static str,
        choose: impl Fn(&Channel) -> Result<ChannelCommand, CommandRefusal> + Sync,
    ) -> Result<Appended, CommandError> {
        self.execute(asked, &Change { channel_id, name, choose }).await
    }
}

struct Create<'a> {
    channel_id: ChannelId,
    new: NewChannel,
    shared: &'a [ChannelId],
}

impl Decision for Create<'_> {
    fn name(&self) -> &'static str {
        "create channel"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        authorize::active(reader.user(context.actor).await?.as_ref())?;
        let workspace = reader.workspace(self.new.workspace_id).await?;
        authorize::create_channel(&workspace, context.actor, self.new.kind)?;
        if workspace.has_guest(context.actor) {
            self.are_people_of_the_guest(context.actor, reader).await?;
        }
        if let Err(refusal) = self.are_there(&workspace, reader).await {
            let is_direct = self.new.kind.is_direct();
            let held = if is_direct { reader.store().holders(&self.claims(context.actor)).await? } else { HashMap::new() };
            return held.into_values().next().map(Draft::of).ok_or(refusal);
        }
        let channel = reader.channel(self.channel_id).await?;
        let events = channel.decide(context, ChannelCommand::Create(Box::new(self.new.clone())))?;
        let slot = match self.new.kind {
            channel::Kind::Direct => None,
            channel::Kind::Public | channel::Kind::Private | channel::Kind::GroupDirect => {
                let slots = slots::of_channels(self.new.workspace_id, context.actor);
                Some(slots::free(reader.store(), slots, CHANNELS_EACH_MAX, ChannelRefusal::TooManyCreated(CHANNELS_EACH_MAX)).await?)
            }
        };
        Ok(Draft::of(self.channel_id)
            .write(StreamId::channel(self.channel_id), Some(self.new.workspace_id), events)
            .claim(self.claims(context.actor).into_iter().map(|claim| claim.taken_by(self.channel_id)))
            .claim(slot.map(|slot| slot.taken_by(self.channel_id))))
    }

    fn claim_taken(&self, claim: &Claim, holder: Uuid) -> Result<Uuid, CommandError> {
        if claim.kind == ClaimKind::People { Ok(holder) } else { Err(taken(claim)) }
    }
}

impl Create<'_> {
    /// Checks that all members are in the workspace, and are not erased. A conversation has few, so each of its accounts is
    /// read.
    async fn are_there(&self, workspace: &Workspace, reader: &mut Reader<'_>) -> Result<(), CommandError> {
        for member in &self.new.members {
            if self.new.kind.is_direct() || workspace.active_member(*member).is_none() {
                is_not_erased(reader, workspace, *member).await?;
            }
            authorize::member_of_workspace(workspace, *member)?;
        }
        Ok(())
    }

    /// Checks that the guest shares a channel with each of the others.
    async fn are_people_of_the_guest(&self, guest: UserId, reader: &mut Reader<'_>) -> Result<(), CommandError> {
        let mut unknown = self.new.members.iter().copied().filter(|member| *member != guest).collect::<BTreeSet<_>>();
        for channel_id in self.shared {
            if unknown.is_empty() {
                break;
            }
            let channel = reader.channel(*channel_id).await?;
            let is_here = channel.creation.as_ref().is_some_and(|creation| creation.workspace_id == self.new.workspace_id);
            if is_here && channel.has_member(guest) {
                unknown.retain(|member| !channel.has_member(*member));
            }
        }
        if unknown.is_empty() { Ok(()) } else { Err(AccessRefusal::NotAmongTheGuestsPeople.into()) }
    }

    /// The claim of a conversation is its set of participants. The claims of a channel are those of its name.
    fn claims(&self, actor: UserId) -> Vec<Claim> {
        if let Some(name) = self.new.name.as_ref().filter(|_| !self.new.kind.is_direct()) {
            return names::of_channel(self.new.workspace_id, name);
        }
        let people = self.new.members.iter().copied().chain([actor]).collect::<BTreeSet<_>>();
        vec![Claim::in_workspace(ClaimKind::People, self.new.workspace_id, people_key(&people))]
    }
}

struct Change<F> {
    channel_id: ChannelId,
    name: &'static str,
    choose: F,
}

impl<F: Fn(&Channel) -> Result<ChannelCommand, CommandRefusal> + Sync> Decision for Change<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn row(&self) -> Option<ChangedRow> {
        Some(ChangedRow { stream: StreamId::channel(self.channel_id), additions: MEMBERSHIP_EVENTS })
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        authorize::active(reader.user(context.actor).await?.as_ref())?;
        let channel = reader.channel(self.channel_id).await?;
        let workspace_id = channel.creation.as_ref().ok_or(AccessRefusal::ChannelNotFound)?.workspace_id;
        let workspace = reader.workspace(workspace_id).await?;
        if let Err(refusal) = authorize::knows_channel(&workspace, &channel, context.actor) {
            let is_repeated =
                self.name == ChannelCommand::Leave.name() && has_left(reader, self.channel_id, &workspace, context.actor).await?;
            return if is_repeated { Ok(Draft::of(self.channel_id)) } else { Err(refusal.into()) };
        }
        let command = (self.choose)(&channel)?;
        if let ChannelCommand::AddMember { user_id } = &command {
            is_not_erased(reader, &workspace, *user_id).await?;
        }
        authorize::channel_command(&workspace, &channel, context.actor, &command)?;
        let claims = claims(reader, workspace_id, self.channel_id, &channel, &command).await?;
        let events = match guest_of_general(&workspace, &channel, context.actor, &command) {
            Some(guest) => channel.end_guest_membership(context, guest),
            None => channel.decide(context, command)?,
        };
        let messages = announcements(context, workspace_id, self.channel_id, &events);
        let draft = Draft::of(self.channel_id).claim(claims.into_iter().filter(|_| !events.is_empty()));
        let draft = draft.write(StreamId::channel(self.channel_id), Some(workspace_id), events);
        let cause = StreamId::channel(self.channel_id);
        Ok(messages.into_iter().fold(draft, |draft, (stream, event)| draft.effect(cause, stream, Some(workspace_id), vec![event])))
    }
}

/// The events of a channel that change its members, and not the channel.
const MEMBERSHIP_EVENTS: &[&str] = &[
    "channel.member_joined",
    "channel.member_left",
    "channel.member_removed",
    "channel.member_role_changed",
    "channel.notification_level_changed",
];

/// Whether the actor was in the channel, and left it or was removed. They know of a private channel that they do not see
/// any more, and may repeat their request to leave it.
async fn has_left(reader: &Reader<'_>, channel_id: ChannelId, workspace: &Workspace, actor: UserId) -> Result<bool, CommandError> {
    if workspace.active_member(actor).is_none() {
        return Ok(false);
    }
    let stream = StreamId::channel(channel_id);
    let has = async |event_type: &'static str| reader.store().has_event(stream, event_type, "user_id", actor.0).await;
    Ok(has("channel.member_left").await? || has("channel.member_removed").await?)
}

/// Checks that a present or former member of the workspace is not erased. Nobody can write to them any more. In old logs,
/// their membership did not end with their account.
async fn is_not_erased(reader: &mut Reader<'_>, workspace: &Workspace, user_id: UserId) -> Result<(), CommandError> {
    let is_erased = workspace.members.contains_key(&user_id) && reader.user(user_id).await?.erased;
    if is_erased { Err(UserRefusal::Erased.into()) } else { Ok(()) }
}

/// The guest whose membership of #general the command ends. A guest is in #general only if somebody added them, so they
/// may leave it, and may be removed.
fn guest_of_general(workspace: &Workspace, channel: &Channel, actor: UserId, command: &ChannelCommand) -> Option<UserId> {
    let is_general = channel.creation.as_ref().is_some_and(|creation| creation.is_general);
    let leaving = match command {
        ChannelCommand::Leave => Some(actor),
        ChannelCommand::RemoveMember { user_id } => Some(*user_id),
        _ => None,
    };
    leaving.filter(|user_id| is_general && workspace.has_guest(*user_id))
}

/// The claims of a rename: the new name is taken, and the old one is released. What both names share stays: a channel
/// may take a name that looks like its own.
async fn claims(
    reader: &Reader<'_>,
    workspace_id: WorkspaceId,
    channel_id: ChannelId,
    channel: &Channel,
    command: &ChannelCommand,
) -> Result<Vec<ClaimChange>, CommandError> {
    let ChannelCommand::Rename { name, .. } = command else { return Ok(Vec::new()) };
    let old = channel.creation.as_ref().and_then(|c| c.name.as_ref());
    if old == Some(name) {
        return Ok(Vec::new());
    }
    let old = old.map(|old| names::ever_of_channel(workspace_id, old)).unwrap_or_default();
    Ok(reader.store().exchange_claims(channel_id, old, names::of_channel(workspace_id, name)).await?)
}

/// The system messages that report events of a channel.
pub(crate) fn announcements(
    context: &Context,
    workspace_id: WorkspaceId,
    channel_id: ChannelId,
    events: &[ChannelEvent],
) -> Vec<(StreamId, MessageEvent)> {
    let said = events.iter().filter_map(|event| system_message(event, context.actor));
    said.map(|(author, content, formatted)| {
        let message_id = MessageId::at(context.at, rand::random());
        let posting = Posting {
            workspace_id,
            channel_id,
            author,
            kind: Kind::System,
            content,
            formatted,
            thread_id: None,
            client_msg_id: None,
            sent_at: context.at,
            moment: Moment::Recorded,
            edited_at: None,
            erased: false,
        };
        (StreamId::message(message_id), MessageEvent::Posted(Box::new(posting)))
    })
    .collect()
}
