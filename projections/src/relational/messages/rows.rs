//! What the queries on messages answer with.

use chrono::{DateTime, Utc};
use domain::ids::MessageId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A message, with its author's names.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MessageRow {
    /// The message.
    pub message_id: Uuid,
    /// The channel.
    pub channel_id: Uuid,
    /// The workspace.
    pub workspace_id: Uuid,
    /// Who wrote it; for a system message, whom it is about.
    pub user_id: Uuid,
    /// The author's name that others mention; empty where the author is not known here.
    pub username: String,
    /// The author's name as it is shown; empty where the author is not known here.
    pub display_name: String,
    /// Where the author's picture lies.
    pub avatar_url: Option<String>,
    /// The text; empty where the message was deleted.
    pub content: String,
    /// `text`, `file`, `system` or `bot`.
    pub message_type: String,
    /// What the text refers to: mentions, channels, broadcasts, links, files.
    pub formatted_content: Option<Value>,
    /// The message that it answers in a thread.
    pub thread_id: Option<Uuid>,
    /// How many answers stand in its thread.
    pub reply_count: i32,
    /// Whether it is pinned to its channel.
    pub is_pinned: bool,
    /// When it was pinned.
    pub pinned_at: Option<DateTime<Utc>>,
    /// Who pinned it.
    pub pinned_by: Option<Uuid>,
    /// Whether it was deleted; it is still shown where it has answers.
    pub is_deleted: bool,
    /// When it was deleted.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Who reacted, by emoji, in order of reacting: `{"👍": ["…"]}`.
    pub reactions: Value,
    /// When it was last edited.
    pub edited_at: Option<DateTime<Utc>>,
    /// Who last edited it.
    pub edited_by: Option<Uuid>,
    /// The sender's own name for it.
    pub client_msg_id: Option<String>,
    /// When it was sent.
    pub created_at: DateTime<Utc>,
    /// When something of this last changed.
    pub updated_at: DateTime<Utc>,
}

/// One message, with its earlier texts.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MessageDetail {
    /// The message.
    #[serde(flatten)]
    pub message: MessageRow,
    /// Its earlier texts, oldest first.
    pub edit_history: Vec<EarlierText>,
}

/// An earlier text of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarlierText {
    /// The text.
    pub content: String,
    /// When it was replaced.
    pub edited_at: DateTime<Utc>,
    /// Who replaced it.
    pub edited_by: Uuid,
}

/// A thread: the message that began it, and a page of its answers.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ThreadRows {
    /// The message that began it.
    pub root: MessageRow,
    /// Answers, oldest first.
    pub replies: Vec<MessageRow>,
}

/// The place of a message in any order by time: pages begin or end there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor {
    /// When the message was sent.
    pub created_at: DateTime<Utc>,
    /// The message, where two were sent in the same microsecond.
    pub message_id: Uuid,
}

/// Which page of messages. Whichever it is, the rows come oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryPage {
    /// The newest.
    Latest,
    /// Those right before a place.
    Before(Cursor),
    /// Those right after a place.
    After(Cursor),
    /// Those around a message, half of them before it; itself in the middle, where it is shown at all.
    Around(MessageId),
}

impl MessageRow {
    /// Its place in any order by time.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { created_at: self.created_at, message_id: self.message_id }
    }
}

impl Cursor {
    /// Before everything.
    pub(super) const FIRST: Self = Self { created_at: DateTime::<Utc>::UNIX_EPOCH, message_id: Uuid::nil() };

    /// The place right before it, so that what follows begins with the message itself.
    pub(super) fn just_before(self) -> Self {
        Self { message_id: Uuid::from_u128(self.message_id.as_u128().saturating_sub(1)), ..self }
    }

    /// After everything that `now` knows of: a message may carry a time a little ahead of another clock.
    pub(in crate::relational) fn end() -> Self {
        Self { created_at: Utc::now() + chrono::Duration::days(1), message_id: Uuid::max() }
    }
}
