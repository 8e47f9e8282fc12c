//! Hashes of passwords: `secret.credentials`. They are no events, and no read model has them.

use domain::ids::UserId;
use sqlx::PgPool;

use super::StateError;

/// The stored hashes.
#[derive(Clone)]
pub struct Credentials {
    pool: PgPool,
}

impl Credentials {
    /// Those in that database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The hash of a user's password, where they have one.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn hash_of(&self, user_id: UserId) -> Result<Option<String>, StateError> {
        let hash = sqlx::query_scalar!("SELECT password_hash FROM secret.credentials WHERE user_id = $1", user_id.0);
        Ok(hash.fetch_optional(&self.pool).await?)
    }

    /// Stores the first hash of a new user; says whether there was none yet.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn add(&self, user_id: UserId, hash: &str) -> Result<bool, StateError> {
        let added = sqlx::query!(
            "INSERT INTO secret.credentials (user_id, password_hash) VALUES ($1, $2) ON CONFLICT (user_id) DO NOTHING",
            user_id.0,
            hash,
        );
        Ok(added.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Replaces a user's hash.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn replace(&self, user_id: UserId, hash: &str) -> Result<(), StateError> {
        sqlx::query!(
            "INSERT INTO secret.credentials (user_id, password_hash) VALUES ($1, $2)
             ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash, updated_at = now()",
            user_id.0,
            hash,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Removes the hash of somebody who did not become a user.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn remove(&self, user_id: UserId) -> Result<(), StateError> {
        sqlx::query!("DELETE FROM secret.credentials WHERE user_id = $1", user_id.0).execute(&self.pool).await?;
        Ok(())
    }
}
