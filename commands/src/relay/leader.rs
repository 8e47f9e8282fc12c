//! Who publishes: the one process whose connection holds an advisory lock. The cursor is moved on that same connection, so that who has lost
//! the lock cannot move it.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Connection, PgPool, query, query_scalar};
use tokio::time::sleep;
use uuid::Uuid;

/// The key of the advisory lock; the appender's is 4701.
const LOCK: i64 = 4_702;
/// How long is waited before asking for the lead again.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// The most events whose partitions are read at a time.
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
    /// The partition of a workspace's events. What belongs to no workspace is in the first.
    pub(super) fn partition(&self, workspace_id: Option<Uuid>) -> usize {
        let Some(id) = workspace_id else { return 0 };
        let hash = id.as_u128() as u64;
        usize::try_from(hash % self.partitions.len().max(1) as u64).unwrap_or(0)
    }

    /// Notes an event, and returns the position before it in its partition.
    pub(super) fn advance(&mut self, position: i64, workspace_id: Option<Uuid>) -> i64 {
        self.position = position;
        let partition = self.partition(workspace_id);
        self.partitions.get_mut(partition).map_or(0, |last| std::mem::replace(last, position))
    }
}

/// The lead, held until it is dropped.
pub(super) struct Leader(PgConnection);

impl Leader {
    /// Waits until this process has the lead.
    pub(super) async fn elected(pool: &PgPool) -> Result<Self, sqlx::Error> {
        // Not one of the pool's: the lock belongs to the connection, and ends with it.
        let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
        // A cursor that is lost with a crash costs nothing: the stream itself tells where to go on.
        query!("SELECT set_config('synchronous_commit', 'off', false) AS set").fetch_one(&mut connection).await?;
        while !query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "locked!""#, LOCK).fetch_one(&mut connection).await? {
            sleep(ASK_EVERY).await;
        }
        Ok(Self(connection))
    }

    /// Where to go on: behind the cursor, or behind the last message of the stream, whichever is further.
    pub(super) async fn cursor(&mut self, pool: &PgPool, partitions: u16, published: i64) -> Result<Cursor, sqlx::Error> {
        let saved = query!("SELECT position, partition_positions FROM relay_cursor").fetch_optional(&mut self.0).await?;
        let mut cursor = match saved {
            Some(row) if row.partition_positions.len() == usize::from(partitions) => {
                Cursor { position: row.position, partitions: row.partition_positions }
            }
            // Another number of partitions: where each one stands is counted anew, from the first event on.
            Some(row) => skip(pool, Cursor { position: 0, partitions: vec![0; usize::from(partitions)] }, row.position).await?,
            None => Cursor { position: 0, partitions: vec![0; usize::from(partitions)] },
        };
        if published > cursor.position {
            cursor = skip(pool, cursor, published).await?;
        }
        Ok(cursor)
    }

    /// Notes how far is published.
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

    /// Whether the connection, and with it the lead, is still there.
    pub(super) async fn still_leads(&mut self) -> Result<(), sqlx::Error> {
        self.0.ping().await
    }
}

/// The cursor behind `to`: what lies between was published already.
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
