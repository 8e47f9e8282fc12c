//! Snapshots: an exact fold up to an exact event, so that a long stream is not read from its first. Anything wrong with one means that the
//! stream is read from its first event after all, never an error.
//!
//! They hold nothing that is personal (`Stored::impersonal`): a snapshot is sealed by nobody's key, and so nothing in it could be erased with
//! one. What is left out is read from the few events that say it.
//!
//! Not those of cqrs-es, which apply events twice (`docs/ARCHITECTURE.md`).

use std::sync::Arc;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use sqlx::{PgPool, query};
use tracing::warn;
use uuid::Uuid;

use super::StoreError;
use super::cache::Versioned;
use super::load::Stored;

/// How many events must have been folded since the last snapshot for a new one to be worth it.
const EVENTS_BETWEEN: i64 = 500;

/// The newest snapshot of that aggregate that can be used.
pub(super) async fn read<A: Stored>(pool: &PgPool, id: Uuid) -> Result<Option<Versioned<A>>, StoreError> {
    let row = query!(
        r#"SELECT sequence, schema_hash, state::text AS "state!" FROM snapshots WHERE aggregate_type = $1 AND aggregate_id = $2"#,
        A::TYPE,
        id.to_string(),
    )
    .fetch_optional(pool)
    .await?;
    let usable = row.filter(|row| row.schema_hash == schema_hash::<A>());
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
    let Some(state) = loaded.state.impersonal() else { return };
    let (pool, loaded) = (pool.clone(), Versioned { state: Arc::new(state), version: loaded.version });
    tokio::spawn(async move {
        if let Err(error) = write(&pool, id, &loaded).await {
            warn!(%error, aggregate.id = %id, "a snapshot was not taken; it will be tried again");
        }
    });
}

/// Takes a snapshot, unless there is a newer one. The state must be an impersonal one.
async fn write<A: Stored>(pool: &PgPool, id: Uuid, loaded: &Versioned<A>) -> Result<(), StoreError> {
    query!(
        "INSERT INTO snapshots (aggregate_type, aggregate_id, sequence, schema_hash, state) VALUES ($1, $2, $3, $4, $5::text::json)
         ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE
         SET sequence = excluded.sequence, schema_hash = excluded.schema_hash, state = excluded.state
         WHERE snapshots.sequence < excluded.sequence OR snapshots.schema_hash <> excluded.schema_hash",
        A::TYPE,
        id.to_string(),
        loaded.version,
        schema_hash::<A>(),
        serde_json::to_string(loaded.state.as_ref())?,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The hash of the source that the state's shape is written in: any change of it makes old snapshots unread.
fn schema_hash<A: Stored>() -> &'static str {
    static HASHES: LazyLock<[String; 8]> = LazyLock::new(|| {
        let sources = [
            domain::User::SOURCE,
            domain::Workspace::SOURCE,
            domain::Channel::SOURCE,
            domain::Message::SOURCE,
            domain::Session::SOURCE,
            domain::Audit::SOURCE,
            domain::Installation::SOURCE,
            domain::Retention::SOURCE,
        ];
        sources.map(|source| hex::encode(Sha256::digest(source)))
    });
    let place = match A::AGGREGATE {
        domain::AggregateType::User => 0,
        domain::AggregateType::Workspace => 1,
        domain::AggregateType::Channel => 2,
        domain::AggregateType::Message => 3,
        domain::AggregateType::Session => 4,
        domain::AggregateType::Audit => 5,
        domain::AggregateType::Installation => 6,
        domain::AggregateType::Retention => 7,
    };
    &HASHES[place]
}
