//! Messages and mentions, read and written by the projector.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::formatting::FormattedContent;
use domain::ids::MessageId;
use sqlx::types::Json;
use sqlx::{PgConnection, query, query_file, query_file_as};
use uuid::Uuid;

use super::record::{Mention, MessageRecord, mentions};
use super::rows::EarlierText;

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
    reactions: Json<BTreeMap<String, Vec<Uuid>>>,
    edited_at: Option<DateTime<Utc>>,
    edited_by: Option<Uuid>,
    edit_history: Json<Vec<EarlierText>>,
    client_msg_id: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    position: i64,
}

/// The messages as they are stored; unknown ones are left out.
pub(crate) async fn load(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<MessageRecord>> {
    let known = ids.iter().filter_map(|id| Some((*id, MessageId(*id).sent_in()?)));
    let (ids, moments): (Vec<Uuid>, Vec<DateTime<Utc>>) = known.unzip();
    let stored = query_file_as!(Stored, "src/relational/sql/load_messages.sql", &ids, &moments).fetch_all(connection).await?;
    Ok(stored.into_iter().map(MessageRecord::from).collect())
}

/// Writes messages and whom they mention, unless what is stored has seen more. Their months must be there.
pub(crate) async fn save(connection: &mut PgConnection, messages: &[&MessageRecord]) -> sqlx::Result<()> {
    save_messages(connection, messages).await?;
    save_mentions(connection, messages).await
}

async fn save_messages(connection: &mut PgConnection, messages: &[&MessageRecord]) -> sqlx::Result<()> {
    query_file!(
        "src/relational/sql/save_messages.sql",
        &column(messages, |m| m.message_id),
        &column(messages, |m| m.channel_id),
        &column(messages, |m| m.workspace_id),
        &column(messages, |m| m.user_id),
        &column(messages, |m| m.content.as_str()) as _,
        &column(messages, |m| m.message_type.as_str()) as _,
        &column(messages, |m| m.formatted_content.as_deref()) as _,
        &column(messages, |m| m.thread_id) as _,
        &column(messages, |m| m.reply_count),
        &column(messages, |m| m.pinned.map(|(at, _)| at)) as _,
        &column(messages, |m| m.pinned.map(|(_, by)| by)) as _,
        &column(messages, |m| m.deleted.map(|(at, _)| at)) as _,
        &column(messages, |m| m.deleted.map(|(_, by)| by)) as _,
        &column(messages, |m| m.reactions_json()),
        &column(messages, |m| m.edited_at) as _,
        &column(messages, |m| m.edited_by) as _,
        &column(messages, |m| m.edit_history_json()),
        &column(messages, |m| m.client_msg_id.as_deref()) as _,
        &column(messages, |m| m.created_at),
        &column(messages, |m| m.updated_at),
        &column(messages, |m| m.position),
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Mentions are few: only those that came or went are written.
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

/// One column of some rows, as `unnest` takes it.
fn column<'a, R, T>(rows: &'a [R], field: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(field).collect()
}

impl From<Stored> for MessageRecord {
    fn from(row: Stored) -> Self {
        let formatted = row.formatted_content.as_deref().and_then(|json| serde_json::from_str::<FormattedContent>(json).ok());
        let mentions = formatted.map(|f| mentions(&row.message_type, &f)).unwrap_or_default();
        Self {
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
            reactions: row.reactions.0,
            edited_at: row.edited_at,
            edited_by: row.edited_by,
            edit_history: row.edit_history.0,
            client_msg_id: row.client_msg_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
            position: row.position,
            mentions_stored: mentions.clone(),
            mentions,
        }
    }
}
