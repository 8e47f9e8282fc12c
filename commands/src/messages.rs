//! Commands of messages.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{ChannelId, MessageId, RetentionId, WorkspaceId};
use domain::message::{MessageEvent, NewMessage, Posting, RelatedAggregates};
use domain::retention::RetentionAction;
use domain::{Context, Message, MessageCommand, StreamId, User};
use tracing::instrument;

use crate::access_refusal::AccessRefusal;
use crate::execute::{ChangedRow, Decision, Draft};
use crate::reader::Reader;
use crate::{Appended, CommandError, CommandRefusal, CommandRequest, Commands, authorize};

/// Retention removes no message that is less than a day old. It is half a day here, so that clocks may differ.
pub(crate) const REMOVED_AFTER_HOURS: i64 = 12;

impl Commands {
    /// Posts a message, and returns it as it is in the log.
    ///
    /// `earlier` is an answer in the thread of a message that was deleted, from the read side: it is checked here. With
    /// it, the thread goes on.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "post a message", skip_all, fields(channel.id = %channel_id, message.id = %new.message_id))]
    pub async fn post(
        &self,
        asked: &CommandRequest,
        channel_id: ChannelId,
        new: NewMessage,
        earlier: Option<MessageId>,
    ) -> Result<Posted, CommandError> {
        let post = Post { channel_id, new, earlier, drafted: Mutex::default() };
        let appended = self.execute(asked, &post).await?;
        // The last draft is the one that was appended. A repeated request appended nothing, also if it drafted an event.
        let drafted = post.drafted.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Posted { appended, message: drafted.filter(|_| !appended.replayed) })
    }

    /// The same, for a caller that needs no more than the position and the identifier.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    pub async fn post_message(&self, asked: &CommandRequest, channel_id: ChannelId, new: NewMessage) -> Result<Appended, CommandError> {
        Ok(self.post(asked, channel_id, new, None).await?.appended)
    }

    /// Runs a command on a message.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "run a command on a message", skip_all, fields(message.id = %message_id, command = command.name()))]
    pub async fn message(&self, asked: &CommandRequest, message_id: MessageId, command: MessageCommand) -> Result<Appended, CommandError> {
        self.execute(asked, &Change { message_id, command }).await
    }
}

/// A message that was posted.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The result of the command.
    pub appended: Appended,
    /// The message. `None` if the request was made before with the same key: the message may have changed since.
    pub message: Option<PostedMessage>,
}

/// The content of a message that was just posted, with its author.
#[derive(Clone, Debug)]
pub struct PostedMessage {
    /// The event's data.
    pub posting: Box<Posting>,
    /// The author.
    pub author: Arc<User>,
}

struct Post {
    channel_id: ChannelId,
    new: NewMessage,
    earlier: Option<MessageId>,
    /// The message of the last draft.
    drafted: Mutex<Option<PostedMessage>>,
}

impl Decision for Post {
    fn name(&self) -> &'static str {
        "post message"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let new = in_time(context, self.new.clone());
        let message_id = new.message_id;
        let command = MessageCommand::Post(Box::new(new));
        let (workspace_id, mut related) = related_aggregates(context, reader, self.channel_id).await?;
        authorize::message_command(&related.workspace, &related.channel, context.actor, &command)?;
        if let Some(parent) = self.new.thread_id {
            let message = reader.message(parent).await?;
            related.gone = gone(context.at, reader, parent, &message).await?;
            related.parent = Some(message);
        }
        if let Some(earlier) = self.earlier {
            related.earlier_answer = Some(reader.message(earlier).await?);
        }
        // The stream is new, so there is nothing to load. If the identifier is in use, the store refuses a second first
        // event.
        let events = Message::default().decide(&related, context, command)?;
        let author = reader.user(context.actor).await?;
        let posting = events.iter().find_map(|event| match event {
            MessageEvent::Posted(posting) => Some(posting.clone()),
            _ => None,
        });
        *self.drafted.lock().unwrap_or_else(PoisonError::into_inner) = posting.map(|posting| PostedMessage { posting, author });
        Ok(Draft::of(message_id).write(StreamId::message(message_id), Some(workspace_id), events))
    }
}

/// The message with an identifier that was drawn about now. The writer refuses one that was drawn long before, or by
/// another clock: lookups would not find the message.
fn in_time(context: &Context, new: NewMessage) -> NewMessage {
    if new.message_id.allows(context.at) {
        return new;
    }
    NewMessage { message_id: MessageId::at(context.at, rand::random()), sent_at: context.at, ..new }
}

struct Change {
    message_id: MessageId,
    command: MessageCommand,
}

impl Decision for Change {
    fn name(&self) -> &'static str {
        self.command.name()
    }

    fn row(&self) -> Option<ChangedRow> {
        let additions = &["message.reacted", "message.reaction_removed"];
        Some(ChangedRow { stream: StreamId::message(self.message_id), additions })
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let message = reader.message(self.message_id).await?;
        let channel_id = authorize::posted(&message)?.channel_id;
        let (workspace_id, mut related) = related_aggregates(context, reader, channel_id).await.map_err(as_message)?;
        let may = authorize::message_command(&related.workspace, &related.channel, context.actor, &self.command);
        may.map_err(|refusal| as_message(refusal.into()))?;
        related.gone = gone(context.at, reader, self.message_id, &message).await?;
        let events = message.decide(&related, context, self.command.clone())?;
        Ok(Draft::of(self.message_id).write(StreamId::message(self.message_id), Some(workspace_id), events))
    }
}

/// Loads the aggregates that a decision about a message depends on. The actor must be active, and the workspace and the
/// channel must exist.
pub(crate) async fn related_aggregates(
    context: &Context,
    reader: &mut Reader<'_>,
    channel_id: ChannelId,
) -> Result<(WorkspaceId, RelatedAggregates), CommandError> {
    authorize::active(reader.user(context.actor).await?.as_ref())?;
    let channel = reader.channel(channel_id).await?;
    let workspace_id = channel.creation.as_ref().ok_or(AccessRefusal::ChannelNotFound)?.workspace_id;
    let workspace = reader.workspace(workspace_id).await?;
    Ok((workspace_id, RelatedAggregates { workspace, channel, channel_id: Some(channel_id), ..RelatedAggregates::default() }))
}

/// Returns the retention action that removed the message, if any. Retention removes no message that is less than a day
/// old, so for younger messages no stream is read.
pub(crate) async fn gone(
    at: DateTime<Utc>,
    reader: &mut Reader<'_>,
    message_id: MessageId,
    message: &Message,
) -> Result<Option<RetentionAction>, CommandError> {
    let Some(posting) = &message.posting else { return Ok(None) };
    if at - posting.sent_at < TimeDelta::hours(REMOVED_AFTER_HOURS) {
        return Ok(None);
    }
    let retention = reader.retention(RetentionId::of(posting.channel_id, posting.sent_at)).await?;
    Ok(retention.gone.get(&message_id).copied())
}

/// The caller asked for a message, so an error must not reveal anything about its channel or its workspace.
fn as_message(error: CommandError) -> CommandError {
    match error {
        CommandError::Refused(CommandRefusal::Access(AccessRefusal::ChannelNotFound | AccessRefusal::WorkspaceNotFound)) => {
            AccessRefusal::MessageNotFound.into()
        }
        error => error,
    }
}
