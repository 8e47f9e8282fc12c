//! The events of a message.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::formatting::FormattedContent;
use crate::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use crate::text::{ClientMsgId, Emoji, MessageBody, Reason};

/// The events of a message. The `rename` of each is its name on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MessageEvent {
    /// The message was posted.
    #[serde(rename = "message.posted")]
    Posted(Box<Posting>),
    /// The text was edited.
    #[serde(rename = "message.edited")]
    Edited {
        /// The new text.
        content: MessageBody,
        /// The references in the text.
        #[serde(default, skip_serializing_if = "FormattedContent::is_empty")]
        formatted: FormattedContent,
        /// The user who edited it.
        by: UserId,
        /// Whether the text was erased. It is empty then.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        erased: bool,
    },
    /// The message was deleted.
    #[serde(rename = "message.deleted")]
    Deleted {
        /// The user who did it.
        by: UserId,
    },
    /// The message was pinned to its channel.
    #[serde(rename = "message.pinned")]
    Pinned {
        /// The user who did it.
        by: UserId,
    },
    /// The message was unpinned.
    #[serde(rename = "message.unpinned")]
    Unpinned {
        /// The user who did it.
        by: UserId,
    },
    /// A user reacted to the message.
    #[serde(rename = "message.reacted")]
    Reacted {
        /// The user.
        user_id: UserId,
        /// The reaction.
        emoji: Emoji,
    },
    /// A user removed their reaction.
    #[serde(rename = "message.reaction_removed")]
    ReactionRemoved {
        /// The user.
        user_id: UserId,
        /// The reaction.
        emoji: Emoji,
    },
    /// The message was purged for legal reasons. The texts of its earlier events are removed too.
    #[serde(rename = "message.purged")]
    Purged {
        /// The user who did it.
        by: UserId,
        /// Why.
        reason: Reason,
    },
}

/// The data that a message started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Posting {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The channel.
    pub channel_id: ChannelId,
    /// The author. For a system message, the user whom it is about.
    pub author: UserId,
    /// The kind of message.
    #[serde(default, skip_serializing_if = "Kind::is_text")]
    pub kind: Kind,
    /// The text.
    pub content: MessageBody,
    /// The references in the text.
    #[serde(default, skip_serializing_if = "FormattedContent::is_empty")]
    pub formatted: FormattedContent,
    /// The message that it answers in a thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<MessageId>,
    /// The sender's own identifier for the message. In the log it is a keyed hash under the author's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_msg_id: Option<ClientMsgId>,
    /// When it was sent, to the microsecond. Its identifier has the millisecond too. The edit window and the retention
    /// stream depend on it.
    pub sent_at: DateTime<Utc>,
    /// Which time is the message's place in its channel.
    #[serde(default, skip_serializing_if = "Moment::is_sent")]
    pub moment: Moment,
    /// When an imported message was last edited before the import. Its source keeps only the last text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<DateTime<Utc>>,
    /// Whether the text was erased. It is empty then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

impl Posting {
    /// The message's place in its channel, if its event was recorded at `recorded_at`.
    #[must_use]
    pub fn created_at(&self, recorded_at: DateTime<Utc>) -> DateTime<Utc> {
        match self.moment {
            Moment::Sent => self.sent_at,
            Moment::Recorded => recorded_at,
        }
    }
}

/// The time that is a message's place in its channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// The time at which it was sent: an imported message, or a message of release 0.1.
    #[default]
    Sent,
    /// The time at which its event was recorded. Only this time increases with the position in the log, so nobody who
    /// follows a channel misses a message that another server appended.
    Recorded,
}

impl Moment {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    fn is_sent(&self) -> bool {
        *self == Self::Sent
    }
}

/// The kind of a message. The seed's `message_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A user wrote it.
    #[default]
    Text,
    /// A user shared files.
    File,
    /// The server wrote it about an event in the channel.
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
            // An imported message needs no version that release 0.1 cannot read.
            Self::Posted(posting) if posting.moment == Moment::Recorded => "2",
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
