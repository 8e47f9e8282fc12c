//! A message: its text and its edits, its pin, its reactions, and its thread. Not here: the number of its answers (each
//! answer is a message of its own, and the read side counts them), and unread counts.

mod command;
mod decide;
mod error;
mod event;
mod system;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::{MessageCommand, NewMessage};
pub use decide::EMOJIS_MAX;
pub use error::MessageRefusal;
pub use event::{Kind, MessageEvent, Moment, Posting};
pub use system::system_message;

use crate::channel::Channel;
use crate::context::Context;
use crate::formatting::FormattedContent;
use crate::ids::{ChannelId, UserId};
use crate::retention_policy::RetentionAction;
use crate::text::{Emoji, MessageBody};
use crate::workspace::Workspace;

/// The state that decisions about a message need: the fold of its events, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The data that it started with, with its present text. `None` before it was posted.
    pub posting: Option<Posting>,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Whether it was purged.
    pub purged: bool,
    /// Whether it is pinned.
    pub pinned: bool,
    /// The users who reacted, by emoji.
    pub reactions: BTreeMap<Emoji, BTreeSet<UserId>>,
    /// How often it was edited. It is not a part of the state that auditors see, because they see each edit as an
    /// event.
    #[serde(skip)]
    pub edits: usize,
}

/// The other aggregates that a decision about a message depends on.
#[derive(Clone, Debug, Default)]
pub struct RelatedAggregates {
    /// The workspace that the channel is in.
    pub workspace: Arc<Workspace>,
    /// The channel of the message.
    pub channel: Arc<Channel>,
    /// The channel's identifier.
    pub channel_id: Option<ChannelId>,
    /// The message that a new one answers.
    pub parent: Option<Arc<Message>>,
    /// An earlier answer to that message, if the message was deleted: its thread goes on only if it has answers.
    pub earlier_answer: Option<Arc<Message>>,
    /// The retention action that removed the message. For a new message in a thread, the action that removed the
    /// message that it answers.
    pub gone: Option<RetentionAction>,
}

impl RelatedAggregates {
    /// Checks that the actor may post to this channel, whatever the message is.
    ///
    /// # Errors
    /// The rules refuse the command.
    pub fn may_be_posted_to(&self, context: &Context) -> Result<(), MessageRefusal> {
        decide::may_post(self, context)
    }
}

impl Message {
    /// Whether it was posted and not deleted.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.posting.is_some() && !self.deleted
    }

    /// Decides `command`, and returns the events that follow from it.
    ///
    /// # Errors
    /// The rules refuse the command.
    pub fn decide(
        &self,
        related: &RelatedAggregates,
        context: &Context,
        command: MessageCommand,
    ) -> Result<Vec<MessageEvent>, MessageRefusal> {
        match command {
            MessageCommand::Post(new) => decide::post(self, related, context, *new),
            MessageCommand::Edit { content } => decide::edit(self, related, context, content),
            MessageCommand::Delete => decide::delete(self, related, context),
            MessageCommand::Pin => decide::pin(self, related, context),
            MessageCommand::Unpin => decide::unpin(self, related, context),
            MessageCommand::React { emoji } => decide::react(self, related, context, emoji),
            MessageCommand::RemoveReaction { emoji } => decide::remove_reaction(self, related, context, emoji),
            MessageCommand::Purge { reason } => decide::purge(self, related, context, reason),
        }
    }
}

impl Aggregate for Message {
    const TYPE: &'static str = "message";
    type Command = (Context, MessageCommand);
    type Event = MessageEvent;
    type Error = MessageRefusal;
    type Services = RelatedAggregates;

    async fn handle(
        &mut self,
        (context, command): Self::Command,
        related: &RelatedAggregates,
        sink: &EventSink<Self>,
    ) -> Result<(), MessageRefusal> {
        for event in self.decide(related, &context, command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: MessageEvent) {
        match event {
            MessageEvent::Posted(posting) => self.posting = Some(*posting),
            MessageEvent::Edited { content, formatted, by: _, erased } => {
                self.edits += 1;
                if let Some(posting) = &mut self.posting {
                    posting.content = content;
                    posting.formatted = formatted;
                    posting.erased = erased;
                }
            }
            MessageEvent::Deleted { .. } => {
                self.deleted = true;
                self.pinned = false;
            }
            MessageEvent::Pinned { .. } => self.pinned = true,
            MessageEvent::Unpinned { .. } => self.pinned = false,
            MessageEvent::Reacted { user_id, emoji } => drop(self.reactions.entry(emoji).or_default().insert(user_id)),
            MessageEvent::ReactionRemoved { user_id, emoji } => self.remove_reaction(user_id, &emoji),
            MessageEvent::Purged { .. } => self.empty(),
        }
    }
}

impl Message {
    /// Removes the texts and the reactions, so that neither memory nor snapshots keep them.
    fn empty(&mut self) {
        (self.purged, self.deleted, self.pinned) = (true, true, false);
        self.reactions.clear();
        if let Some(posting) = &mut self.posting {
            posting.content = MessageBody::purged();
            posting.formatted = FormattedContent::default();
        }
    }

    fn remove_reaction(&mut self, user_id: UserId, emoji: &Emoji) {
        if let Some(users) = self.reactions.get_mut(emoji) {
            users.remove(&user_id);
            if users.is_empty() {
                self.reactions.remove(emoji);
            }
        }
    }
}
