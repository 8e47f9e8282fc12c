//! `message_reactions`: who reacted to a message with what, one row each. `messages.reactions` has the first people of
//! each emoji, and their number. So a reaction costs the same, however many people have reacted.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::ids::MessageId;
use serde::Serialize;
use shapes::{Reaction, add_reaction, remove_reaction};
use sqlx::{PgConnection, query, query_file, query_file_as};
use utoipa::ToSchema;
use uuid::Uuid;

use super::record::MessageRecord;
use crate::read_models::{QueryError, ReadModels, rows};
use crate::relational::copy::{CopyRow, Tuple};
use crate::relational::stamp::EventStamp;

/// The most reactions that one statement writes.
const SAVED_ROWS_MAX: usize = 5_000;

/// The approximate memory of one change, in bytes. It is not counted exactly, because it is asked for at each event.
const CHANGE_BYTES: usize = 128;

/// A row of `message_reactions`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReactionRecord {
    message_id: Uuid,
    emoji: String,
    user_id: Uuid,
    workspace_id: Uuid,
    position: i64,
    reacted_at: DateTime<Utc>,
}

/// The reactions of one message, as its row has them, and what has changed in `message_reactions` since it was loaded.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reactions {
    /// The reactions, in the order of the first of each emoji.
    pub(super) shown: Vec<Reaction>,
    /// Whether the stored rows must be deleted first.
    pub(super) deleted: bool,
    /// For each emoji and user that has changed: the event of the reaction, or `None` if it was taken back.
    pub(super) changed: BTreeMap<(String, Uuid), Option<EventStamp>>,
}

/// A user who reacted with an emoji.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReactionRow {
    /// The user.
    pub user_id: Uuid,
    /// When the user reacted.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub reacted_at: DateTime<Utc>,
    /// The position of the reaction in the log.
    #[serde(skip)]
    pub position: i64,
}

impl Reactions {
    /// The stored reactions of a message.
    pub(super) fn stored(shown: Vec<Reaction>) -> Self {
        Self { shown, ..Self::default() }
    }

    pub(super) fn add(&mut self, user_id: Uuid, emoji: &str, stamp: EventStamp) {
        if add_reaction(&mut self.shown, emoji, user_id) {
            self.changed.insert((emoji.to_owned(), user_id), Some(stamp));
        }
    }

    pub(super) fn remove(&mut self, user_id: Uuid, emoji: &str) {
        if remove_reaction(&mut self.shown, emoji, user_id) {
            self.changed.insert((emoji.to_owned(), user_id), None);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self { deleted: self.deleted || !self.shown.is_empty(), ..Self::default() };
    }

    /// The approximate size in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        let users = self.shown.iter().map(|reaction| reaction.users.len() * size_of::<Uuid>()).sum::<usize>();
        users + self.changed.len() * CHANGE_BYTES
    }
}

impl MessageRecord {
    /// The rows of `message_reactions` to add.
    pub(crate) fn reactions_added(&self) -> impl Iterator<Item = ReactionRecord> {
        self.reactions.changed.iter().filter_map(|((emoji, user_id), stamp)| {
            let stamp = (*stamp)?;
            Some(ReactionRecord {
                message_id: self.message_id,
                emoji: emoji.clone(),
                user_id: *user_id,
                workspace_id: self.workspace_id,
                position: stamp.position,
                reacted_at: stamp.at,
            })
        })
    }

    /// The emoji and users of the rows to remove.
    fn reactions_removed(&self) -> impl Iterator<Item = (Uuid, &str, Uuid)> {
        let removed = self.reactions.changed.iter().filter(|(_, stamp)| stamp.is_none());
        removed.map(|((emoji, user_id), _)| (self.message_id, emoji.as_str(), *user_id))
    }
}

impl CopyRow for ReactionRecord {
    const COLUMNS: &'static [&'static str] = &["message_id", "emoji", "user_id", "workspace_id", "position", "reacted_at"];

    fn write(&self, tuple: &mut Tuple<'_>) {
        tuple.uuid(self.message_id);
        tuple.text(&self.emoji);
        tuple.uuid(self.user_id);
        tuple.uuid(self.workspace_id);
        tuple.int8(self.position);
        tuple.time(self.reacted_at);
    }
}

/// Writes the changes of these messages.
pub(super) async fn save(connection: &mut PgConnection, messages: &[&MessageRecord]) -> sqlx::Result<()> {
    let emptied = messages.iter().filter(|message| message.reactions.deleted).map(|message| message.message_id).collect::<Vec<_>>();
    if !emptied.is_empty() {
        query!("DELETE FROM message_reactions WHERE message_id = ANY ($1)", &emptied).execute(&mut *connection).await?;
    }
    let removed = messages.iter().flat_map(|message| message.reactions_removed()).collect::<Vec<_>>();
    for removed in removed.chunks(SAVED_ROWS_MAX) {
        remove(connection, removed).await?;
    }
    let added = messages.iter().flat_map(|message| message.reactions_added()).collect::<Vec<_>>();
    for added in added.chunks(SAVED_ROWS_MAX) {
        insert(connection, added).await?;
    }
    Ok(())
}

async fn remove(connection: &mut PgConnection, removed: &[(Uuid, &str, Uuid)]) -> sqlx::Result<()> {
    query!(
        "DELETE FROM message_reactions r
         USING unnest($1::uuid[], $2::text[], $3::uuid[]) AS removed (message_id, emoji, user_id)
         WHERE r.message_id = removed.message_id AND r.emoji = removed.emoji AND r.user_id = removed.user_id",
        &removed.iter().map(|(message_id, ..)| *message_id).collect::<Vec<_>>(),
        &removed.iter().map(|(_, emoji, _)| *emoji).collect::<Vec<_>>() as _,
        &removed.iter().map(|(.., user_id)| *user_id).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await
    .map(drop)
}

async fn insert(connection: &mut PgConnection, added: &[ReactionRecord]) -> sqlx::Result<()> {
    query_file!(
        "src/relational/sql/save_message_reactions.sql",
        &added.iter().map(|reaction| reaction.message_id).collect::<Vec<_>>(),
        &added.iter().map(|reaction| reaction.emoji.as_str()).collect::<Vec<_>>() as _,
        &added.iter().map(|reaction| reaction.user_id).collect::<Vec<_>>(),
        &added.iter().map(|reaction| reaction.workspace_id).collect::<Vec<_>>(),
        &added.iter().map(|reaction| reaction.position).collect::<Vec<_>>(),
        &added.iter().map(|reaction| reaction.reacted_at).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await
    .map(drop)
}

impl ReadModels {
    /// Returns a page of the users who reacted to a message with an emoji, in order of their reactions. `after` is the
    /// position of the last one of the previous page.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn reactions_of(
        &self,
        message_id: MessageId,
        emoji: &str,
        after: Option<i64>,
        limit: u16,
    ) -> Result<Vec<ReactionRow>, QueryError> {
        let file =
            query_file_as!(ReactionRow, "src/relational/sql/message_reactions.sql", message_id.0, emoji, after.unwrap_or(0), rows(limit));
        Ok(file.fetch_all(&self.pool).await?)
    }
}

#[cfg(test)]
mod tests {
    use shapes::REACTION_USERS_MAX;

    use super::*;

    #[test]
    fn the_ten_thousandth_reaction_writes_no_more_than_the_fifty_first() {
        let stamp = |position| EventStamp { position, at: DateTime::UNIX_EPOCH, recorded_at: DateTime::UNIX_EPOCH };
        let mut reactions = Reactions::default();
        let mut written = Vec::new();
        for n in 1..=10_000 {
            // As they are read back from the row.
            reactions = Reactions::stored(reactions.shown.clone());
            reactions.add(Uuid::from_u128(n), "tada", stamp(i64::try_from(n).expect("a position")));
            assert_eq!(reactions.changed.len(), 1);
            written.push(serde_json::to_string(&reactions.shown).expect("JSON").len());
        }
        assert_eq!((reactions.shown[0].users.len(), reactions.shown[0].count), (REACTION_USERS_MAX, 10_000));
        assert!(written[9_999] <= written[50] + 8, "{} bytes for the last, {} for the 51st", written[9_999], written[50]);
    }
}
