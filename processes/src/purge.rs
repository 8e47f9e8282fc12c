//! The purge of the log: what an event says is emptied is taken out of the log behind it, and what replays kept is dropped. The read tables, the
//! caches and the indices empty themselves by that event; what is left are the payloads of the messages' own earlier events. Whoever is killed in the middle has emptied
//! some; the next one empties the rest, and what was emptied before stays as it is.

use std::time::Duration;

use domain::personal;
use projections::{RELATIONAL, RebuildError, Stores};
use sqlx::{PgPool, query, query_scalar};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::cursor::Turn;

/// The process's name, in `process_cursors` and in its lock.
const PROCESS: &str = "purge";
/// Events that are looked through at a time.
const LOOK_EVENTS: i64 = 10_000;
/// Messages whose events are emptied in one transaction.
const BATCH_MESSAGES: usize = 200;
/// How often to look, where nothing wakes it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait for the turn, or after a failure.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// What says that messages are to be emptied.
struct Order {
    position: i64,
    reason: String,
    messages: Vec<String>,
}

/// Empties what is to be emptied, from the cursor on, until it is told to stop. One node at a time.
pub async fn run(pool: PgPool, stores: Stores, mut head: watch::Receiver<i64>, shutdown: CancellationToken) {
    loop {
        match shutdown.run_until_cancelled(follow(&pool, &stores, &mut head)).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => warn!(%error, "the purge of the log is interrupted; it goes on soon"),
        }
        if shutdown.run_until_cancelled(sleep(RETRY_EVERY)).await.is_none() {
            return;
        }
    }
}

/// For as long as this process has the turn. It ends where somebody else has it.
async fn follow(pool: &PgPool, stores: &Stores, head: &mut watch::Receiver<i64>) -> Result<(), RebuildError> {
    let Some(mut turn) = Turn::take(pool, PROCESS).await? else { return Ok(()) };
    loop {
        catch_up(pool, stores, &mut turn).await?;
        // What other nodes append, and what the read tables have not taken in yet, is found at the next look.
        drop(timeout(LOOK_EVERY, head.changed()).await);
        // At most so often, however much is appended.
        sleep(LOOK_EVERY).await;
    }
}

/// Empties everything that is said up to where the read tables are: those stand behind nothing that they could still want to read.
async fn catch_up(pool: &PgPool, stores: &Stores, turn: &mut Turn) -> Result<(), RebuildError> {
    let mut position = turn.position().await?;
    loop {
        let applied = query_scalar!("SELECT position FROM projection_checkpoints WHERE projection = $1", RELATIONAL);
        let to = applied.fetch_optional(pool).await?.unwrap_or(0).min(position + LOOK_EVENTS);
        if to <= position {
            return Ok(());
        }
        let orders = orders(pool, position, to).await?;
        for order in &orders {
            let purged = obey(pool, order).await?;
            info!(position = order.position, purged, "events were emptied");
        }
        if !orders.is_empty() {
            // Before the cursor moves: whoever is killed in between does both again.
            projections::forget_the_purged(stores).await?;
        }
        position = to;
        turn.advance(position).await?;
    }
}

async fn orders(pool: &PgPool, after: i64, to: i64) -> sqlx::Result<Vec<Order>> {
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
    let orders = rows.fetch_all(pool).await?.into_iter().map(|row| Order {
        position: row.position,
        reason: row.reason.unwrap_or_else(|| "retention policy".into()),
        messages: if row.event_type == "message.purged" { vec![row.aggregate_id] } else { row.messages },
    });
    Ok(orders.collect())
}

/// Empties the earlier events of the messages; answers with how many that were.
async fn obey(pool: &PgPool, order: &Order) -> sqlx::Result<i64> {
    let mut purged = 0;
    for messages in order.messages.chunks(BATCH_MESSAGES) {
        let rows = query!(
            r#"SELECT position, event_type, payload::text AS "payload!" FROM events
               WHERE aggregate_type = 'message' AND aggregate_id = ANY ($1) AND position < $2"#,
            messages,
            order.position,
        );
        let emptied = rows.fetch_all(pool).await?.into_iter().filter_map(|row| {
            // A log that was put back from files has events that were emptied before: what emptied them is to be known again.
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
