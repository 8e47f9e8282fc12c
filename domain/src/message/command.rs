//! What can be asked of a message.

use chrono::{DateTime, Utc};

use crate::ids::MessageId;
use crate::text::{ClientMsgId, Emoji, MessageBody, Reason};

/// What can be asked of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum MessageCommand {
    /// Post it; the actor is its author.
    Post(Box<NewMessage>),
    /// Change its text.
    Edit {
        /// The text.
        content: MessageBody,
    },
    /// Delete it.
    Delete,
    /// Pin it to its channel.
    Pin,
    /// Take the pin off.
    Unpin,
    /// React to it.
    React {
        /// The reaction.
        emoji: Emoji,
    },
    /// Take a reaction back.
    TakeReactionBack {
        /// The reaction.
        emoji: Emoji,
    },
    /// Empty it for law.
    Purge {
        /// Why.
        reason: Reason,
    },
}

/// What a message starts with.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMessage {
    /// Its identifier.
    pub message_id: MessageId,
    /// The text.
    pub content: MessageBody,
    /// The message that it answers in a thread.
    pub thread_id: Option<MessageId>,
    /// The sender's own name for it.
    pub client_msg_id: Option<ClientMsgId>,
    /// When it was sent: the moment in its identifier, to the microsecond.
    pub sent_at: DateTime<Utc>,
}

impl MessageCommand {
    /// The name under which the log remembers it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Post(_) => "post message",
            Self::Edit { .. } => "edit message",
            Self::Delete => "delete message",
            Self::Pin => "pin message",
            Self::Unpin => "unpin message",
            Self::React { .. } => "react to message",
            Self::TakeReactionBack { .. } => "take reaction back",
            Self::Purge { .. } => "purge message",
        }
    }
}
