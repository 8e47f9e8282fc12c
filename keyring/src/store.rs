//! The table of the keys.

use std::sync::Arc;

use sqlx::{PgConnection, PgExecutor, PgPool, query, query_scalar};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::key::Key;
use crate::master::MasterKeys;
use crate::{INSTALLATION, KeyError};

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
    let wraps = wrapping_master(pool).await?;
    match wraps {
        Some(wraps) if wraps != master.current_id() && master.previous_id().is_none_or(|previous| wraps != previous) => {
            Err(KeyError::WrongMasterKey)
        }
        _ => Err(KeyError::NotMade(owners.first().copied().unwrap_or_default())),
    }
}

/// The identifier of the master key that wraps new keys in this database: the one that wraps the installation's key.
/// `None` if there is no key yet.
///
/// So all processes wrap with the same master key, whichever they have as their current one. While the master key is
/// changed, processes that have only the old one open what the others make. [`crate::Keyring::rotate`] changes it.
///
/// # Errors
/// Postgres does not answer.
pub async fn wrapping_master(executor: impl PgExecutor<'_>) -> sqlx::Result<Option<Vec<u8>>> {
    query_scalar!("SELECT master_id FROM secret.person_keys WHERE owner_id = $1", INSTALLATION).fetch_optional(executor).await
}

/// Makes the missing keys, and returns all. No key is made if the database's wrapping master key is neither the current
/// nor the previous one of this process.
async fn made_or_found(pool: &PgPool, master: &MasterKeys, owners: &[Uuid]) -> Result<Vec<Row>, KeyError> {
    let key_ids = owners.iter().map(|_| Uuid::from_bytes(rand::random())).collect::<Vec<_>>();
    let (mut by_current, mut by_previous) = (Vec::with_capacity(owners.len()), Vec::new());
    for (key_id, owner) in key_ids.iter().zip(owners) {
        let key = Zeroizing::new(rand::random::<[u8; 32]>());
        by_current.push(master.wrap(*key_id, *owner, &key));
        by_previous.extend(master.wrap_with_previous(*key_id, *owner, &key));
    }
    let (current, previous) = (master.current_id(), master.previous_id());
    let rows = sqlx::query_as!(
        Row,
        r#"WITH wraps AS (
               SELECT coalesce((SELECT master_id FROM secret.person_keys WHERE owner_id = $5), $4::bytea) AS master_id
           ), wanted AS (
               SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $6::bytea[]) AS wanted (key_id, owner_id, by_current, by_previous)
           ), made AS (
               INSERT INTO secret.person_keys (key_id, owner_id, wrapped, master_id)
               SELECT key_id, owner_id, CASE wraps.master_id WHEN $4 THEN by_current ELSE by_previous END, wraps.master_id FROM wanted, wraps
               WHERE wraps.master_id IN ($4, $7::bytea)
                 AND NOT EXISTS (SELECT FROM secret.person_keys AS held WHERE held.owner_id = wanted.owner_id)
               ON CONFLICT (owner_id) DO NOTHING
               RETURNING key_id, owner_id, wrapped, master_id
           )
           SELECT key_id AS "key_id!", owner_id AS "owner_id!", wrapped, master_id AS "master_id!" FROM made
           UNION ALL
           SELECT key_id, owner_id, wrapped, master_id FROM secret.person_keys WHERE owner_id = ANY ($2)"#,
        &key_ids,
        owners,
        &by_current,
        &current[..],
        INSTALLATION,
        &by_previous,
        previous.as_ref().map(|id| &id[..]) as _,
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

/// Makes the current master key the one that wraps new keys in this database: wraps the installation's key with it.
pub(crate) async fn switch(pool: &PgPool, master: &MasterKeys) -> Result<u64, KeyError> {
    let mut tx = pool.begin().await?;
    // It waits for processes that are just making a key, and later ones see the change.
    query!("LOCK TABLE secret.person_keys IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
    let row = sqlx::query_as!(
        Row,
        "SELECT key_id, owner_id, wrapped, master_id FROM secret.person_keys WHERE owner_id = $1 AND master_id <> $2",
        INSTALLATION,
        &master.current_id()[..]
    );
    let rows = row.fetch_optional(&mut *tx).await?.into_iter().collect::<Vec<_>>();
    wrap_again(&mut tx, master, &rows).await?;
    tx.commit().await?;
    Ok(rows.len() as u64)
}

/// Wraps some of the keys again that an older master key wrapped. Returns their number.
pub(crate) async fn rewrap(pool: &PgPool, master: &MasterKeys) -> Result<u64, KeyError> {
    let mut tx = pool.begin().await?;
    let rows = sqlx::query_as!(
        Row,
        "SELECT key_id, owner_id, wrapped, master_id FROM secret.person_keys
         WHERE wrapped IS NOT NULL AND master_id <> $1 ORDER BY key_id LIMIT $2 FOR UPDATE",
        &master.current_id()[..],
        ROTATED_AT_ONCE,
    );
    let rows = rows.fetch_all(&mut *tx).await?;
    wrap_again(&mut tx, master, &rows).await?;
    tx.commit().await?;
    Ok(rows.len() as u64)
}

async fn wrap_again(connection: &mut PgConnection, master: &MasterKeys, rows: &[Row]) -> Result<(), KeyError> {
    let mut wrapped = Vec::with_capacity(rows.len());
    for row in rows {
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
        &master.current_id()[..],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The number of keys that the current master key does not wrap. Destroyed keys are wrapped by none.
pub(crate) async fn count_others(pool: &PgPool, master: &MasterKeys) -> Result<u64, KeyError> {
    let others = query_scalar!(
        r#"SELECT count(*) AS "others!" FROM secret.person_keys WHERE wrapped IS NOT NULL AND master_id <> $1"#,
        &master.current_id()[..]
    );
    Ok(others.fetch_one(pool).await?.unsigned_abs())
}

/// Opens at most `limit` keys. Returns how many were opened, and how many keys neither master key has wrapped.
pub(crate) async fn check(pool: &PgPool, master: &MasterKeys, limit: i64) -> Result<(u64, i64), KeyError> {
    let ids = master.ids().into_iter().map(|id| id.to_vec()).collect::<Vec<_>>();
    let foreign = sqlx::query_scalar!(
        r#"SELECT count(*) AS "foreign!" FROM secret.person_keys WHERE wrapped IS NOT NULL AND master_id <> ALL ($1)"#,
        &ids
    );
    let foreign = foreign.fetch_one(pool).await?;
    let rows = sqlx::query_as!(
        Row,
        "SELECT key_id, owner_id, wrapped, master_id FROM secret.person_keys WHERE wrapped IS NOT NULL AND master_id = ANY ($1)
         ORDER BY key_id LIMIT $2",
        &ids,
        limit
    );
    let rows = rows.fetch_all(pool).await?;
    let opened = rows.len() as u64;
    rows.into_iter().try_for_each(|row| row.open(master).map(drop))?;
    Ok((opened, foreign))
}
