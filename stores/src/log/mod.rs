//! Reads the log by position, in order, without a gap. Each event is decoded, or comes with the reason why it cannot
//! be. Not here: writing the log (`commands`).

pub mod copy_out;
mod delivery;
pub mod digest;
mod lag;
pub mod read;
mod whole;

use domain::ids::WorkspaceId;
use sqlx::query_scalar;

pub use delivery::{Deliveries, Delivery};
pub use digest::event_digest;
pub use lag::{Lag, lag};
pub use read::{LogError, LogStream};
pub use whole::{LogUnreadable, read_log};

/// Returns the last position of the log, or 0 if it is empty.
///
/// # Errors
/// The database cannot be read.
pub async fn head(executor: impl sqlx::PgExecutor<'_>) -> sqlx::Result<i64> {
    query_scalar!(r#"SELECT COALESCE(max(position), 0) AS "head!" FROM events"#).fetch_one(executor).await
}

/// Whether a workspace has more than `events` events behind a position.
///
/// # Errors
/// The database cannot be read.
pub async fn has_more_than(executor: impl sqlx::PgExecutor<'_>, workspace_id: WorkspaceId, after: i64, events: u32) -> sqlx::Result<bool> {
    let surplus = query_scalar!(
        "SELECT position FROM events WHERE workspace_id = $1 AND position > $2 ORDER BY position OFFSET $3 LIMIT 1",
        workspace_id.0,
        after,
        i64::from(events)
    );
    Ok(surplus.fetch_optional(executor).await?.is_some())
}
