//! The ends of sessions. Each end is one statement, and takes effect with it. The remaining data (the row, and the copy
//! in Redis) stay until the log has the end, and are removed then. If Redis does not confirm the removal, the row
//! stays, so that the removal is tried again.

use domain::ids::{SessionId, UserId};
use sqlx::PgPool;
use uuid::Uuid;

use super::{LIST_MAX, SessionStore, lock_generation};
use crate::StateError;
use crate::token::{Token, TokenHash};

/// A session that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    pub(super) token_hash: Vec<u8>,
    pub(super) session_id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) why: EndedBy,
}

/// Why a session has ended, according to its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The user signed out, or the account was suspended or erased.
    SignedOut,
    /// The password was changed.
    PasswordChanged,
    /// It was unused for too long, reached its maximum age, or was the oldest of too many sessions.
    Expired,
}

impl From<String> for EndedBy {
    fn from(text: String) -> Self {
        match text.as_str() {
            "password_changed" => Self::PasswordChanged,
            "expired" => Self::Expired,
            _ => Self::SignedOut,
        }
    }
}

impl Ended {
    /// The user of the session.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        self.user_id.into()
    }

    /// The session's identifier.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.session_id.into()
    }

    /// Why it ended.
    #[must_use]
    pub fn why(&self) -> EndedBy {
        self.why
    }
}

impl SessionStore {
    /// Marks the session of the token as ended, if there is one.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end(&self, token: &Token) -> Result<Vec<Ended>, StateError> {
        let owner = sqlx::query_scalar!("SELECT user_id FROM secret.sessions WHERE token_hash = $1", &token.hash().0[..]);
        let Some(user_id) = owner.fetch_optional(&self.pool).await? else { return Ok(Vec::new()) };
        let mut tx = self.pool.begin().await?;
        lock_generation(&mut tx, user_id.into()).await?;
        let ended = sqlx::query_as!(
            Ended,
            r#"UPDATE secret.sessions s SET ended_at = coalesce(ended_at, now())
               WHERE token_hash = $1 AND expires_at > now()
                 AND s.generation = coalesce((SELECT g.generation FROM secret.session_generations g WHERE g.user_id = s.user_id), 0)
               RETURNING token_hash, session_id, user_id, 'signed_out' AS "why!""#,
            &token.hash().0[..],
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Marks a session of a user as ended, if there is one with this identifier.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end_of_user(&self, user_id: UserId, session_id: SessionId) -> Result<Vec<Ended>, StateError> {
        let mut tx = self.pool.begin().await?;
        lock_generation(&mut tx, user_id).await?;
        let ended = sqlx::query_as!(
            Ended,
            r#"UPDATE secret.sessions s SET ended_at = coalesce(ended_at, now())
               WHERE session_id = $1 AND user_id = $2 AND expires_at > now()
                 AND s.generation = coalesce((SELECT g.generation FROM secret.session_generations g WHERE g.user_id = s.user_id), 0)
               RETURNING token_hash, session_id, user_id, 'signed_out' AS "why!""#,
            session_id.0,
            user_id.0,
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Ends all sessions of a user in one statement.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end_all(&self, user_id: UserId) -> Result<(), StateError> {
        sqlx::query!(
            "INSERT INTO secret.session_generations AS g (user_id, generation, revision) VALUES ($1, 1, 1)
             ON CONFLICT (user_id) DO UPDATE SET generation = g.generation + 1, revision = g.revision + 1, reason = 'signed_out'",
            user_id.0
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Returns sessions of a user that ended together and whose data are not removed: at most 1000.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn unremoved_of(&self, user_id: UserId) -> Result<Vec<Ended>, StateError> {
        let left = sqlx::query_as!(
            Ended,
            r#"SELECT s.token_hash, s.session_id, s.user_id, g.reason AS "why!"
               FROM secret.session_generations g JOIN secret.sessions s ON s.user_id = g.user_id AND s.generation < g.generation
               WHERE g.user_id = $1 LIMIT $2"#,
            user_id.0,
            LIST_MAX,
        );
        Ok(left.fetch_all(&self.pool).await?)
    }

    /// Returns sessions that have ended or expired and whose data are not removed: at most 1000 of each kind.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn unremoved(&self) -> Result<Vec<Ended>, StateError> {
        let mut left = ended_together(&self.pool).await?;
        left.extend(ended_alone(&self.pool).await?);
        left.extend(expired(&self.pool).await?);
        Ok(left)
    }

    /// Removes the data of sessions that have ended: first the copies, and if Redis confirms, the rows. Returns whether
    /// they were removed.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn remove(&self, ended: &[Ended]) -> Result<bool, StateError> {
        let hashes = ended.iter().map(|session| session.token_hash.clone()).collect::<Vec<_>>();
        let ids = hashes.iter().filter_map(|hash| hash.as_slice().try_into().ok()).map(TokenHash).collect::<Vec<_>>();
        if self.copies.remove(&ids).await.is_err() {
            return Ok(false);
        }
        if !ended.is_empty() {
            delete(&self.pool, &hashes).await?;
        }
        Ok(true)
    }

    /// Whether the session of the token ended by itself within the last day, and its data are removed.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn has_ended(&self, token: &Token) -> Result<bool, StateError> {
        let found = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM secret.ended_tokens WHERE token_hash = $1) AS "has_ended!""#,
            &token.hash().0[..]
        );
        Ok(found.fetch_one(&self.pool).await?)
    }

    /// Forgets the tokens of sessions that ended more than a day ago.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn forget_ended(&self) -> Result<(), StateError> {
        sqlx::query!("DELETE FROM secret.ended_tokens WHERE ended_at < now() - INTERVAL '1 day'").execute(&self.pool).await?;
        Ok(())
    }

    /// Marks users whose sessions ended together, and whose session data are all removed now.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn close_generations(&self) -> Result<(), StateError> {
        sqlx::query!(
            "UPDATE secret.session_generations g SET noted = g.generation
             WHERE g.noted < g.generation
               AND NOT EXISTS (SELECT FROM secret.sessions s WHERE s.user_id = g.user_id AND s.generation < g.generation)"
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

async fn ended_together(pool: &PgPool) -> Result<Vec<Ended>, StateError> {
    let ended = sqlx::query_as!(
        Ended,
        r#"SELECT s.token_hash, s.session_id, s.user_id, g.reason AS "why!"
           FROM secret.session_generations g JOIN secret.sessions s ON s.user_id = g.user_id AND s.generation < g.generation
           WHERE g.noted < g.generation LIMIT $1"#,
        LIST_MAX
    );
    Ok(ended.fetch_all(pool).await?)
}

async fn ended_alone(pool: &PgPool) -> Result<Vec<Ended>, StateError> {
    let ended = sqlx::query_as!(
        Ended,
        r#"SELECT token_hash, session_id, user_id, 'signed_out' AS "why!" FROM secret.sessions WHERE ended_at IS NOT NULL LIMIT $1"#,
        LIST_MAX
    );
    Ok(ended.fetch_all(pool).await?)
}

async fn expired(pool: &PgPool) -> Result<Vec<Ended>, StateError> {
    let ended = sqlx::query_as!(
        Ended,
        r#"SELECT token_hash, session_id, user_id, 'expired' AS "why!" FROM secret.sessions
           WHERE expires_at < now() AND ended_at IS NULL LIMIT $1"#,
        LIST_MAX
    );
    Ok(ended.fetch_all(pool).await?)
}

/// A session that is still alive, such as one that was used at the last moment, is not deleted.
async fn delete(pool: &PgPool, hashes: &[Vec<u8>]) -> Result<(), StateError> {
    let mut tx = pool.begin().await?;
    // The same order as `lock_generation`: first the generations, then the sessions.
    sqlx::query!(
        "SELECT user_id FROM secret.session_generations
         WHERE user_id IN (SELECT s.user_id FROM secret.sessions s WHERE s.token_hash = ANY($1)) ORDER BY user_id FOR UPDATE",
        hashes
    )
    .fetch_all(&mut *tx)
    .await?;
    sqlx::query!(
        "WITH removed AS (
             DELETE FROM secret.sessions s
             WHERE token_hash = ANY($1)
               AND (ended_at IS NOT NULL OR expires_at < now()
                    OR s.generation < (SELECT g.generation FROM secret.session_generations g WHERE g.user_id = s.user_id))
             RETURNING token_hash, ended_at)
         INSERT INTO secret.ended_tokens (token_hash, ended_at)
         SELECT token_hash, ended_at FROM removed WHERE ended_at IS NOT NULL
         ON CONFLICT DO NOTHING",
        hashes
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}
