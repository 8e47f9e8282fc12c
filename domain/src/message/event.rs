//! What has happened to a message.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::formatting::FormattedContent;
use crate::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use crate::text::{ClientMsgId, Emoji, MessageBody, Reason};

/// What has happened to a message. The wire name of each is its `rename`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MessageEvent {
    /// Was posted.
    #[serde(rename = "message.posted")]
    Posted(Box<Posting>),
    /// Got another text.
    #[serde(rename = "message.edited")]
    Edited {
        /// The text.
        content: MessageBody,
        /// What it refers to.
        #[serde(default, skip_serializing_if = "FormattedContent::is_empty")]
        formatted: FormattedContent,
        /// Who changed it.
        by: UserId,
        /// Whether the text was there once and is erased: then it is empty.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        erased: bool,
    },
    /// Was deleted.
    #[serde(rename = "message.deleted")]
    Deleted {
        /// Who did it.
        by: UserId,
    },
    /// Was pinned to its channel.
    #[serde(rename = "message.pinned")]
    Pinned {
        /// Who did it.
        by: UserId,
    },
    /// The pin was taken off.
    #[serde(rename = "message.unpinned")]
    Unpinned {
        /// Who did it.
        by: UserId,
    },
    /// Somebody reacted to it.
    #[serde(rename = "message.reacted")]
    Reacted {
        /// Who.
        user_id: UserId,
        /// With what.
        emoji: Emoji,
    },
    /// A reaction was taken back.
    #[serde(rename = "message.reaction_removed")]
    ReactionRemoved {
        /// Whose.
        user_id: UserId,
        /// Which.
        emoji: Emoji,
    },
    /// Was emptied for law. Behind it, its earlier events are emptied too.
    #[serde(rename = "message.purged")]
    Purged {
        /// Who did it.
        by: UserId,
        /// Why.
        reason: Reason,
    },
}

/// What a message started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Posting {
    /// Where it is.
    pub workspace_id: WorkspaceId,
    /// The channel.
    pub channel_id: ChannelId,
    /// Who wrote it; for a system message, whom it is about.
    pub author: UserId,
    /// What kind of message.
    #[serde(default, skip_serializing_if = "Kind::is_text")]
    pub kind: Kind,
    /// The text.
    pub content: MessageBody,
    /// What the text refers to.
    #[serde(default, skip_serializing_if = "FormattedContent::is_empty")]
    pub formatted: FormattedContent,
    /// The message that it answers in a thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<MessageId>,
    /// The sender's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_msg_id: Option<ClientMsgId>,
    /// When it was sent, to the microsecond; the millisecond is in its identifier too.
    pub sent_at: DateTime<Utc>,
    /// When an imported message was last edited before; its source keeps the last text only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<DateTime<Utc>>,
    /// Whether the text was there once and is erased: then it is empty.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

/// What kind of message it is. The seed's `message_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody wrote it.
    #[default]
    Text,
    /// Somebody shared files.
    File,
    /// Something happened in the channel.
    System,
    /// A program wrote it.
    Bot,
}

impl Kind {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::File => "file",
            Kind::System => "system",
            Kind::Bot => "bot",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    fn is_text(&self) -> bool {
        *self == Kind::Text
    }
}

impl MessageEvent {
    /// The name on the wire.
    #[must_use]
    pub fn wire_name(&self) -> &'static str {
        match self {
            Self::Posted(_) => "message.posted",
            Self::Edited { .. } => "message.edited",
            Self::Deleted { .. } => "message.deleted",
            Self::Pinned { .. } => "message.pinned",
            Self::Unpinned { .. } => "message.unpinned",
            Self::Reacted { .. } => "message.reacted",
            Self::ReactionRemoved { .. } => "message.reaction_removed",
            Self::Purged { .. } => "message.purged",
        }
    }

    /// The version of the payload; see [`crate::upcast`].
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self {
            Self::Posted(_)
            | Self::Edited { .. }
            | Self::Deleted { .. }
            | Self::Pinned { .. }
            | Self::Unpinned { .. }
            | Self::Reacted { .. }
            | Self::ReactionRemoved { .. }
            | Self::Purged { .. } => "1",
        }
    }
}

impl DomainEvent for MessageEvent {
    fn event_type(&self) -> String {
        self.wire_name().into()
    }

    fn event_version(&self) -> String {
        self.version().into()
    }
}
