//! The rows that queries on messages return.

use chrono::{DateTime, Utc};
use domain::ids::MessageId;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use shapes::{Person, Reaction};
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

/// A message, with its author's names. A part without a value is absent. A list of messages can leave out the parts that
/// its client knows already (`with`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MessageRow {
    /// The message.
    pub message_id: Uuid,
    /// The channel.
    pub channel_id: Uuid,
    /// The workspace. It can be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<Uuid>,
    /// The author. For a system message, the user that it is about.
    pub user_id: Uuid,
    /// The author's user name. Absent if the author was erased, or if it was left out with the other names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The author's display name. Absent as the other name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The address of the author's picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Whether the author was erased. Then nothing else is known about them.
    pub is_erased: bool,
    /// The text. Empty if the message was deleted.
    pub content: String,
    /// `text`, `file`, `system` or `bot`.
    pub message_type: String,
    /// The references of the text: mentions, channels, broadcasts, links, files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formatted_content: Option<Value>,
    /// The message that began the thread, if this is an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<Uuid>,
    /// The number of answers in its thread.
    pub reply_count: i32,
    /// The latest answer of its thread, and who answered. Absent if nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ThreadSummary>)]
    pub thread: Option<Json<ThreadSummary>>,
    /// Whether it is pinned to its channel.
    pub is_pinned: bool,
    /// When it was pinned.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub pinned_at: Option<DateTime<Utc>>,
    /// The user that pinned it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_by: Option<Uuid>,
    /// Whether it was deleted. A deleted message that has answers is still shown.
    pub is_deleted: bool,
    /// When it was deleted.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub deleted_at: Option<DateTime<Utc>>,
    /// The reactions, in the order of the first of each emoji.
    #[schema(value_type = Vec<Reaction>)]
    pub reactions: Json<Vec<Reaction>>,
    /// When it was last edited.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub edited_at: Option<DateTime<Utc>>,
    /// The user that last edited it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_by: Option<Uuid>,
    /// The identifier that the sender's client gave to it. Only the answer to the post has it: the log keeps a keyed
    /// hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_msg_id: Option<String>,
    /// When it was sent.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub created_at: DateTime<Utc>,
    /// When the row last changed.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub updated_at: DateTime<Utc>,
}

/// The answers of a thread in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreadSummary {
    /// When the latest answer was sent.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub last_reply_at: DateTime<Utc>,
    /// The first people who answered, in the order of their first answers: five at most.
    pub participants: Vec<Person>,
    /// The number of people who answered. Of a thread with more than 500 answers, the first 500 count.
    #[schema(minimum = 1)]
    pub participant_count: i64,
}

/// One message, with its earlier texts.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MessageDetail {
    /// The message.
    #[serde(flatten)]
    pub message: MessageRow,
    /// The latest five of its earlier texts, oldest first. `GET …/edits` has all.
    #[serde(serialize_with = "earlier_texts")]
    pub edit_history: Vec<EarlierText>,
    /// The last event that was applied to the row before it was read.
    #[serde(skip)]
    pub position: i64,
}

/// An earlier text of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarlierText {
    /// The text.
    pub content: String,
    /// When it was replaced.
    pub edited_at: DateTime<Utc>,
    /// The user that replaced it.
    pub edited_by: Uuid,
}

/// An earlier text of a message, in the list of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EditRow {
    /// The text.
    pub content: String,
    /// When it was replaced.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub edited_at: DateTime<Utc>,
    /// The user that replaced it.
    pub edited_by: Uuid,
    /// The position of the edit in the log.
    #[serde(skip)]
    pub position: i64,
}

/// A thread: the message that began it, and a page of its answers.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ThreadRows {
    /// The message that began it.
    pub root: MessageRow,
    /// Answers, oldest first.
    pub replies: Vec<MessageRow>,
}

/// The place of a message in order of time. Pages begin or end there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor {
    /// When the message was sent.
    pub created_at: DateTime<Utc>,
    /// The message, which orders messages of the same microsecond.
    pub message_id: Uuid,
}

/// A page of messages. The rows always come oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryPage {
    /// The newest messages.
    Latest,
    /// The messages right before a place.
    Before(Cursor),
    /// The messages right after a place.
    After(Cursor),
    /// The messages around a message of the list, half of them before it. The message itself is in the middle, if it is
    /// shown.
    Around(MessageId),
}

/// Writes earlier texts as answers do. The tables keep them in another form.
fn earlier_texts<S: Serializer>(texts: &[EarlierText], serializer: S) -> Result<S::Ok, S::Error> {
    let shown =
        |text: &EarlierText| EditRow { content: text.content.clone(), edited_at: text.edited_at, edited_by: text.edited_by, position: 0 };
    serializer.collect_seq(texts.iter().map(shown))
}

impl MessageRow {
    /// The place of the message in order of time.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { created_at: self.created_at, message_id: self.message_id }
    }
}

impl Cursor {
    /// The place right before this one, so that a page after it begins with the message itself.
    pub(in crate::relational) fn just_before(self) -> Self {
        Self { message_id: Uuid::from_u128(self.message_id.as_u128().saturating_sub(1)), ..self }
    }

    /// The place after all messages. It does not depend on the clock: the moments of messages are those of the log,
    /// which another server's clock may have set.
    pub(in crate::relational) fn end() -> Self {
        let (_, latest) = MessageId(Uuid::max()).window();
        Self { created_at: latest, message_id: Uuid::max() }
    }
}
