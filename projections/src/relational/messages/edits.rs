//! `message_edits`: the earlier texts of messages, one row each. So an edit costs the same, however often the message
//! was edited before. `messages.edit_history` has the latest of them.

use domain::ids::{MessageId, UserId, WorkspaceId};
use serde_json::Value;
use sqlx::{PgConnection, query, query_file, query_file_as};
use uuid::Uuid;

use super::record::MessageRecord;
use super::rows::{EarlierText, EditRow};
use crate::read_models::{QueryError, ReadModels, rows};
use crate::relational::copy::{CopyRow, Tuple};

/// How many earlier texts `messages.edit_history` has.
pub(super) const KEPT_IN_MESSAGE: usize = 5;

/// The most bytes of earlier texts that one statement writes.
const SAVED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A row of `message_edits`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EditRecord {
    pub(super) message_id: Uuid,
    /// The position of the event that replaced the text.
    pub(super) position: i64,
    pub(super) workspace_id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) earlier: EarlierText,
}

/// What has changed in the rows of one message since it was loaded.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EditChanges {
    /// Whether the stored rows must be deleted first.
    pub(super) deleted: bool,
    /// The rows to add.
    pub(super) added: Vec<EditRecord>,
}

/// The place of an earlier text in the list of a person's earlier texts.
pub type EditPlace = (Uuid, i64);

/// A page of the earlier texts that a user wrote in a workspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EarlierPage {
    /// The earlier texts, as JSON.
    pub texts: Vec<Value>,
    /// The place where the next page begins. `None` on the last page.
    pub next: Option<EditPlace>,
}

impl EditChanges {
    /// Removes all rows.
    pub(super) fn clear(&mut self, any_stored: bool) {
        self.deleted = self.deleted || any_stored;
        self.added = Vec::new();
    }
}

impl EditRecord {
    /// The approximate size in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.earlier.content.len()
    }
}

impl CopyRow for EditRecord {
    const COLUMNS: &'static [&'static str] = &["message_id", "position", "workspace_id", "user_id", "content", "edited_at", "edited_by"];

    fn write(&self, tuple: &mut Tuple<'_>) {
        tuple.uuid(self.message_id);
        tuple.int8(self.position);
        tuple.uuid(self.workspace_id);
        tuple.uuid(self.user_id);
        tuple.text(&self.earlier.content);
        tuple.time(self.earlier.edited_at);
        tuple.uuid(self.earlier.edited_by);
    }
}

/// Writes the changes of these messages.
pub(super) async fn save(connection: &mut PgConnection, messages: &[&MessageRecord]) -> sqlx::Result<()> {
    let emptied = messages.iter().filter(|message| message.edits.deleted).map(|message| message.message_id).collect::<Vec<_>>();
    if !emptied.is_empty() {
        query!("DELETE FROM message_edits WHERE message_id = ANY ($1)", &emptied).execute(&mut *connection).await?;
    }
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    for edit in messages.iter().flat_map(|message| &message.edits.added) {
        bytes += edit.size();
        chunk.push(edit);
        if bytes >= SAVED_BYTES_MAX {
            insert(connection, &std::mem::take(&mut chunk)).await?;
            bytes = 0;
        }
    }
    if chunk.is_empty() { Ok(()) } else { insert(connection, &chunk).await }
}

async fn insert(connection: &mut PgConnection, edits: &[&EditRecord]) -> sqlx::Result<()> {
    query_file!(
        "src/relational/sql/save_message_edits.sql",
        &edits.iter().map(|edit| edit.message_id).collect::<Vec<_>>(),
        &edits.iter().map(|edit| edit.position).collect::<Vec<_>>(),
        &edits.iter().map(|edit| edit.workspace_id).collect::<Vec<_>>(),
        &edits.iter().map(|edit| edit.user_id).collect::<Vec<_>>(),
        &edits.iter().map(|edit| edit.earlier.content.as_str()).collect::<Vec<_>>() as _,
        &edits.iter().map(|edit| edit.earlier.edited_at).collect::<Vec<_>>(),
        &edits.iter().map(|edit| edit.earlier.edited_by).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await
    .map(drop)
}

impl ReadModels {
    /// Returns a page of a message's earlier texts, oldest first. `after` is the position of the last edit of the
    /// previous page.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn edits_of(&self, message_id: MessageId, after: Option<i64>, limit: u16) -> Result<Vec<EditRow>, QueryError> {
        let file = query_file_as!(EditRow, "src/relational/sql/message_edits.sql", message_id.0, after.unwrap_or(0), rows(limit));
        Ok(file.fetch_all(&self.pool).await?)
    }

    /// Returns a page of the earlier texts of the messages that a user wrote in a workspace. `after` is the `next` of
    /// the page before.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn earlier_texts_by(
        &self,
        user_id: UserId,
        workspace_id: WorkspaceId,
        after: Option<EditPlace>,
        limit: u16,
    ) -> Result<EarlierPage, QueryError> {
        let (message_id, position) = after.unwrap_or((Uuid::nil(), 0));
        let file = query_file!("src/relational/sql/personal_edits.sql", user_id.0, workspace_id.0, message_id, position, rows(limit));
        let found = file.fetch_all(&self.pool).await?;
        let is_full = i64::try_from(found.len()).is_ok_and(|found| found >= rows(limit));
        let next = found.last().filter(|_| is_full).map(|row| (row.message_id, row.position));
        Ok(EarlierPage { texts: found.into_iter().map(|row| row.earlier).collect(), next })
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::formatting::FormattedContent;
    use domain::message::Posting;
    use serde_json::json;

    use super::*;
    use crate::relational::stamp::EventStamp;

    fn stamp(position: i64) -> EventStamp {
        EventStamp { position, at: DateTime::UNIX_EPOCH, recorded_at: DateTime::UNIX_EPOCH }
    }

    fn message(text: &str) -> MessageRecord {
        let id = Uuid::nil();
        let posting = json!({"workspace_id": id, "channel_id": id, "author": id, "content": text, "sent_at": "2026-01-01T00:00:00Z"});
        MessageRecord::posted(id, stamp(0), &serde_json::from_value::<Posting>(posting).expect("a message"))
    }

    #[test]
    fn the_last_of_many_edits_writes_no_more_than_the_sixth() {
        let text = "x".repeat(1_000);
        let mut message = message(&text);
        let mut written = Vec::new();
        for position in 1..=200 {
            // As if the row was read back before each edit.
            message.edits = EditChanges::default();
            message.edit(&text, &FormattedContent::default(), UserId(Uuid::nil()), stamp(position));
            written.push(message.size());
        }
        assert_eq!(message.edits.added.len(), 1);
        assert!(written[199] <= written[5] && written[199] < 8 * text.len() + 2_000, "{written:?}");
    }

    #[test]
    fn a_removal_deletes_the_stored_texts_and_those_of_the_same_batch() {
        let mut message = message("one");
        message.edit("two", &FormattedContent::default(), UserId(Uuid::nil()), stamp(1));
        message.delete(UserId(Uuid::nil()), DateTime::UNIX_EPOCH);
        assert_eq!(message.edits, EditChanges { deleted: true, added: Vec::new() });
    }
}
