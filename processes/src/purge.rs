//! The purge of the log. When an event says that messages are purged, this process empties their earlier events in the
//! log, and drops what replays have kept. Read tables, caches and indices remove the texts when they apply that event.
//! If the process is killed, some events are emptied; the next run empties the rest and leaves emptied ones as they
//! are.

use std::time::Duration;

use domain::personal;
use projections::{Connections, RELATIONAL, RebuildError};
use sqlx::{PgPool, query, query_scalar};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::cursor::ProcessLock;

/// The process's name, in `process_cursors` and in its lock.
const PROCESS: &str = "purge";
/// How many events are searched at once.
const PAGE_EVENTS: i64 = 10_000;
/// How many messages' events are emptied in one transaction.
const BATCH_MESSAGES: usize = 200;
/// How often to look without a notification.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait for the lock, or after a failure.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// An event that says that messages are purged.
struct PurgeOrder {
    position: i64,
    reason: String,
    messages: Vec<String>,
}

/// Empties events from the cursor on, until `shutdown`. One node does it at a time.
pub async fn run(pool: PgPool, stores: Connections, mut head: watch::Receiver<i64>, shutdown: CancellationToken) {
    loop {
        match shutdown.run_until_cancelled(follow(&pool, &stores, &mut head)).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => warn!(%error, "the purge of the log was interrupted; it will continue soon"),
        }
        if shutdown.run_until_cancelled(sleep(RETRY_EVERY)).await.is_none() {
            return;
        }
    }
}

/// Runs as long as this process has the lock. Returns at once if another process has it.
async fn follow(pool: &PgPool, stores: &Connections, head: &mut watch::Receiver<i64>) -> Result<(), RebuildError> {
    let Some(mut lock) = ProcessLock::acquire(pool, PROCESS).await? else { return Ok(()) };
    loop {
        catch_up(pool, stores, &mut lock).await?;
        // Events of other nodes, and events that the read tables have not applied yet, are found at the next look.
        drop(timeout(CHECK_EVERY, head.changed()).await);
        // A limit on how often it looks, however many events are appended.
        sleep(CHECK_EVERY).await;
    }
}

/// Empties events up to the position of the read tables, which no longer need to read these events.
async fn catch_up(pool: &PgPool, stores: &Connections, lock: &mut ProcessLock) -> Result<(), RebuildError> {
    let mut position = lock.position().await?;
    loop {
        let applied = query_scalar!("SELECT position FROM projection_checkpoints WHERE projection = $1", RELATIONAL);
        let to = applied.fetch_optional(pool).await?.unwrap_or(0).min(position + PAGE_EVENTS);
        if to <= position {
            return Ok(());
        }
        let orders = orders(pool, position, to).await?;
        for order in &orders {
            let purged = empty_events(pool, order).await?;
            info!(position = order.position, purged, "events were emptied");
        }
        if !orders.is_empty() {
            // Before the cursor moves: if the process is killed in between, both are repeated.
            projections::remove_kept_of_purged(stores).await?;
        }
        position = to;
        lock.advance(position).await?;
    }
}

async fn orders(pool: &PgPool, after: i64, to: i64) -> sqlx::Result<Vec<PurgeOrder>> {
    let rows = query!(
        r#"SELECT position, aggregate_id, event_type, payload -> 'message.purged' ->> 'reason' AS reason,
                  ARRAY (SELECT json_array_elements_text(payload -> 'retention.applied' -> 'messages')) AS "messages!: Vec<String>"
           FROM events
           WHERE position > $1 AND position <= $2
             AND (event_type = 'message.purged'
                  OR (event_type = 'retention.applied' AND payload -> 'retention.applied' ->> 'action' = 'purge'))
           ORDER BY position"#,
        after,
        to,
    );
    let orders = rows.fetch_all(pool).await?.into_iter().map(|row| PurgeOrder {
        position: row.position,
        reason: row.reason.unwrap_or_else(|| "retention policy".into()),
        messages: if row.event_type == "message.purged" { vec![row.aggregate_id] } else { row.messages },
    });
    Ok(orders.collect())
}

/// Empties the earlier events of the messages, and returns how many there were.
async fn empty_events(pool: &PgPool, order: &PurgeOrder) -> sqlx::Result<i64> {
    let mut purged = 0;
    for messages in order.messages.chunks(BATCH_MESSAGES) {
        let rows = query!(
            r#"SELECT position, event_type, payload::text AS "payload!" FROM events
               WHERE aggregate_type = 'message' AND aggregate_id = ANY ($1) AND position < $2"#,
            messages,
            order.position,
        );
        let emptied = rows.fetch_all(pool).await?.into_iter().filter_map(|row| {
            // A log that was restored from files has events that were emptied before. Their purge is recorded again.
            let was_emptied = personal::is_erased(&row.event_type, &row.payload);
            let payload = if was_emptied { Some(row.payload) } else { personal::erase(&row.event_type, &row.payload) };
            Some((row.position, payload?))
        });
        let (positions, payloads): (Vec<i64>, Vec<String>) = emptied.unzip();
        let done = query_scalar!(
            r#"SELECT purge_events($1, $2, $3, $4::text[]::json[]) AS "purged!""#,
            order.position,
            order.reason,
            &positions,
            &payloads,
        );
        purged += done.fetch_one(pool).await?;
    }
    Ok(purged)
}
