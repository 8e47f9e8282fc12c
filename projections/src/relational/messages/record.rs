//! A row of `messages`, and its rows of `mentions`.

use chrono::{DateTime, Utc};
use domain::formatting::FormattedContent;
use domain::ids::{MessageId, UserId};
use domain::message::{Kind, Posting};
use uuid::Uuid;

use super::edits::{EditChanges, EditRecord, KEPT_IN_MESSAGE};
use super::reactions::Reactions;
use super::rows::EarlierText;
use crate::relational::copy::{CopyRow, Tuple};
use crate::relational::rows::row;
use crate::relational::stamp::{EventStamp, to_micros};

/// The formatted content of an erased text. It refers to nothing, and says that the text was erased.
const ERASED: &str = r#"{"erased":true}"#;

/// A row of `messages`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MessageRecord {
    pub(super) message_id: Uuid,
    pub(super) channel_id: Uuid,
    pub(super) workspace_id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) content: String,
    pub(super) message_type: String,
    pub(super) formatted_content: Option<String>,
    pub(super) thread_id: Option<Uuid>,
    pub(super) reply_count: i32,
    pub(super) pinned: Option<(DateTime<Utc>, Uuid)>,
    pub(super) deleted: Option<(DateTime<Utc>, Uuid)>,
    pub(super) reactions: Reactions,
    pub(super) edited_at: Option<DateTime<Utc>>,
    pub(super) edited_by: Option<Uuid>,
    /// The latest earlier texts, oldest first.
    pub(super) edit_history: Vec<EarlierText>,
    /// What has changed in `message_edits`.
    pub(super) edits: EditChanges,
    pub(super) client_msg_id: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) position: i64,
    /// The users that the text mentions, as in `formatted_content`. A system message mentions nobody: "somebody joined"
    /// does not notify that user.
    pub(super) mentions: Vec<Uuid>,
    /// The users that have a row in `mentions`. Empty for a new message.
    pub(super) mentions_stored: Vec<Uuid>,
    /// When the message was purged, by a policy or a legal order.
    pub(super) purged_at: Option<DateTime<Utc>>,
    /// The table in which the row belongs.
    pub(super) message_table: MessageTable,
    /// The table in which the row is stored. `None` for a new message.
    pub(super) stored_in: Option<MessageTable>,
    /// The fingerprint of the stored search vector. `None` for a new message.
    pub(super) indexed: Option<u64>,
}

/// A row of `messages_archive`.
pub(crate) struct ArchivedMessage<'a>(pub(crate) &'a MessageRecord);

/// The two tables of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum MessageTable {
    /// `messages`: the messages of channels.
    Messages,
    /// `messages_archive`: the messages that retention has archived.
    Archive,
}

impl MessageTable {
    /// Both tables.
    pub(crate) const ALL: [Self; 2] = [Self::Messages, Self::Archive];

    /// The table's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Archive => "messages_archive",
        }
    }
}

/// A row of `mentions`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mention {
    pub(super) user_id: Uuid,
    pub(super) workspace_id: Uuid,
    pub(super) created_at: DateTime<Utc>,
    pub(super) message_id: Uuid,
    pub(super) channel_id: Uuid,
}

impl MessageRecord {
    pub(super) fn posted(message_id: Uuid, stamp: EventStamp, posting: &Posting) -> Self {
        let mut message = Self {
            message_id,
            channel_id: posting.channel_id.0,
            workspace_id: posting.workspace_id.0,
            user_id: posting.author.0,
            content: posting.content.to_string(),
            message_type: posting.kind.as_str().into(),
            formatted_content: None,
            thread_id: posting.thread_id.map(|id| id.0),
            reply_count: 0,
            pinned: None,
            deleted: None,
            reactions: Reactions::default(),
            edited_at: posting.edited_at.map(to_micros),
            edited_by: None,
            edit_history: Vec::new(),
            edits: EditChanges::default(),
            // The log keeps a hash only, which says nothing to readers.
            client_msg_id: None,
            created_at: to_micros(posting.created_at(stamp.recorded_at)),
            updated_at: stamp.at,
            position: stamp.position,
            mentions: Vec::new(),
            mentions_stored: Vec::new(),
            purged_at: None,
            message_table: MessageTable::Messages,
            stored_in: None,
            indexed: None,
        };
        message.set_formatted(&posting.formatted);
        if posting.erased {
            message.erase();
        }
        message
    }

    pub(super) fn edit(&mut self, content: &str, formatted: &FormattedContent, by: UserId, stamp: EventStamp) {
        let content = std::mem::replace(&mut self.content, content.to_owned());
        self.keep_earlier(EarlierText { content, edited_at: stamp.at, edited_by: by.0 }, stamp.position);
        self.edited_at = Some(stamp.at);
        self.edited_by = Some(by.0);
        self.set_formatted(formatted);
    }

    fn keep_earlier(&mut self, earlier: EarlierText, position: i64) {
        let (message_id, workspace_id, user_id) = (self.message_id, self.workspace_id, self.user_id);
        self.edits.added.push(EditRecord { message_id, position, workspace_id, user_id, earlier: earlier.clone() });
        if self.edit_history.len() >= KEPT_IN_MESSAGE {
            self.edit_history.remove(0);
        }
        self.edit_history.push(earlier);
    }

    fn remove_earlier(&mut self) {
        self.edits.clear(!self.edit_history.is_empty());
        self.edit_history = Vec::new();
    }

    /// Applies an edit whose author was erased later: its text is no longer known.
    pub(super) fn edit_erased(&mut self, by: UserId, at: DateTime<Utc>) {
        self.edited_at = Some(at);
        self.edited_by = Some(by.0);
        self.erase();
    }

    /// Keeps only the place of a message whose author was erased. `relational/erase.rs` does the same with stored rows.
    fn erase(&mut self) {
        self.content = String::new();
        self.formatted_content = Some(ERASED.into());
        self.mentions = Vec::new();
        self.remove_earlier();
    }

    /// Removes the text and all earlier texts.
    pub(super) fn delete(&mut self, by: UserId, at: DateTime<Utc>) {
        self.deleted = Some((at, by.0));
        self.pinned = None;
        self.content = String::new();
        self.formatted_content = None;
        self.mentions = Vec::new();
        self.remove_earlier();
    }

    /// Archives the message. It no longer mentions anybody.
    pub(super) fn archive(&mut self) {
        self.message_table = MessageTable::Archive;
        self.mentions = Vec::new();
    }

    /// Removes the text, the earlier texts and the reactions.
    pub(super) fn purge(&mut self, by: UserId, at: DateTime<Utc>) {
        self.deleted = self.deleted.or(Some((at, by.0)));
        self.purged_at = Some(at);
        self.pinned = None;
        self.content = String::new();
        self.formatted_content = None;
        self.mentions = Vec::new();
        self.remove_earlier();
        self.reactions.clear();
        self.client_msg_id = None;
    }

    /// Whether the message existed until it was purged, and was not deleted before.
    pub(super) fn existed_until_purged(&self) -> bool {
        self.purged_at.is_some() && self.deleted.map(|(at, _)| at) == self.purged_at
    }

    /// The table in which the row belongs.
    pub(crate) fn message_table(&self) -> MessageTable {
        self.message_table
    }

    /// The message that began the thread, if this is an answer.
    pub(crate) fn root(&self) -> Option<MessageId> {
        self.thread_id.map(MessageId)
    }

    /// The time that decides the month's partition.
    pub(crate) fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// The approximate size in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        let edits = self.edits.added.iter().map(EditRecord::size).sum::<usize>();
        let earlier = self.edit_history.iter().map(|earlier| earlier.content.len()).sum::<usize>();
        size_of::<Self>()
            + self.content.len()
            + self.formatted_content.as_ref().map_or(0, String::len)
            + edits
            + earlier
            + self.reactions.size()
    }

    /// The rows of `mentions`.
    pub(crate) fn mentions(&self) -> impl Iterator<Item = Mention> {
        self.mentions.iter().map(|user_id| Mention {
            user_id: *user_id,
            workspace_id: self.workspace_id,
            created_at: self.created_at,
            message_id: self.message_id,
            channel_id: self.channel_id,
        })
    }

    /// The rows of `message_edits` to add.
    pub(crate) fn edits_added(&self) -> &[EditRecord] {
        &self.edits.added
    }

    pub(super) fn reactions_json(&self) -> String {
        as_json(&self.reactions.shown, self.reactions.shown.is_empty(), "[]")
    }

    pub(super) fn edit_history_json(&self) -> String {
        as_json(&self.edit_history, self.edit_history.is_empty(), "[]")
    }

    fn set_formatted(&mut self, formatted: &FormattedContent) {
        self.mentions = mentions(&self.message_type, formatted);
        self.formatted_content = (!formatted.is_empty()).then(|| as_json(formatted, false, "{}"));
    }
}

/// The users that a text mentions, unless it is a system message.
pub(super) fn mentions(message_type: &str, formatted: &FormattedContent) -> Vec<Uuid> {
    if message_type == Kind::System.as_str() { Vec::new() } else { formatted.mentions.iter().map(|id| id.0).collect() }
}

/// Serialises a value, or returns `empty` for the empty values that nearly all messages have. Texts, numbers and
/// identifiers can always be serialised.
fn as_json(value: &impl serde::Serialize, is_empty: bool, empty: &str) -> String {
    if is_empty { empty.to_owned() } else { serde_json::to_string(value).unwrap_or_else(|_| empty.to_owned()) }
}

row!(MessageRecord, "messages", message_id, updated_at);

impl CopyRow for MessageRecord {
    const COLUMNS: &'static [&'static str] = &[
        "message_id",
        "channel_id",
        "workspace_id",
        "user_id",
        "content",
        "message_type",
        "formatted_content",
        "thread_id",
        "reply_count",
        "is_pinned",
        "pinned_at",
        "pinned_by",
        "is_deleted",
        "deleted_at",
        "deleted_by",
        "reactions",
        "edited_at",
        "edited_by",
        "edit_history",
        "client_msg_id",
        "created_at",
        "updated_at",
        "position",
        "purged_at",
        "search_vector",
        "long_words",
    ];

    fn write(&self, tuple: &mut Tuple<'_>) {
        self.write_stored(tuple);
        let indexed = self.index();
        tuple.bytes(indexed.vector.as_bytes());
        tuple.maybe(indexed.long_words.as_deref(), Tuple::text);
    }
}

impl CopyRow for ArchivedMessage<'_> {
    /// All but the last two, by which searches find a message: no search finds an archived one.
    const COLUMNS: &'static [&'static str] = MessageRecord::COLUMNS.split_at(MessageRecord::COLUMNS.len() - 2).0;

    fn write(&self, tuple: &mut Tuple<'_>) {
        self.0.write_stored(tuple);
    }
}

impl MessageRecord {
    /// Writes the columns that both tables have.
    fn write_stored(&self, tuple: &mut Tuple<'_>) {
        tuple.uuid(self.message_id);
        tuple.uuid(self.channel_id);
        tuple.uuid(self.workspace_id);
        tuple.uuid(self.user_id);
        tuple.text(&self.content);
        tuple.text(&self.message_type);
        tuple.maybe(self.formatted_content.as_deref(), Tuple::jsonb);
        tuple.maybe(self.thread_id, Tuple::uuid);
        tuple.int4(self.reply_count);
        tuple.bool(self.pinned.is_some());
        tuple.maybe(self.pinned.map(|(at, _)| at), Tuple::time);
        tuple.maybe(self.pinned.map(|(_, by)| by), Tuple::uuid);
        tuple.bool(self.deleted.is_some());
        tuple.maybe(self.deleted.map(|(at, _)| at), Tuple::time);
        tuple.maybe(self.deleted.map(|(_, by)| by), Tuple::uuid);
        tuple.jsonb(&self.reactions_json());
        tuple.maybe(self.edited_at, Tuple::time);
        tuple.maybe(self.edited_by, Tuple::uuid);
        tuple.jsonb(&self.edit_history_json());
        tuple.maybe(self.client_msg_id.as_deref(), Tuple::text);
        tuple.time(self.created_at);
        tuple.time(self.updated_at);
        tuple.int8(self.position);
        tuple.maybe(self.purged_at, Tuple::time);
    }
}

impl CopyRow for Mention {
    const COLUMNS: &'static [&'static str] = &["user_id", "workspace_id", "created_at", "message_id", "channel_id"];

    fn write(&self, tuple: &mut Tuple<'_>) {
        tuple.uuid(self.user_id);
        tuple.uuid(self.workspace_id);
        tuple.time(self.created_at);
        tuple.uuid(self.message_id);
        tuple.uuid(self.channel_id);
    }
}
