//! Snapshots: an exact fold up to an exact event, so that a long stream is not read from its first event. If anything
//! is wrong with a snapshot, the stream is read from its first event after all. That is never an error.
//!
//! A snapshot is used only by releases that fold the same state from the same events: it names the version of the state
//! (`Stored::STATE_VERSION`). A snapshot of another version is ignored, and replaced by the next one that is taken.
//!
//! Snapshots hold nothing that is personal (`Stored::impersonal`): no person's key seals them, so nothing in them could
//! be erased with a key. What they leave out is read from the few events that say it.
//!
//! Not those of cqrs-es, which apply events twice (`docs/ARCHITECTURE.md`).

use std::sync::Arc;

use sqlx::{PgPool, query};
use stores::error::chain;
use tracing::warn;
use uuid::Uuid;

use super::StoreError;
use super::cache::Versioned;
use super::stored::Stored;

/// How many events must have been folded since the last snapshot for a new one to be worth it.
const EVENTS_BETWEEN: i64 = 500;

/// The newest snapshot of that aggregate that can be used.
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

/// Takes a snapshot in the background, where enough has happened since the last.
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

/// Takes a snapshot, unless there is a newer one. The state must be an impersonal one.
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

/// What says in a row which version of the state it holds. The column is called `schema_hash`: earlier releases wrote a
/// hash of their sources, which no version equals.
fn schema(version: u32) -> String {
    format!("state version {version}")
}
