//! Snapshots: the exact fold of a stream up to one event, so that a long stream need not be read from its first event.
//! If a snapshot is wrong in any way, the stream is read from its first event. That is never an error.
//!
//! Only releases that fold the same state from the same events use a snapshot: it has the version of the state
//! (`Stored::STATE_VERSION`). A snapshot of another version is ignored, and the next one replaces it.
//!
//! Snapshots hold no personal data (`Stored::impersonal`). They are not sealed under a user's key, so a destroyed key
//! could not erase anything in them. The missing data are read from the few events that have them.
//!
//! They are not the snapshots of cqrs-es, which apply events twice (`docs/ARCHITECTURE.md`).

use std::sync::Arc;

use sqlx::{PgPool, query};
use stores::error::chain;
use tracing::warn;
use uuid::Uuid;

use super::StoreError;
use super::cache::Versioned;
use super::stored::Stored;

/// How many events must be folded since the last snapshot before a new one is taken.
const EVENTS_BETWEEN: i64 = 500;

/// Returns the newest usable snapshot of the aggregate.
pub(super) async fn read<A: Stored>(pool: &PgPool, id: Uuid) -> Result<Option<Versioned<A>>, StoreError> {
    let Some(version) = A::STATE_VERSION else { return Ok(None) };
    let row = query!(
        r#"SELECT sequence, schema_hash, state::text AS "state!" FROM snapshots WHERE aggregate_type = $1 AND aggregate_id = $2"#,
        A::TYPE,
        id.to_string(),
    )
    .fetch_optional(pool)
    .await?;
    let usable = row.filter(|row| row.schema_hash == schema(version));
    Ok(usable.and_then(|row| match serde_json::from_str(&row.state) {
        Ok(state) => Some(Versioned { state: Arc::new(state), version: row.sequence }),
        Err(error) => {
            warn!(%error, aggregate.id = %id, "a snapshot cannot be read; the stream is read from its first event");
            None
        }
    }))
}

/// Takes a snapshot in the background, if enough events were folded since the last one.
pub(super) fn write_when_worth_it<A: Stored>(pool: &PgPool, id: Uuid, last: i64, loaded: &Versioned<A>) {
    if loaded.version - last < EVENTS_BETWEEN {
        return;
    }
    let Some(version) = A::STATE_VERSION else { return };
    let (pool, loaded) = (pool.clone(), Versioned { state: Arc::new(loaded.state.impersonal()), version: loaded.version });
    tokio::spawn(async move {
        if let Err(error) = write(&pool, id, version, &loaded).await {
            warn!(error = %chain(&error), aggregate.id = %id, "a snapshot was not taken; it will be tried again");
        }
    });
}

/// Stores a snapshot, unless there is a newer one. The state must have no personal data.
async fn write<A: Stored>(pool: &PgPool, id: Uuid, version: u32, loaded: &Versioned<A>) -> Result<(), StoreError> {
    query!(
        "INSERT INTO snapshots (aggregate_type, aggregate_id, sequence, schema_hash, state) VALUES ($1, $2, $3, $4, $5::text::json)
         ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE
         SET sequence = excluded.sequence, schema_hash = excluded.schema_hash, state = excluded.state
         WHERE snapshots.sequence < excluded.sequence OR snapshots.schema_hash <> excluded.schema_hash",
        A::TYPE,
        id.to_string(),
        loaded.version,
        schema(version),
        serde_json::to_string(loaded.state.as_ref())?,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The text in a row that gives the version of its state. The column is named `schema_hash` because earlier releases
/// wrote a hash of their sources, which never equals such a text.
fn schema(version: u32) -> String {
    format!("state version {version}")
}
