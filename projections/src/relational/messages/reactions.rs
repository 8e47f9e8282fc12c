//! `message_reactions`: who reacted to a message with what, one row each. `messages.reactions` has the first people of
//! each emoji, and `messages.reaction_counts` has their number where there are more. So a reaction costs the same,
//! however many people have reacted.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::ids::MessageId;
use serde::Serialize;
use sqlx::{PgConnection, query, query_file, query_file_as};
use utoipa::ToSchema;
use uuid::Uuid;

use super::record::MessageRecord;
use crate::read_models::{QueryError, ReadModels, rows};
use crate::relational::copy::{CopyRow, Tuple};
use crate::relational::stamp::EventStamp;

/// How many people of each emoji `messages.reactions` has.
pub(super) const KEPT_IN_MESSAGE: usize = 50;

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
    /// The first people of each emoji, in order of their reactions. People who took their reaction back leave a gap that
    /// later people fill. An emoji has an entry as long as anybody has reacted with it.
    pub(super) people: BTreeMap<String, Vec<Uuid>>,
    /// The number of people of each emoji, where it is not the number of those in `people`.
    pub(super) counts: BTreeMap<String, i64>,
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
    pub(super) fn stored(people: BTreeMap<String, Vec<Uuid>>, counts: BTreeMap<String, i64>) -> Self {
        Self { people, counts, ..Self::default() }
    }

    pub(super) fn add(&mut self, user_id: Uuid, emoji: &str, stamp: EventStamp) {
        let people = self.people.entry(emoji.to_owned()).or_default();
        // A log that was imported may repeat a reaction.
        if people.contains(&user_id) {
            return;
        }
        let count = self.counts.get(emoji).copied().unwrap_or_else(|| number(people)) + 1;
        if people.len() < KEPT_IN_MESSAGE {
            people.push(user_id);
        }
        self.set_count(emoji, count);
        self.changed.insert((emoji.to_owned(), user_id), Some(stamp));
    }

    pub(super) fn remove(&mut self, user_id: Uuid, emoji: &str) {
        let Some(people) = self.people.get_mut(emoji) else { return };
        let count = self.counts.get(emoji).copied().unwrap_or_else(|| number(people)) - 1;
        people.retain(|user| *user != user_id);
        self.set_count(emoji, count);
        self.changed.insert((emoji.to_owned(), user_id), None);
    }

    fn set_count(&mut self, emoji: &str, count: i64) {
        let listed = self.people.get(emoji).map_or(0, |people| number(people));
        if count <= 0 {
            self.people.remove(emoji);
        }
        if count == listed || count <= 0 {
            self.counts.remove(emoji);
        } else {
            self.counts.insert(emoji.to_owned(), count);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self { deleted: self.deleted || !self.people.is_empty(), ..Self::default() };
    }

    /// The approximate size in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        let people = self.people.values().map(|people| people.len() * size_of::<Uuid>()).sum::<usize>();
        people + self.changed.len() * CHANGE_BYTES
    }
}

fn number(people: &[Uuid]) -> i64 {
    i64::try_from(people.len()).unwrap_or(i64::MAX)
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
    use super::*;

    fn person(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn stamp(position: i64) -> EventStamp {
        EventStamp { position, at: DateTime::UNIX_EPOCH, recorded_at: DateTime::UNIX_EPOCH }
    }

    /// The reactions as they are read back from the row.
    fn read_back(reactions: &Reactions) -> Reactions {
        Reactions::stored(reactions.people.clone(), reactions.counts.clone())
    }

    #[test]
    fn the_ten_thousandth_reaction_writes_no_more_than_the_fifty_first() {
        let mut reactions = Reactions::default();
        let mut written = Vec::new();
        for n in 1..=10_000 {
            reactions = read_back(&reactions);
            reactions.add(person(n), "tada", stamp(i64::try_from(n).expect("a position")));
            assert_eq!(reactions.changed.len(), 1);
            written.push(serde_json::to_string(&(&reactions.people, &reactions.counts)).expect("JSON").len());
        }
        assert_eq!((reactions.people["tada"].len(), reactions.counts["tada"]), (KEPT_IN_MESSAGE, 10_000));
        assert!(written[9_999] <= written[50] + 8, "{} bytes for the last, {} for the 51st", written[9_999], written[50]);
    }

    #[test]
    fn an_emoji_stays_as_long_as_anybody_reacts_with_it() {
        let mut reactions = Reactions::default();
        let all = 1..=u128::try_from(KEPT_IN_MESSAGE + 2).expect("a number");
        for n in all.clone() {
            reactions.add(person(n), "tada", stamp(1));
        }
        for n in all.clone().take(KEPT_IN_MESSAGE) {
            reactions.remove(person(n), "tada");
        }
        assert_eq!((reactions.people["tada"].len(), reactions.counts["tada"]), (0, 2));
        reactions.add(person(1), "tada", stamp(2));
        assert_eq!((&reactions.people["tada"], reactions.counts["tada"]), (&vec![person(1)], 3));
        for n in all {
            reactions.remove(person(n), "tada");
        }
        assert!(reactions.people.is_empty() && reactions.counts.is_empty());
    }
}
