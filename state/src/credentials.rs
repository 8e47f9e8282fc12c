//! Hashes of passwords, in `secret.credentials`. They are not in events, and no read model has them.

use domain::ids::{SessionId, UserId};
use sqlx::PgPool;

use super::StateError;

/// A password's hash, and the generation of the user's sessions when it was read. A session that starts with this
/// password gets this generation. So it becomes invalid if the password is changed in between.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The hash.
    pub password_hash: String,
    /// The generation of the user's sessions.
    pub generation: i64,
}

/// The stored hashes.
#[derive(Clone)]
pub struct Credentials {
    pool: PgPool,
}

impl Credentials {
    /// The credentials in this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Returns the hash of a user's password, if there is one.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn hash_of(&self, user_id: UserId) -> Result<Option<String>, StateError> {
        let hash = sqlx::query_scalar!("SELECT password_hash FROM secret.credentials WHERE user_id = $1", user_id.0);
        Ok(hash.fetch_optional(&self.pool).await?)
    }

    /// Returns the hash of a user's password, if there is one, and the generation of the user's sessions. Both are read
    /// at the same moment.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn of(&self, user_id: UserId) -> Result<Option<Credential>, StateError> {
        let credential = sqlx::query_as!(
            Credential,
            r#"SELECT c.password_hash, coalesce(g.generation, 0) AS "generation!"
               FROM secret.credentials c LEFT JOIN secret.session_generations g ON g.user_id = c.user_id WHERE c.user_id = $1"#,
            user_id.0
        );
        Ok(credential.fetch_optional(&self.pool).await?)
    }

    /// Changes a user's hash, and ends all the user's sessions except `session_id`, in one statement. Returns `false`
    /// and changes nothing if the hash is no longer `from`, or if that session has ended.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn change(&self, user_id: UserId, session_id: SessionId, from: &str, to: &str) -> Result<bool, StateError> {
        let changed = sqlx::query_file_scalar!("src/sql/change_password.sql", user_id.0, session_id.0, from, to);
        Ok(changed.fetch_optional(&self.pool).await?.is_some())
    }

    /// Stores the first hash of a new user. Returns whether there was none before.
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

    /// Replaces a user's hash, and ends all the user's sessions.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn replace(&self, user_id: UserId, hash: &str) -> Result<(), StateError> {
        sqlx::query!(
            "WITH replaced AS (
                 INSERT INTO secret.credentials (user_id, password_hash) VALUES ($1, $2)
                 ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash, updated_at = now()
             )
             INSERT INTO secret.session_generations AS g (user_id, generation, revision, reason) VALUES ($1, 1, 1, 'password_changed')
             ON CONFLICT (user_id) DO UPDATE SET generation = g.generation + 1, revision = g.revision + 1, reason = 'password_changed'",
            user_id.0,
            hash,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Removes the hash of a user whose registration failed.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn remove(&self, user_id: UserId) -> Result<(), StateError> {
        sqlx::query!("DELETE FROM secret.credentials WHERE user_id = $1", user_id.0).execute(&self.pool).await?;
        Ok(())
    }
}
