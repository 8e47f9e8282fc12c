//! A message: its text and its history, its pin, its reactions, and the thread that it is in.
//! Not here: how many answers it has (each is a message of its own; the read side counts), and unread counts.

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
pub use error::MessageRefusal;
pub use event::{Kind, MessageEvent, Posting};
pub use system::system_message;

use crate::channel::Channel;
use crate::context::Context;
use crate::formatting::FormattedContent;
use crate::ids::{ChannelId, UserId};
use crate::retention_policy::RetentionAction;
use crate::text::{Emoji, MessageBody};
use crate::workspace::Workspace;

/// What a decision about a message needs to know: the fold of its events, nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// What it started with, its text kept up to date; `None` before it was posted.
    pub posting: Option<Posting>,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Whether it was emptied for law.
    pub purged: bool,
    /// Whether it is pinned.
    pub pinned: bool,
    /// Who reacted, by emoji.
    pub reactions: BTreeMap<Emoji, BTreeSet<UserId>>,
    /// How often its text was changed. Not a part of what an auditor is shown: each change is an event of its own there.
    #[serde(skip)]
    pub edits: usize,
}

/// What a decision about a message rests on beside the message itself.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The workspace that the channel is in.
    pub workspace: Arc<Workspace>,
    /// The channel that the message is in, or is to be in.
    pub channel: Arc<Channel>,
    /// The channel's identifier.
    pub channel_id: Option<ChannelId>,
    /// The message that a new one answers.
    pub parent: Option<Arc<Message>>,
    /// Whether retention has taken the message away, or, where a new one is posted, the one that it answers.
    pub gone: Option<RetentionAction>,
}

impl Surroundings {
    /// Whether the actor may post there, whatever they want to say.
    ///
    /// # Errors
    /// The refusal.
    pub fn may_be_posted_to(&self, context: &Context) -> Result<(), MessageRefusal> {
        decide::may_post(self, context)
    }
}

impl Message {
    /// Whether it was posted and not deleted.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.posting.is_some() && !self.deleted
    }

    /// What happens when `command` is asked of this message, or why it does not.
    ///
    /// # Errors
    /// The refusal.
    pub fn decide(&self, around: &Surroundings, context: &Context, command: MessageCommand) -> Result<Vec<MessageEvent>, MessageRefusal> {
        match command {
            MessageCommand::Post(new) => decide::post(self, around, context, *new),
            MessageCommand::Edit { content } => decide::edit(self, around, context, content),
            MessageCommand::Delete => decide::delete(self, around, context),
            MessageCommand::Pin => decide::pin(self, around, context),
            MessageCommand::Unpin => decide::unpin(self, around, context),
            MessageCommand::React { emoji } => decide::react(self, around, context, emoji),
            MessageCommand::TakeReactionBack { emoji } => decide::take_reaction_back(self, around, context, emoji),
            MessageCommand::Purge { reason } => decide::purge(self, around, context, reason),
        }
    }
}

impl Aggregate for Message {
    const TYPE: &'static str = "message";
    type Command = (Context, MessageCommand);
    type Event = MessageEvent;
    type Error = MessageRefusal;
    type Services = Surroundings;

    async fn handle(
        &mut self,
        (context, command): Self::Command,
        around: &Surroundings,
        sink: &EventSink<Self>,
    ) -> Result<(), MessageRefusal> {
        for event in self.decide(around, &context, command)? {
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
    /// Nothing stays of what it said, in memory and in snapshots too.
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
