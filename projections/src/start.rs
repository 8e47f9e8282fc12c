//! The rows that a client needs when it starts, read in one snapshot of the read tables: everything is as of one position
//! of the log (docs/decisions/0049-a-clients-start-is-read-in-one-snapshot.md).

use std::cmp::Reverse;
use std::collections::BTreeSet;

use domain::ids::{ChannelId, UserId, WorkspaceId};
use sqlx::{Executor, PgConnection, query, query_scalar};
use uuid::Uuid;

use crate::RELATIONAL;
use crate::cache::{ChannelUnread, count_unread};
use crate::read_models::{QueryError, ReadModels};
use crate::relational::channels::{ChannelFilter, ChannelRow, ids_of, rows_of};
use crate::relational::messages::{MessageRow, newest};
use crate::relational::people::{PersonRow, people};

/// The most channels of the user in one answer. Lists of channels have the others.
const CHANNELS_MAX: i64 = 500;
/// How often the snapshot is read anew because a rebuild has switched the tables meanwhile.
const TRIES_MAX: usize = 3;

/// The rows to read for a client's start.
#[derive(Clone, Copy, Debug)]
pub struct StartQuery<'a> {
    /// The user.
    pub user_id: UserId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Channels whose newest messages are read. The user need not be in them: the write side says which of them the user
    /// may read.
    pub channels: &'a [ChannelId],
    /// The number of further channels whose newest messages are read: those of the user with the latest messages.
    pub recent: usize,
    /// The number of messages of each channel.
    pub messages: u16,
}

/// The rows for a client's start.
#[derive(Clone, Debug, PartialEq)]
pub struct StartRows {
    /// All rows are as of this position.
    pub position: i64,
    /// The user's channels that are not archived, in order of their identifiers, then the others that were asked for.
    pub channels: Vec<ChannelRow>,
    /// The last of the user's channels, if there are more.
    pub last: Option<ChannelId>,
    /// The unread counts of the user's channels.
    pub unread: Vec<ChannelUnread>,
    /// The newest messages of channels, oldest first.
    pub messages: Vec<(ChannelId, Vec<MessageRow>)>,
    /// The user, the people of conversations, and those who occur in the messages.
    pub people: Vec<PersonRow>,
}

impl StartRows {
    /// Those who are named in the rows: the people of conversations, authors, and those who answered.
    pub fn named(&self) -> impl Iterator<Item = Uuid> + '_ {
        named(&self.channels, &self.messages)
    }

    /// Those whom texts mention.
    pub fn mentioned(&self) -> impl Iterator<Item = Uuid> + '_ {
        mentioned(&self.messages)
    }
}

type Pages = [(ChannelId, Vec<MessageRow>)];

fn named<'a>(channels: &'a [ChannelRow], pages: &'a Pages) -> impl Iterator<Item = Uuid> + use<'a> {
    let members = channels.iter().filter_map(|row| row.members.as_ref()).flat_map(|members| &members.0).map(|member| member.user_id);
    let rows = || pages.iter().flat_map(|(_, rows)| rows);
    let answered = rows().filter_map(|row| row.thread.as_ref()).flat_map(|thread| &thread.participants).map(|person| person.user_id);
    members.chain(rows().map(|row| row.user_id)).chain(answered)
}

fn mentioned(pages: &Pages) -> impl Iterator<Item = Uuid> + use<'_> {
    pages.iter().flat_map(|(_, rows)| rows).flat_map(MessageRow::mentioned)
}

impl ReadModels {
    /// Reads what a client needs when it starts.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn start(&self, of: StartQuery<'_>) -> Result<StartRows, QueryError> {
        for _ in 0..TRIES_MAX {
            let mut snapshot = self.pool.begin().await?;
            snapshot.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            let rows = read(&mut snapshot, of).await?;
            snapshot.commit().await?;
            if let Some(rows) = rows {
                return Ok(rows);
            }
        }
        Err(QueryError(sqlx::Error::Protocol("the read tables are being switched".into())))
    }
}

/// Reads everything in the connection's snapshot. Returns `None` if a rebuild switched the tables meanwhile: the new ones
/// may lack events that the snapshot's position has.
async fn read(snapshot: &mut PgConnection, of: StartQuery<'_>) -> sqlx::Result<Option<StartRows>> {
    let tables = tables(&mut *snapshot).await?;
    let position = position(&mut *snapshot).await?;
    let filter = ChannelFilter { workspace_id: of.workspace_id, archived: Some(false) };
    let mut own = ids_of(&mut *snapshot, of.user_id, filter, None, CHANNELS_MAX + 1).await?;
    let more = i64::try_from(own.len()).unwrap_or(i64::MAX) > CHANNELS_MAX;
    own.truncate(usize::try_from(CHANNELS_MAX).unwrap_or(usize::MAX));
    let others = of.channels.iter().map(|id| id.0).filter(|id| !own.contains(id)).collect::<BTreeSet<_>>();
    let ids = own.iter().copied().chain(others).collect::<Vec<_>>();
    let channels = rows_of(&mut *snapshot, &ids, of.user_id).await?;
    let unread = count_unread(&mut *snapshot, of.user_id, of.workspace_id, Some(&ids)).await?;
    let mut messages = Vec::new();
    for channel_id in opened(&channels, of) {
        messages.push((channel_id, newest(&mut *snapshot, channel_id, of.messages).await?));
    }
    let seen = named(&channels, &messages).chain(mentioned(&messages)).chain([of.user_id.0]).collect::<BTreeSet<_>>();
    let people = people(&mut *snapshot, of.workspace_id, &seen.into_iter().collect::<Vec<_>>()).await?;
    let last = own.last().filter(|_| more).map(|id| ChannelId(*id));
    let is_one_model = self::tables(snapshot).await? == tables;
    Ok(is_one_model.then_some(StartRows { position, channels, last, unread, messages, people }))
}

/// The channels whose messages are read: those asked for, then those of the user with the latest messages.
fn opened(channels: &[ChannelRow], of: StartQuery<'_>) -> Vec<ChannelId> {
    let is_asked = |row: &&ChannelRow| of.channels.contains(&row.channel_id.into());
    let (asked, others): (Vec<_>, Vec<_>) = channels.iter().partition(is_asked);
    let mut others = others.into_iter().filter(|row| row.is_member && row.last_message_at.is_some()).collect::<Vec<_>>();
    others.sort_by_key(|row| Reverse(row.last_message_at));
    asked.into_iter().chain(others.into_iter().take(of.recent)).map(|row| row.channel_id.into()).collect()
}

async fn position(snapshot: &mut PgConnection) -> sqlx::Result<i64> {
    let position = query_scalar!("SELECT position FROM projection_checkpoints WHERE projection = $1", RELATIONAL);
    Ok(position.fetch_optional(snapshot).await?.unwrap_or(0))
}

/// The tables that the names refer to now. A snapshot has rows, not names.
async fn tables(snapshot: &mut PgConnection) -> sqlx::Result<i64> {
    let oid = query!(r#"SELECT to_regclass('channels')::oid::bigint AS "oid!""#).fetch_one(snapshot).await?;
    Ok(oid.oid)
}
