//! The table of the keys.

use std::sync::Arc;

use sqlx::{PgPool, query};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::KeyError;
use crate::key::Key;
use crate::master::MasterKeys;

/// How many keys are wrapped again in one transaction.
const ROTATED_AT_ONCE: i64 = 1_000;

/// How often making a key is tried: another process may have made it at the same moment.
const TRIES_MAX: u32 = 3;

struct Row {
    key_id: Uuid,
    owner_id: Uuid,
    wrapped: Option<Vec<u8>>,
    master_id: Vec<u8>,
}

impl Row {
    fn open(self, master: &MasterKeys) -> Result<Arc<Key>, KeyError> {
        let key = match self.wrapped {
            None => Key::destroyed(self.key_id, self.owner_id),
            Some(wrapped) => {
                let bytes = master.unwrap(self.key_id, self.owner_id, &self.master_id, &wrapped)?;
                Key::new(self.key_id, self.owner_id, &bytes)
            }
        };
        Ok(Arc::new(key))
    }
}

/// Returns the keys of these owners, and makes missing ones, in one round trip.
pub(crate) async fn make(pool: &PgPool, master: &MasterKeys, owners: &[Uuid]) -> Result<Vec<Arc<Key>>, KeyError> {
    let mut owners = owners.to_vec();
    // In order, so that two processes cannot deadlock.
    owners.sort_unstable();
    owners.dedup();
    for _ in 0..TRIES_MAX {
        let found = made_or_found(pool, master, &owners).await?;
        // A row that another process has just made is visible only to the next statement.
        if found.len() == owners.len() {
            return found.into_iter().map(|row| row.open(master)).collect();
        }
    }
    Err(KeyError::NotMade(owners.first().copied().unwrap_or_default()))
}

async fn made_or_found(pool: &PgPool, master: &MasterKeys, owners: &[Uuid]) -> Result<Vec<Row>, KeyError> {
    let key_ids = owners.iter().map(|_| Uuid::from_bytes(rand::random())).collect::<Vec<_>>();
    let wrapped = key_ids.iter().zip(owners).map(|(key_id, owner)| {
        let key = Zeroizing::new(rand::random::<[u8; 32]>());
        master.wrap(*key_id, *owner, &key)
    });
    let rows = sqlx::query_as!(
        Row,
        r#"WITH wanted AS (
               SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) AS wanted (key_id, owner_id, wrapped)
           ), made AS (
               INSERT INTO secret.person_keys (key_id, owner_id, wrapped, master_id)
               SELECT key_id, owner_id, wrapped, $4::bytea FROM wanted
               WHERE NOT EXISTS (SELECT FROM secret.person_keys AS held WHERE held.owner_id = wanted.owner_id)
               ON CONFLICT (owner_id) DO NOTHING
               RETURNING key_id, owner_id, wrapped, master_id
           )
           SELECT key_id AS "key_id!", owner_id AS "owner_id!", wrapped, master_id AS "master_id!" FROM made
           UNION ALL
           SELECT key_id, owner_id, wrapped, master_id FROM secret.person_keys WHERE owner_id = ANY ($2)"#,
        &key_ids,
        owners,
        &wrapped.collect::<Vec<_>>(),
        &master.current_id()[..],
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// Reads those of the keys that exist.
pub(crate) async fn read(pool: &PgPool, master: &MasterKeys, key_ids: &[Uuid]) -> Result<Vec<Arc<Key>>, KeyError> {
    let rows = sqlx::query_as!(Row, "SELECT key_id, owner_id, wrapped, master_id FROM secret.person_keys WHERE key_id = ANY ($1)", key_ids);
    rows.fetch_all(pool).await?.into_iter().map(|row| row.open(master)).collect()
}

/// Wraps some of the keys again that an older master key wrapped. Returns their number.
pub(crate) async fn rewrap(pool: &PgPool, master: &MasterKeys) -> Result<u64, KeyError> {
    let current = master.current_id();
    let mut tx = pool.begin().await?;
    let rows = sqlx::query_as!(
        Row,
        "SELECT key_id, owner_id, wrapped, master_id FROM secret.person_keys
         WHERE wrapped IS NOT NULL AND master_id <> $1 ORDER BY key_id LIMIT $2 FOR UPDATE",
        &current[..],
        ROTATED_AT_ONCE,
    );
    let rows = rows.fetch_all(&mut *tx).await?;
    let mut wrapped = Vec::with_capacity(rows.len());
    for row in &rows {
        let old = row.wrapped.as_deref().unwrap_or_default();
        let key = master.unwrap(row.key_id, row.owner_id, &row.master_id, old)?;
        wrapped.push(master.wrap(row.key_id, row.owner_id, &key));
    }
    let key_ids = rows.iter().map(|row| row.key_id).collect::<Vec<_>>();
    query!(
        "UPDATE secret.person_keys SET wrapped = anew.wrapped, master_id = $3
         FROM unnest($1::uuid[], $2::bytea[]) AS anew (key_id, wrapped) WHERE person_keys.key_id = anew.key_id",
        &key_ids,
        &wrapped,
        &current[..],
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(wrapped.len() as u64)
}
