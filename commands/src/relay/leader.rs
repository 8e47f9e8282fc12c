//! Leader election: the one process whose connection holds an advisory lock publishes. It saves the cursor on the same
//! connection, so a process that has lost the lock cannot change the cursor.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Connection, PgPool, query, query_scalar};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::RelayError;
use super::state::{LOCK, RelayStats};

/// How long a process waits before it tries again to become the leader.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// After this time of waiting another process leads for sure: one that fails would have given up the leadership. So an
/// earlier failure of this process no longer matters.
const STANDS_BY_AFTER: Duration = Duration::from_secs(8);
/// The most events whose partitions are read in one query.
const READ_MAX: i64 = 10_000;

/// How far the relay has published.
#[derive(Debug)]
pub(super) struct Cursor {
    /// The last position that was published.
    pub position: i64,
    /// The last position of each partition.
    pub partitions: Vec<i64>,
}

impl Cursor {
    /// The partition of a workspace's events. Events that belong to no workspace are in the first partition.
    pub(super) fn partition(&self, workspace_id: Option<Uuid>) -> usize {
        let Some(id) = workspace_id else { return 0 };
        let hash = id.as_u128() as u64;
        usize::try_from(hash % self.partitions.len().max(1) as u64).unwrap_or(0)
    }

    /// Records an event, and returns the previous position in its partition.
    pub(super) fn advance(&mut self, position: i64, workspace_id: Option<Uuid>) -> i64 {
        self.position = position;
        let partition = self.partition(workspace_id);
        self.partitions.get_mut(partition).map_or(0, |last| std::mem::replace(last, position))
    }
}

/// The number of partitions that the log was published over. `None` if nothing was published yet.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn partitions_in_use(pool: &PgPool) -> sqlx::Result<Option<usize>> {
    let used = query_scalar!(r#"SELECT cardinality(partition_positions) AS "partitions!" FROM public.relay_cursor"#);
    Ok(used.fetch_optional(pool).await?.and_then(|partitions| usize::try_from(partitions).ok()))
}

/// The leadership, which lasts until it is dropped.
pub(super) struct Leader(PgConnection);

impl Leader {
    /// Waits until this process is the leader.
    pub(super) async fn elected(pool: &PgPool, stats: &RelayStats) -> Result<Self, sqlx::Error> {
        // A connection of its own, outside the pool: the lock belongs to the connection, and ends with it.
        let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
        // It does no harm to lose the cursor in a crash, because the stream itself shows where to continue.
        query!("SELECT set_config('synchronous_commit', 'off', false) AS set").fetch_one(&mut connection).await?;
        let waits_since = Instant::now();
        while !query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "locked!""#, LOCK).fetch_one(&mut connection).await? {
            if waits_since.elapsed() > STANDS_BY_AFTER {
                stats.works();
            }
            sleep(ASK_EVERY).await;
        }
        Ok(Self(connection))
    }

    /// Returns where to continue: after the cursor, or after the last message of the stream, whichever is later.
    ///
    /// # Errors
    /// The log was published over another number of partitions, or Postgres cannot be reached.
    pub(super) async fn cursor(&mut self, pool: &PgPool, partitions: u16, published: i64) -> Result<Cursor, RelayError> {
        let saved = query!("SELECT position, partition_positions FROM relay_cursor").fetch_optional(&mut self.0).await?;
        let mut cursor = match saved {
            Some(row) if row.partition_positions.len() == usize::from(partitions) => {
                Cursor { position: row.position, partitions: row.partition_positions }
            }
            // The start refuses this. Here, another process has published since then.
            Some(row) => return Err(RelayError::Partitions { used: row.partition_positions.len(), wanted: partitions }),
            // Without a row, the last position of each partition is computed from the first event.
            None => Cursor { position: 0, partitions: vec![0; usize::from(partitions)] },
        };
        if published > cursor.position {
            cursor = skip(pool, cursor, published).await?;
        }
        Ok(cursor)
    }

    /// Saves how far the relay has published.
    pub(super) async fn save(&mut self, cursor: &Cursor) -> Result<(), sqlx::Error> {
        query!(
            "INSERT INTO relay_cursor (only_row, position, partition_positions) VALUES (true, $1, $2)
             ON CONFLICT (only_row) DO UPDATE
             SET position = excluded.position, partition_positions = excluded.partition_positions, updated_at = now()",
            cursor.position,
            &cursor.partitions,
        )
        .execute(&mut self.0)
        .await
        .map(drop)
    }

    /// Checks that the connection, and with it the leadership, still exists.
    pub(super) async fn still_leads(&mut self) -> Result<(), sqlx::Error> {
        self.0.ping().await
    }
}

/// Moves the cursor to `to`, because the events in between were published already.
async fn skip(pool: &PgPool, mut cursor: Cursor, to: i64) -> Result<Cursor, sqlx::Error> {
    while cursor.position < to {
        let rows = query!(
            "SELECT position, workspace_id FROM events WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3",
            cursor.position,
            to,
            READ_MAX,
        )
        .fetch_all(pool)
        .await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            cursor.advance(row.position, row.workspace_id);
        }
    }
    Ok(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_always_in_the_same_partition_and_each_tells_its_previous_position() {
        let mut cursor = Cursor { position: 0, partitions: vec![0; 8] };
        let workspace = Some(Uuid::from_u128(11));
        assert_eq!(cursor.advance(1, workspace), 0);
        assert_eq!(cursor.advance(2, None), 0);
        assert_eq!(cursor.advance(3, workspace), 1);
        assert_eq!(cursor.advance(4, None), 2);
        assert_eq!(cursor.partition(workspace), 3);
        assert_eq!(cursor.partition(None), 0);
    }
}
