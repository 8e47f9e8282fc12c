//! Reads and writes messages and mentions for the projector.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use domain::formatting::FormattedContent;
use shapes::Reaction;
use sqlx::types::Json;
use sqlx::{PgConnection, query, query_file, query_file_as};
use uuid::Uuid;

use super::edits::{self, EditChanges};
use super::reactions::{self, Reactions};
use super::record::{Mention, MessageRecord, MessageTable, mentions};
use super::rows::EarlierText;
use super::window::Windows;

/// A row of `messages`, as it is read.
struct Stored {
    message_id: Uuid,
    channel_id: Uuid,
    workspace_id: Uuid,
    user_id: Uuid,
    content: String,
    message_type: String,
    formatted_content: Option<String>,
    thread_id: Option<Uuid>,
    reply_count: i32,
    pinned_at: Option<DateTime<Utc>>,
    pinned_by: Option<Uuid>,
    deleted_at: Option<DateTime<Utc>>,
    deleted_by: Option<Uuid>,
    reactions: Json<Vec<Reaction>>,
    edited_at: Option<DateTime<Utc>>,
    edited_by: Option<Uuid>,
    edit_history: Json<Vec<EarlierText>>,
    client_msg_id: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    position: i64,
    purged_at: Option<DateTime<Utc>>,
}

/// One statement for each of the two tables, with the same columns, and more for one of them.
macro_rules! save_rows {
    ($file:literal, $connection:ident, $messages:ident $(, $more:expr)*) => {
        query_file!(
            $file,
            &column($messages, |m| m.message_id),
            &column($messages, |m| m.channel_id),
            &column($messages, |m| m.workspace_id),
            &column($messages, |m| m.user_id),
            &column($messages, |m| m.content.as_str()) as _,
            &column($messages, |m| m.message_type.as_str()) as _,
            &column($messages, |m| m.formatted_content.as_deref()) as _,
            &column($messages, |m| m.thread_id) as _,
            &column($messages, |m| m.reply_count),
            &column($messages, |m| m.pinned.map(|(at, _)| at)) as _,
            &column($messages, |m| m.pinned.map(|(_, by)| by)) as _,
            &column($messages, |m| m.deleted.map(|(at, _)| at)) as _,
            &column($messages, |m| m.deleted.map(|(_, by)| by)) as _,
            &column($messages, |m| m.reactions_json()),
            &column($messages, |m| m.edited_at) as _,
            &column($messages, |m| m.edited_by) as _,
            &column($messages, |m| m.edit_history_json()),
            &column($messages, |m| m.client_msg_id.as_deref()) as _,
            &column($messages, |m| m.created_at),
            &column($messages, |m| m.updated_at),
            &column($messages, |m| m.position),
            &column($messages, |m| m.purged_at) as _,
            $($more as _,)*
        )
        .execute($connection)
        .await
        .map(drop)
    };
}

/// Reads messages from both tables. Unknown ones are left out.
pub(crate) async fn load(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<MessageRecord>> {
    let Windows { ids, earliest, latest } = ids.iter().copied().collect();
    let stored = query_file_as!(Stored, "src/relational/sql/load_messages.sql", &ids, &earliest, &latest);
    let stored = stored.fetch_all(&mut *connection).await?;
    let mut messages = stored.into_iter().map(|row| row.on(MessageTable::Messages)).collect::<Vec<_>>();
    if messages.len() < ids.len() {
        let found = messages.iter().map(|message| message.message_id).collect::<HashSet<_>>();
        let Windows { ids, earliest, latest } = ids.into_iter().filter(|id| !found.contains(id)).collect();
        let archived = query_file_as!(Stored, "src/relational/sql/load_archived_messages.sql", &ids, &earliest, &latest);
        messages.extend(archived.fetch_all(connection).await?.into_iter().map(|row| row.on(MessageTable::Archive)));
    }
    Ok(messages)
}

/// Writes messages and their mentions, unless the stored row has a later position. Their partitions must exist.
pub(crate) async fn save(connection: &mut PgConnection, messages: &[&MessageRecord]) -> sqlx::Result<()> {
    let (archived, standing): (Vec<_>, Vec<_>) =
        messages.iter().copied().partition(|message| message.message_table == MessageTable::Archive);
    if !archived.is_empty() {
        save_archived(connection, &archived).await?;
    }
    if !standing.is_empty() {
        save_messages(connection, &standing).await?;
    }
    edits::save(connection, messages).await?;
    reactions::save(connection, messages).await?;
    save_mentions(connection, messages).await
}

async fn save_messages(connection: &mut PgConnection, messages: &[&MessageRecord]) -> sqlx::Result<()> {
    let indexed = messages.iter().map(|message| message.index_if_changed()).collect::<Vec<_>>();
    let vectors = column(&indexed, |i| i.as_ref().map(|i| &i.vector));
    let long_words = column(&indexed, |i| i.as_ref().and_then(|i| i.long_words.as_deref()));
    save_rows!("src/relational/sql/save_messages.sql", connection, messages, &vectors, &long_words)
}

/// Archived messages are deleted from `messages`.
async fn save_archived(connection: &mut PgConnection, messages: &[&MessageRecord]) -> sqlx::Result<()> {
    save_to_archive(connection, messages).await?;
    let moved = messages.iter().filter(|message| message.stored_in == Some(MessageTable::Messages));
    let (ids, moments): (Vec<Uuid>, Vec<DateTime<Utc>>) = moved.map(|message| (message.message_id, message.created_at)).unzip();
    if ids.is_empty() {
        return Ok(());
    }
    query!(
        "DELETE FROM messages USING unnest($1::uuid[], $2::timestamptz[]) AS moved (message_id, created_at)
         WHERE messages.message_id = moved.message_id AND messages.created_at = moved.created_at",
        &ids,
        &moments
    )
    .execute(connection)
    .await
    .map(drop)
}

async fn save_to_archive(connection: &mut PgConnection, messages: &[&MessageRecord]) -> sqlx::Result<()> {
    save_rows!("src/relational/sql/save_archived_messages.sql", connection, messages)
}

/// Writes only the mentions that were added or removed, because there are few.
async fn save_mentions(connection: &mut PgConnection, messages: &[&MessageRecord]) -> sqlx::Result<()> {
    let moved = || messages.iter().filter(|m| m.mentions != m.mentions_stored);
    let stale = moved().filter(|m| !m.mentions_stored.is_empty()).map(|m| m.message_id).collect::<Vec<_>>();
    if !stale.is_empty() {
        query!("DELETE FROM mentions WHERE message_id = ANY ($1)", &stale).execute(&mut *connection).await?;
    }
    let mentions = moved().flat_map(|m| m.mentions()).collect::<Vec<_>>();
    if mentions.is_empty() {
        return Ok(());
    }
    query_file!(
        "src/relational/sql/save_mentions.sql",
        &column(&mentions, |m: &Mention| m.user_id),
        &column(&mentions, |m| m.workspace_id),
        &column(&mentions, |m| m.created_at),
        &column(&mentions, |m| m.message_id),
        &column(&mentions, |m| m.channel_id),
    )
    .execute(connection)
    .await
    .map(drop)
}

/// One column of some rows, in the form that `unnest` takes.
fn column<'a, R, T>(rows: &'a [R], field: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(field).collect()
}

impl Stored {
    fn on(self, message_table: MessageTable) -> MessageRecord {
        let row = self;
        let formatted = row.formatted_content.as_deref().and_then(|json| serde_json::from_str::<FormattedContent>(json).ok());
        // An archived message mentions nobody.
        let formatted = formatted.filter(|_| message_table == MessageTable::Messages);
        let mentions = formatted.map(|f| mentions(&row.message_type, &f)).unwrap_or_default();
        let mut message = MessageRecord {
            message_id: row.message_id,
            channel_id: row.channel_id,
            workspace_id: row.workspace_id,
            user_id: row.user_id,
            content: row.content,
            message_type: row.message_type,
            formatted_content: row.formatted_content,
            thread_id: row.thread_id,
            reply_count: row.reply_count,
            pinned: row.pinned_at.zip(row.pinned_by),
            deleted: row.deleted_at.zip(row.deleted_by),
            reactions: Reactions::stored(row.reactions.0),
            edited_at: row.edited_at,
            edited_by: row.edited_by,
            edit_history: row.edit_history.0,
            edits: EditChanges::default(),
            client_msg_id: row.client_msg_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
            position: row.position,
            mentions_stored: mentions.clone(),
            mentions,
            purged_at: row.purged_at,
            message_table,
            stored_in: Some(message_table),
            indexed: None,
        };
        message.indexed = Some(message.fingerprint());
        message
    }
}
