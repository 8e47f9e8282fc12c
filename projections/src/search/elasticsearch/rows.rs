//! Reads the rows that documents are made from. Each statement also reads the position of the relational projection in
//! the same snapshot.

use sqlx::{PgConnection, query, query_as, query_scalar};
use uuid::Uuid;

use super::documents::{Document, MemberRow, MessageRow};
use crate::relational::messages::Windows;

/// How many rows are read at a time.
pub(super) const CHUNK_ROWS: i64 = 4_000;

/// Selects the rows of messages for documents, with the names that belong to them. The text between `$before` and
/// `$after` selects from all messages; the result is `m`. One statement reads the rows and their position in one
/// snapshot. An archived message stays as a document without its text, like a deleted one, so that no older write
/// brings it back.
macro_rules! message_rows {
    ($before:literal, $after:literal, $end:literal, $($argument:expr),+) => {
        query_as!(
            MessageRow,
            r#"SELECT (SELECT position FROM projection_checkpoints WHERE projection = 'relational') AS version,
                   m.message_id AS "message_id!", m.workspace_id AS "workspace_id!", m.channel_id AS "channel_id!", m.user_id AS "user_id!",
                   COALESCE(u.username, '') AS "username!", COALESCE(u.display_name, '') AS "display_name!", m.content AS "content!",
                   m.message_type AS "message_type!", m.thread_id, m.formatted_content::text AS formatted_content,
                   m.reactions::text AS "reactions!", m.reply_count AS "reply_count!", m.is_pinned AS "is_pinned!",
                   m.is_deleted AS "is_deleted!", m.created_at AS "created_at!", m.updated_at AS "updated_at!", m.position AS "position!",
                   c.name AS "channel_name?"
            "# + $before + r#"
                (SELECT message_id, workspace_id, channel_id, user_id, content, message_type, thread_id, formatted_content, reactions,
                        reply_count, is_pinned, is_deleted, created_at, updated_at, position
                 FROM messages
                 UNION ALL
                 SELECT message_id, workspace_id, channel_id, user_id, '', message_type, thread_id, NULL, '[]',
                        reply_count, FALSE, TRUE, created_at, updated_at, position
                 FROM messages_archive) messages
            "# + $after + r#"
            LEFT JOIN users u ON u.user_id = m.user_id
            LEFT JOIN channels c ON c.channel_id = m.channel_id
            "# + $end,
            $($argument),+
        )
    };
}

/// Selects the rows of members for documents, with their users. One statement, for the same reason.
macro_rules! member_rows {
    ($which:literal, $($argument:expr),+) => {
        query_as!(
            MemberRow,
            r#"SELECT (SELECT position FROM projection_checkpoints WHERE projection = 'relational') AS version, m.member_id, m.workspace_id,
                   m.user_id, COALESCE(u.username, '') AS "username!", COALESCE(u.display_name, '') AS "display_name!",
                   COALESCE(u.email, '') AS "email!", COALESCE(m.title, u.title) AS title, m.department, u.bio AS "bio?", m.status,
                   m.last_seen_at, m.role, COALESCE(u.is_bot, FALSE) AS "is_bot!", GREATEST(m.position, u.position) AS "position!"
            FROM workspace_members m
            LEFT JOIN users u ON u.user_id = m.user_id
            "# + $which,
            $($argument),+
        )
    };
}

/// Reads messages, each with the identifier of its root. A missing row is left out: the relational projection has
/// parked its event.
pub(super) async fn messages(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<(Document, Option<Uuid>)>> {
    let Windows { ids, earliest, latest } = ids.iter().copied().collect();
    // `LATERAL` with `LIMIT`, so that each identifier is looked up in its own month only.
    let rows = message_rows!(
        "FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS wanted (message_id, earliest, latest)
         CROSS JOIN LATERAL (
             SELECT * FROM",
        "    WHERE message_id = wanted.message_id
               AND created_at BETWEEN wanted.earliest AND wanted.latest
             LIMIT 1) m",
        "",
        &ids,
        &earliest,
        &latest
    );
    Ok(rows.fetch_all(connection).await?.iter().map(|row| (row.document(), row.thread_id)).collect())
}

/// Reads members.
pub(super) async fn members(connection: &mut PgConnection, keys: &[(Uuid, Uuid)]) -> sqlx::Result<Vec<Document>> {
    let (workspaces, users): (Vec<Uuid>, Vec<Uuid>) = keys.iter().copied().unzip();
    let rows = member_rows!("WHERE (m.workspace_id, m.user_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))", &workspaces, &users);
    Ok(rows.fetch_all(connection).await?.iter().map(MemberRow::document).collect())
}

/// Reads all memberships of these people.
pub(super) async fn memberships(connection: &mut PgConnection, users: &[Uuid]) -> sqlx::Result<Vec<Document>> {
    let rows = member_rows!("WHERE m.user_id = ANY ($1)", users);
    Ok(rows.fetch_all(connection).await?.iter().map(MemberRow::document).collect())
}

/// The rows of a scan, in order of identifiers.
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
    /// The messages of a user.
    MessagesOfUser(Uuid),
    /// The messages of a channel.
    MessagesOfChannel(Uuid),
}

/// Up to this estimate, rows are counted. More are estimated, because counting them would take seconds.
const COUNTED_MAX: i64 = 100_000;

/// About how many rows have a document, archived messages included.
pub(super) async fn count(connection: &mut PgConnection) -> sqlx::Result<i64> {
    let estimates = query!(
        r#"SELECT COALESCE(sum(greatest(reltuples, 0)), 0)::bigint AS "all!",
                  COALESCE(sum(greatest(reltuples, 0)) FILTER (WHERE relname = 'messages_archive'), 0)::bigint AS "archived!"
           FROM pg_class
           WHERE relnamespace = 'read'::regnamespace AND relkind = 'r'
             AND (relname ~ '^messages_[0-9]{4}_' OR relname IN ('messages_archive', 'workspace_members'))"#
    );
    let estimates = estimates.fetch_one(&mut *connection).await?;
    if estimates.all > COUNTED_MAX {
        return Ok(estimates.all);
    }
    // Postgres estimates nothing for a table that it has not analysed yet.
    let counted = query_scalar!(r#"SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM workspace_members) AS "rows!""#);
    Ok(counted.fetch_one(connection).await? + estimates.archived)
}

/// Some documents of a scan, and where it continues.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) documents: Vec<Document>,
    /// `None` at the end of the scan.
    pub(super) last: Option<Uuid>,
}

/// Reads the next rows after `after`.
pub(super) async fn scan(connection: &mut PgConnection, scan: Scan, after: Uuid) -> sqlx::Result<Chunk> {
    match scan {
        Scan::Messages => {
            let rows = message_rows!(
                "FROM (SELECT * FROM",
                "WHERE message_id > $1 ORDER BY message_id LIMIT $2) m",
                "ORDER BY m.message_id",
                after,
                CHUNK_ROWS
            );
            Ok(Chunk::of(&rows.fetch_all(connection).await?, MessageRow::document, |row| row.message_id))
        }
        Scan::MessagesOfWorkspace(id) => {
            let rows = message_rows!(
                "FROM (SELECT * FROM",
                "WHERE workspace_id = $1 AND message_id > $2 ORDER BY message_id LIMIT $3) m",
                "ORDER BY m.message_id",
                id,
                after,
                CHUNK_ROWS
            );
            Ok(Chunk::of(&rows.fetch_all(connection).await?, MessageRow::document, |row| row.message_id))
        }
        Scan::MessagesOfUser(id) => {
            let rows = message_rows!(
                "FROM (SELECT * FROM",
                "WHERE user_id = $1 AND message_id > $2 ORDER BY message_id LIMIT $3) m",
                "ORDER BY m.message_id",
                id,
                after,
                CHUNK_ROWS
            );
            Ok(Chunk::of(&rows.fetch_all(connection).await?, MessageRow::document, |row| row.message_id))
        }
        Scan::MessagesOfChannel(id) => {
            let rows = message_rows!(
                "FROM (SELECT * FROM",
                "WHERE channel_id = $1 AND message_id > $2 ORDER BY message_id LIMIT $3) m",
                "ORDER BY m.message_id",
                id,
                after,
                CHUNK_ROWS
            );
            Ok(Chunk::of(&rows.fetch_all(connection).await?, MessageRow::document, |row| row.message_id))
        }
        Scan::Members => {
            let rows = member_rows!("WHERE m.member_id > $1 ORDER BY m.member_id LIMIT $2", after, CHUNK_ROWS);
            Ok(Chunk::of(&rows.fetch_all(connection).await?, MemberRow::document, |row| row.member_id))
        }
        Scan::MembersOfWorkspace(id) => {
            let rows = member_rows!("WHERE m.workspace_id = $1 AND m.user_id > $2 ORDER BY m.user_id LIMIT $3", id, after, CHUNK_ROWS);
            Ok(Chunk::of(&rows.fetch_all(connection).await?, MemberRow::document, |row| row.user_id))
        }
    }
}

/// The position of the relational projection.
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
