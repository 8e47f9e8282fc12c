//! Who is signed in. Redis is asked first; Postgres is what holds, so that losing Redis signs nobody out.
//!
//! The end of a session is written to Postgres first, and is complete when Redis confirms that it forgot; until then the row stays, marked as
//! ended, and is there to be ended again. Telling the log of it is not done here (`identity`).

mod cache;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{SessionId, UserId};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use stores::redis::{Redis, RedisDown};
use uuid::Uuid;

use crate::StateError;
use crate::token::{Token, TokenHash};

use cache::SessionCache;

/// How old `last_activity` may become before a request renews it: one write a minute, and not one a request.
const RENEW_AFTER: TimeDelta = TimeDelta::seconds(60);
/// The most sessions that a list shows, or that are swept at once.
const LIST_MAX: i64 = 1000;

/// Somebody who is signed in: the seed's `session:{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The session's name that may be shown; the key is the hash of its token.
    pub session_id: SessionId,
    /// Who.
    pub user_id: UserId,
    /// The workspace that it is limited to; none for now.
    pub workspace_id: Option<Uuid>,
    /// What kind of device, in the client's words.
    pub device_type: String,
    /// Where it was started from.
    pub ip_address: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// When it was started.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_activity: DateTime<Utc>,
    /// What it may be used for.
    pub permissions: Vec<String>,
}

/// A session that has ended.
#[derive(Debug)]
pub struct Ended {
    token_hash: Vec<u8>,
    session_id: Uuid,
    user_id: Uuid,
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
}

/// The sessions of this server.
#[derive(Clone)]
pub struct SessionStore {
    pool: PgPool,
    cache: SessionCache,
    lifetime: TimeDelta,
}

impl SessionStore {
    /// Those in that database, with that Redis before it.
    #[must_use]
    pub fn new(pool: PgPool, redis: Redis, lifetime: Duration) -> Self {
        let cache = SessionCache::new(redis, lifetime);
        Self { pool, cache, lifetime: TimeDelta::from_std(lifetime).unwrap_or(TimeDelta::days(1)) }
    }

    /// Keeps a new session.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn add(&self, token: &Token, session: &Session) -> Result<(), StateError> {
        self.insert(&token.hash(), session).await?;
        // Without Redis the session is read from Postgres, and put into Redis when that is back.
        let _ = self.cache.put(&token.hash(), session).await;
        Ok(())
    }

    /// When a session ends that is not used any more.
    #[must_use]
    pub fn expiry(&self, session: &Session) -> DateTime<Utc> {
        session.last_activity + self.lifetime
    }

    /// The session of that token, which lives on from now; `None` where there is none (any more).
    ///
    /// # Errors
    /// Neither Redis nor Postgres answers.
    pub async fn take_up(&self, token: &Token) -> Result<Option<Session>, StateError> {
        let id = token.hash();
        let session = match self.cache.take_up(&id).await {
            Ok(Some(session)) => Some(session),
            Ok(None) => self.put_back(&id).await?,
            Err(RedisDown) => self.find(&id).await?,
        };
        if let Some(session) = &session {
            self.renew_if_old(id, session);
        }
        Ok(session)
    }

    /// A user's sessions, the latest first.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn of_user(&self, user_id: UserId) -> Result<Vec<Session>, StateError> {
        let rows = sqlx::query_as!(
            Row,
            "SELECT session_id, user_id, device_type, ip_address, user_agent, created_at, last_activity FROM secret.sessions
             WHERE user_id = $1 AND ended_at IS NULL AND expires_at > now() ORDER BY created_at DESC, session_id DESC LIMIT $2",
            user_id.0,
            LIST_MAX,
        );
        Ok(rows.fetch_all(&self.pool).await?.into_iter().map(Session::from).collect())
    }

    /// Marks the session of that token as ended, where there is one.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end(&self, token: &Token) -> Result<Vec<Ended>, StateError> {
        let ended = sqlx::query_as!(
            Ended,
            "UPDATE secret.sessions SET ended_at = coalesce(ended_at, now()) WHERE token_hash = $1 AND expires_at > now()
             RETURNING token_hash, session_id, user_id",
            &token.hash().0[..],
        );
        let ended = ended.fetch_all(&self.pool).await?;
        if ended.is_empty() {
            // A restored Redis may know a session that Postgres does not.
            let _ = self.cache.remove(&[token.hash()]).await;
        }
        Ok(ended)
    }

    /// Marks a session of a user as ended, where there is one of that name.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end_of_user(&self, user_id: UserId, session_id: SessionId) -> Result<Vec<Ended>, StateError> {
        let ended = sqlx::query_as!(
            Ended,
            "UPDATE secret.sessions SET ended_at = coalesce(ended_at, now())
             WHERE session_id = $1 AND user_id = $2 AND expires_at > now() RETURNING token_hash, session_id, user_id",
            session_id.0,
            user_id.0,
        );
        Ok(ended.fetch_all(&self.pool).await?)
    }

    /// Marks all sessions of a user but one as ended.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end_others(&self, user_id: UserId, but: SessionId) -> Result<Vec<Ended>, StateError> {
        let ended = sqlx::query_as!(
            Ended,
            "UPDATE secret.sessions SET ended_at = coalesce(ended_at, now()) WHERE user_id = $1 AND session_id <> $2
             RETURNING token_hash, session_id, user_id",
            user_id.0,
            but.0,
        );
        Ok(ended.fetch_all(&self.pool).await?)
    }

    /// Marks all sessions of a user as ended.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end_all(&self, user_id: UserId) -> Result<Vec<Ended>, StateError> {
        let ended = sqlx::query_as!(
            Ended,
            "UPDATE secret.sessions SET ended_at = coalesce(ended_at, now()) WHERE user_id = $1 RETURNING token_hash, session_id, user_id",
            user_id.0,
        );
        Ok(ended.fetch_all(&self.pool).await?)
    }

    /// Completes the end of sessions: Redis forgets them, then their rows go.
    ///
    /// # Errors
    /// Postgres does not answer, or Redis does not confirm.
    pub async fn confirm(&self, ended: &[Ended]) -> Result<(), StateError> {
        let hashes = hashes(ended);
        let ids = hashes.iter().filter_map(|hash| hash.as_slice().try_into().ok()).map(TokenHash).collect::<Vec<_>>();
        self.cache.remove(&ids).await.map_err(|RedisDown| StateError::NotConfirmed)?;
        if ended.is_empty() {
            return Ok(());
        }
        sqlx::query!("DELETE FROM secret.sessions WHERE token_hash = ANY($1) AND ended_at IS NOT NULL", &hashes)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Sessions that have ended, and that Redis had not confirmed.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn unconfirmed(&self) -> Result<Vec<Ended>, StateError> {
        let ended = sqlx::query_as!(
            Ended,
            "SELECT token_hash, session_id, user_id FROM secret.sessions WHERE ended_at IS NOT NULL LIMIT $1",
            LIST_MAX
        );
        Ok(ended.fetch_all(&self.pool).await?)
    }

    /// Sessions that have expired.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn expired(&self) -> Result<Vec<Ended>, StateError> {
        let expired = sqlx::query_as!(
            Ended,
            "SELECT token_hash, session_id, user_id FROM secret.sessions WHERE expires_at < now() LIMIT $1",
            LIST_MAX
        );
        Ok(expired.fetch_all(&self.pool).await?)
    }

    /// Removes sessions that have expired.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn remove_expired(&self, expired: &[Ended]) -> Result<(), StateError> {
        sqlx::query!("DELETE FROM secret.sessions WHERE token_hash = ANY($1) AND expires_at < now()", &hashes(expired))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn insert(&self, id: &TokenHash, session: &Session) -> Result<(), StateError> {
        sqlx::query!(
            "INSERT INTO secret.sessions (token_hash, session_id, user_id, device_type, ip_address, user_agent, created_at, last_activity, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            &id.0[..],
            session.session_id.0,
            session.user_id.0,
            session.device_type,
            session.ip_address,
            session.user_agent,
            session.created_at,
            session.last_activity,
            self.expiry(session),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn find(&self, id: &TokenHash) -> Result<Option<Session>, StateError> {
        let row = sqlx::query_as!(
            Row,
            "SELECT session_id, user_id, device_type, ip_address, user_agent, created_at, last_activity FROM secret.sessions
             WHERE token_hash = $1 AND ended_at IS NULL AND expires_at > now()",
            &id.0[..],
        );
        Ok(row.fetch_optional(&self.pool).await?.map(Session::from))
    }

    /// Redis does not know the session: Postgres may.
    async fn put_back(&self, id: &TokenHash) -> Result<Option<Session>, StateError> {
        let Some(session) = self.find(id).await? else {
            return Ok(None);
        };
        if self.cache.put(id, &session).await.is_ok() && self.find(id).await?.is_none() {
            // It was ended between our reading and our writing: its end has removed nothing from Redis yet, or before we wrote.
            let _ = self.cache.remove(&[*id]).await;
            return Ok(None);
        }
        Ok(Some(session))
    }

    /// Says in Redis and Postgres that the session is being used. Nobody waits for it.
    fn renew_if_old(&self, id: TokenHash, session: &Session) {
        let now = Utc::now();
        if now - session.last_activity < RENEW_AFTER {
            return;
        }
        let (sessions, session) = (self.clone(), Session { last_activity: now, ..session.clone() });
        tokio::spawn(async move {
            let _ = sessions.cache.put_if_there(&id, &session).await;
            if let Err(error) = sessions.renew(&id, &session).await {
                tracing::warn!(%error, "a session's last activity could not be stored");
            }
        });
    }

    async fn renew(&self, id: &TokenHash, session: &Session) -> Result<(), StateError> {
        sqlx::query!(
            "UPDATE secret.sessions SET last_activity = $2, expires_at = $3 WHERE token_hash = $1 AND ended_at IS NULL AND last_activity < $2",
            &id.0[..],
            session.last_activity,
            self.expiry(session),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

fn hashes(sessions: &[Ended]) -> Vec<Vec<u8>> {
    sessions.iter().map(|session| session.token_hash.clone()).collect()
}

/// What every session may be used for: limited ones come with integrations.
#[must_use]
pub fn permissions() -> Vec<String> {
    ["read", "write"].map(str::to_owned).to_vec()
}

struct Row {
    session_id: Uuid,
    user_id: Uuid,
    device_type: String,
    ip_address: Option<String>,
    user_agent: Option<String>,
    created_at: DateTime<Utc>,
    last_activity: DateTime<Utc>,
}

impl From<Row> for Session {
    fn from(row: Row) -> Self {
        Self {
            session_id: row.session_id.into(),
            user_id: row.user_id.into(),
            workspace_id: None,
            device_type: row.device_type,
            ip_address: row.ip_address,
            user_agent: row.user_agent,
            created_at: row.created_at,
            last_activity: row.last_activity,
            permissions: permissions(),
        }
    }
}
