//! Reading the rows that documents are made of. Each statement also reads where the relational projection stands, in the same moment.

use chrono::{DateTime, Utc};
use domain::ids::MessageId;
use sqlx::{PgConnection, query_file_as, query_scalar};
use uuid::Uuid;

use super::documents::{Document, MemberRow, MessageRow};

/// Rows that are read at a time.
pub(super) const CHUNK_ROWS: i64 = 4_000;

/// Those messages, each with the one that began its thread. What is not there is left out: the relational projection has parked it.
pub(super) async fn messages(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<(Document, Option<Uuid>)>> {
    let known = ids.iter().filter_map(|id| Some((*id, MessageId(*id).sent_in()?)));
    let (ids, moments): (Vec<Uuid>, Vec<DateTime<Utc>>) = known.unzip();
    let rows = query_file_as!(MessageRow, "src/search/elasticsearch/sql/messages_by_id.sql", &ids, &moments);
    Ok(rows.fetch_all(connection).await?.iter().map(|row| (row.document(), row.thread_id)).collect())
}

/// Those members.
pub(super) async fn members(connection: &mut PgConnection, keys: &[(Uuid, Uuid)]) -> sqlx::Result<Vec<Document>> {
    let (workspaces, users): (Vec<Uuid>, Vec<Uuid>) = keys.iter().copied().unzip();
    let rows = query_file_as!(MemberRow, "src/search/elasticsearch/sql/members_by_key.sql", &workspaces, &users);
    Ok(rows.fetch_all(connection).await?.iter().map(MemberRow::document).collect())
}

/// Everything that those people are members of.
pub(super) async fn memberships(connection: &mut PgConnection, users: &[Uuid]) -> sqlx::Result<Vec<Document>> {
    let rows = query_file_as!(MemberRow, "src/search/elasticsearch/sql/members_of_users.sql", users);
    Ok(rows.fetch_all(connection).await?.iter().map(MemberRow::document).collect())
}

/// What a scan goes through, in order of identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scan {
    /// Every message.
    Messages,
    /// Every member.
    Members,
    /// The messages of a workspace.
    MessagesOfWorkspace(Uuid),
    /// The members of a workspace.
    MembersOfWorkspace(Uuid),
    /// The messages that somebody wrote.
    MessagesOfUser(Uuid),
    /// The messages of a channel.
    MessagesOfChannel(Uuid),
}

/// Some documents of a scan, and where it goes on.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) documents: Vec<Document>,
    /// Nothing: that was all.
    pub(super) last: Option<Uuid>,
}

/// What comes right behind `after`.
pub(super) async fn scan(connection: &mut PgConnection, scan: Scan, after: Uuid) -> sqlx::Result<Chunk> {
    match scan {
        Scan::Messages => {
            let rows = query_file_as!(MessageRow, "src/search/elasticsearch/sql/messages_after.sql", after, CHUNK_ROWS);
            Ok(Chunk::of(&rows.fetch_all(connection).await?, MessageRow::document, |row| row.message_id))
        }
        Scan::MessagesOfWorkspace(id) => {
            let rows = query_file_as!(MessageRow, "src/search/elasticsearch/sql/messages_of_workspace.sql", id, after, CHUNK_ROWS);
            Ok(Chunk::of(&rows.fetch_all(connection).await?, MessageRow::document, |row| row.message_id))
        }
        Scan::MessagesOfUser(id) => {
            let rows = query_file_as!(MessageRow, "src/search/elasticsearch/sql/messages_of_user.sql", id, after, CHUNK_ROWS);
            Ok(Chunk::of(&rows.fetch_all(connection).await?, MessageRow::document, |row| row.message_id))
        }
        Scan::MessagesOfChannel(id) => {
            let rows = query_file_as!(MessageRow, "src/search/elasticsearch/sql/messages_of_channel.sql", id, after, CHUNK_ROWS);
            Ok(Chunk::of(&rows.fetch_all(connection).await?, MessageRow::document, |row| row.message_id))
        }
        Scan::Members => {
            let rows = query_file_as!(MemberRow, "src/search/elasticsearch/sql/members_after.sql", after, CHUNK_ROWS);
            Ok(Chunk::of(&rows.fetch_all(connection).await?, MemberRow::document, |row| row.member_id))
        }
        Scan::MembersOfWorkspace(id) => {
            let rows = query_file_as!(MemberRow, "src/search/elasticsearch/sql/members_of_workspace.sql", id, after, CHUNK_ROWS);
            Ok(Chunk::of(&rows.fetch_all(connection).await?, MemberRow::document, |row| row.user_id))
        }
    }
}

/// Where the relational projection stands.
pub(super) async fn position(connection: &mut PgConnection) -> sqlx::Result<i64> {
    let position = query_scalar!("SELECT position FROM projection_checkpoints WHERE projection = 'relational'");
    Ok(position.fetch_optional(connection).await?.unwrap_or(0))
}

impl Chunk {
    fn of<R>(rows: &[R], document: impl Fn(&R) -> Document, key: impl Fn(&R) -> Uuid) -> Self {
        let is_full = i64::try_from(rows.len()).is_ok_and(|rows| rows >= CHUNK_ROWS);
        Self { documents: rows.iter().map(document).collect(), last: rows.last().filter(|_| is_full).map(key) }
    }
}
