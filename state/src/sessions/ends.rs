//! The ends of sessions. Each is one statement, and effective with it. What it leaves (the row, the copy in Redis)
//! waits until the log has noted it, and is then removed; where Redis does not confirm, the row stays and is there to
//! be removed again.

use domain::ids::{SessionId, UserId};
use sqlx::PgPool;
use uuid::Uuid;

use super::{LIST_MAX, SessionStore};
use crate::StateError;
use crate::token::{Token, TokenHash};

/// A session that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    pub(super) token_hash: Vec<u8>,
    pub(super) session_id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) why: Why,
}

/// Why a session has ended, as its row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was signed out, by the person or with the account.
    SignedOut,
    /// The password was changed.
    PasswordChanged,
    /// It was not used for too long, is too old, or is one too many.
    Expired,
}

impl From<String> for Why {
    fn from(text: String) -> Self {
        match text.as_str() {
            "password_changed" => Self::PasswordChanged,
            "expired" => Self::Expired,
            _ => Self::SignedOut,
        }
    }
}

impl Ended {
    /// Whose it was.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        self.user_id.into()
    }

    /// Its name.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.session_id.into()
    }

    /// Why it has ended.
    #[must_use]
    pub fn why(&self) -> Why {
        self.why
    }
}

impl SessionStore {
    /// Marks the session of that token as ended, where there is one.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end(&self, token: &Token) -> Result<Vec<Ended>, StateError> {
        let ended = sqlx::query_as!(
            Ended,
            r#"UPDATE secret.sessions s SET ended_at = coalesce(ended_at, now())
               WHERE token_hash = $1 AND expires_at > now()
                 AND s.generation = coalesce((SELECT g.generation FROM secret.session_generations g WHERE g.user_id = s.user_id), 0)
               RETURNING token_hash, session_id, user_id, 'signed_out' AS "why!""#,
            &token.hash().0[..],
        );
        Ok(ended.fetch_all(&self.pool).await?)
    }

    /// Marks a session of a user as ended, where there is one of that name.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end_of_user(&self, user_id: UserId, session_id: SessionId) -> Result<Vec<Ended>, StateError> {
        let ended = sqlx::query_as!(
            Ended,
            r#"UPDATE secret.sessions s SET ended_at = coalesce(ended_at, now())
               WHERE session_id = $1 AND user_id = $2 AND expires_at > now()
                 AND s.generation = coalesce((SELECT g.generation FROM secret.session_generations g WHERE g.user_id = s.user_id), 0)
               RETURNING token_hash, session_id, user_id, 'signed_out' AS "why!""#,
            session_id.0,
            user_id.0,
        );
        Ok(ended.fetch_all(&self.pool).await?)
    }

    /// Ends all sessions of a user, however many they are.
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

    /// Sessions of a user that ended all together, and of which something is left: at most 1000.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn left_of(&self, user_id: UserId) -> Result<Vec<Ended>, StateError> {
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

    /// Sessions that have ended or expired, and of which something is left: at most 1000 of each kind.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn left(&self) -> Result<Vec<Ended>, StateError> {
        let mut left = ended_together(&self.pool).await?;
        left.extend(ended_alone(&self.pool).await?);
        left.extend(expired(&self.pool).await?);
        Ok(left)
    }

    /// Removes what is left of sessions that have ended: the copies, then, where Redis confirms, the rows. Returns
    /// whether it did.
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

    /// Notes for which people nothing is left of sessions that ended together.
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

/// What lives on meanwhile, such as a session that was used at the last moment, stays.
async fn delete(pool: &PgPool, hashes: &[Vec<u8>]) -> Result<(), StateError> {
    sqlx::query!(
        "DELETE FROM secret.sessions s
         WHERE token_hash = ANY($1)
           AND (ended_at IS NOT NULL OR expires_at < now()
                OR s.generation < (SELECT g.generation FROM secret.session_generations g WHERE g.user_id = s.user_id))",
        hashes
    )
    .execute(pool)
    .await?;
    Ok(())
}
