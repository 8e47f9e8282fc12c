//! The commands of a message.

use chrono::{DateTime, Utc};

use crate::ids::MessageId;
use crate::text::{ClientMsgId, Emoji, MessageBody, Reason};

/// The commands of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum MessageCommand {
    /// Post it. The actor is its author.
    Post(Box<NewMessage>),
    /// Edit its text.
    Edit {
        /// The new text.
        content: MessageBody,
    },
    /// Delete it.
    Delete,
    /// Pin it to its channel.
    Pin,
    /// Unpin it.
    Unpin,
    /// React to it.
    React {
        /// The reaction.
        emoji: Emoji,
    },
    /// Remove the actor's reaction.
    RemoveReaction {
        /// The reaction.
        emoji: Emoji,
    },
    /// Purge it for legal reasons: its text is removed everywhere.
    Purge {
        /// Why.
        reason: Reason,
    },
}

/// The data that a new message starts with.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMessage {
    /// Its identifier.
    pub message_id: MessageId,
    /// The text.
    pub content: MessageBody,
    /// The message that it answers in a thread.
    pub thread_id: Option<MessageId>,
    /// The sender's own identifier for the message, which makes a second post of it a repetition.
    pub client_msg_id: Option<ClientMsgId>,
    /// When it was sent, to the microsecond. Its identifier has the millisecond.
    pub sent_at: DateTime<Utc>,
}

impl MessageCommand {
    /// The command's name in the metadata of its events.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Post(_) => "post message",
            Self::Edit { .. } => "edit message",
            Self::Delete => "delete message",
            Self::Pin => "pin message",
            Self::Unpin => "unpin message",
            Self::React { .. } => "react to message",
            Self::RemoveReaction { .. } => "take reaction back",
            Self::Purge { .. } => "purge message",
        }
    }
}
