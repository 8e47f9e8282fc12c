//! Removes the identifiers that clients gave to messages from the events in which release 0.1.0 kept them in clear. An
//! event of the log says so first; then this process removes them, page by page. If it is killed, the next one
//! continues at the cursor. Idempotency keys are hashed earlier, when the event store starts.

use std::time::Duration;

use commands::{CommandError, Commands};
use domain::{InstallationCommand, StreamId, personal};
use projections::{Connections, RebuildError};
use sqlx::{PgPool, query, query_scalar};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::cursor::ProcessLock;
use super::replays::by_the_server;

/// The process's name, in `process_cursors` and in its lock.
const PROCESS: &str = "client_ids";
/// How many events are searched at once.
const PAGE_EVENTS: i64 = 10_000;
/// How long to wait for the lock, for older releases to end, or after a failure.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// Why the identifiers could not be removed.
#[derive(Debug, thiserror::Error)]
enum RemovalError {
    #[error(transparent)]
    Postgres(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] CommandError),
    #[error(transparent)]
    Kept(#[from] RebuildError),
}

/// An event to change: its position, and its payload without the identifier.
type Change = (i64, String);

/// Removes the identifiers, and ends when there are none left. One node does it at a time.
pub async fn run(commands: Commands, pool: PgPool, stores: Connections, shutdown: CancellationToken) {
    loop {
        match shutdown.run_until_cancelled(remove_all(&commands, &pool, &stores)).await {
            None | Some(Ok(true)) => return,
            Some(Ok(false)) => {}
            Some(Err(error)) => warn!(%error, "the identifiers of clients are not removed from the log yet; it will be tried again"),
        }
        if shutdown.run_until_cancelled(sleep(RETRY_EVERY)).await.is_none() {
            return;
        }
    }
}

/// Removes the identifiers up to the end of the log: this release appends none in clear. Returns whether all
/// are removed, or `false` if another process has the lock.
async fn remove_all(commands: &Commands, pool: &PgPool, stores: &Connections) -> Result<bool, RemovalError> {
    let Some(mut lock) = ProcessLock::acquire(pool, PROCESS).await? else { return Ok(false) };
    let (mut position, mut removed, mut ordered_at) = (lock.position().await?, 0, 0);
    loop {
        let last = query_scalar!(r#"SELECT coalesce(max(position), 0) AS "last!" FROM events"#).fetch_one(pool).await?;
        let (to, is_last_page) = (last.min(position + PAGE_EVENTS), last <= position + PAGE_EVENTS);
        let changes = changes(pool, position, to).await?;
        if !changes.is_empty() {
            let (count, ordered) = remove(commands, pool, changes).await?;
            (removed, ordered_at) = (removed + count, ordered);
            // Before the cursor moves: if the process is killed in between, both are repeated.
            projections::remove_kept_of_purged(stores).await?;
        }
        position = to;
        lock.advance(position).await?;
        // An older process may have appended until the event that says so.
        if is_last_page && position >= ordered_at {
            break;
        }
    }
    if removed > 0 {
        info!(removed, "identifiers of clients were removed from the log");
    }
    Ok(true)
}

/// The events that have an identifier in clear. A log that was restored from files also has events that lost it before;
/// their removal is recorded again.
async fn changes(pool: &PgPool, after: i64, to: i64) -> sqlx::Result<Vec<Change>> {
    let rows = query!(
        r#"SELECT position, event_type, payload::text AS "payload!" FROM events
           WHERE position > $1 AND position <= $2 AND event_type = 'message.posted'
             AND payload -> 'message.posted' -> 'client_msg_id' IS NOT NULL
             AND NOT EXISTS (SELECT FROM client_id_removals r WHERE r.position = events.position)"#,
        after,
        to,
    );
    let change = |event_type: &str, payload: String| match personal::without_client_id(event_type, &payload) {
        Some(without) => Some(without),
        None => personal::lost_client_id(event_type, &payload).then_some(payload),
    };
    let rows = rows.fetch_all(pool).await?.into_iter();
    Ok(rows.filter_map(|row| Some((row.position, change(&row.event_type, row.payload)?))).collect())
}

/// Removes the identifiers from these events. Returns how many there were, and the position of the event that says so.
async fn remove(commands: &Commands, pool: &PgPool, changes: Vec<Change>) -> Result<(i64, i64), RemovalError> {
    let last = changes.iter().map(|(position, _)| *position).max().unwrap_or(0);
    let removed_by = order_after(commands, pool, last).await?;
    let (positions, payloads): (Vec<i64>, Vec<String>) = changes.into_iter().unzip();
    let removed =
        query_scalar!(r#"SELECT remove_client_ids($1, $2, $3::text[]::json[]) AS "removed!""#, removed_by, &positions, &payloads,);
    Ok((removed.fetch_one(pool).await?, removed_by))
}

/// The position of the event that says that identifiers are removed, behind this position. It is appended if there is
/// none. It waits in this way until every running process can read it, and therefore writes no identifier in clear.
async fn order_after(commands: &Commands, pool: &PgPool, position: i64) -> Result<i64, RemovalError> {
    let stream = StreamId::INSTALLATION;
    let said = query_scalar!(
        "SELECT max(position) FROM events
         WHERE aggregate_type = $1 AND aggregate_id = $2 AND event_type = 'installation.client_ids_removed' AND position > $3",
        stream.aggregate.as_str(),
        stream.id.to_string(),
        position,
    );
    if let Some(said) = said.fetch_one(pool).await? {
        return Ok(said);
    }
    let keys = commands.store().hashed_keys().await.map_err(CommandError::from)?;
    Ok(commands.installation(&by_the_server(None), InstallationCommand::RemoveClientIds { keys }).await?.position)
}
