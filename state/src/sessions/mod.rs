//! Sessions: which users are signed in. Postgres is the authority. It has a row for each session, and the generation of
//! each user's sessions. Redis has copies of the rows, so that a use of a session reads no row.
//!
//! Invariants:
//! - An end is written to Postgres. With that, it takes effect for each request that arrives afterwards, on every node.
//!   Whatever Redis returns, loses or restores, a copy is valid only at the generation and revision that Postgres has
//!   ([`generations`]).
//! - All sessions of a user end by one statement, whatever their number is. Their rows and copies are removed later,
//!   and their ends are recorded in the log later (`identity`).
//! - A copy expires when its row does. A renewal writes the row first. Without a row there is no renewal.

mod copies;
mod ends;
pub mod generations;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{SessionId, UserId};
use keyring::MasterKey;
use lru::LruCache;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use stores::redis::{Redis, RedisDown};
use uuid::Uuid;

use crate::StateError;
use crate::token::{Token, TokenHash};

use copies::{Copies, Copy};
pub use ends::{Ended, EndedBy};
use generations::{Generation, Generations};

/// The age of `last_activity` from which a request renews it. So there is one write a minute, and not one for each
/// request.
const RENEW_AFTER: TimeDelta = TimeDelta::seconds(60);
/// The most sessions that a list returns, or that one sweep handles.
pub(crate) const LIST_MAX: i64 = 1000;
/// The most tokens whose users are remembered, about 100 bytes each. Further tokens cost one more wait.
const OWNERS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");
/// The name of the key that authenticates copies in Redis.
const COPIES_KEY: &str = "backscroll sessions in redis v1";

/// A session of a user: the seed's `session:{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The session's identifier, which may be shown. The key in the stores is the hash of its token.
    pub session_id: SessionId,
    /// The user.
    pub user_id: UserId,
    /// The workspace that it is limited to. It is always `None` at present.
    pub workspace_id: Option<Uuid>,
    /// The kind of device, as the client names it.
    pub device_type: String,
    /// The network address that it was started from.
    pub ip_address: Option<String>,
    /// The name and version that the client gives itself.
    pub user_agent: Option<String>,
    /// When it was started.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_activity: DateTime<Utc>,
    /// The operations that the session may be used for.
    pub permissions: Vec<String>,
}

/// The limits of sessions.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long a session lasts after its last use.
    pub unused_max: Duration,
    /// How long a session lasts at most.
    pub age_max: Duration,
    /// How many sessions a user may have. One more ends the session that started first.
    pub per_person: u32,
}

/// The result of adding a session.
#[derive(Debug)]
pub enum Added {
    /// The session was added. These sessions ended because of it.
    Yes(Vec<Ended>),
    /// The session was not added: since the user was authenticated, all sessions of the user ended, for example because
    /// the password was changed.
    Outdated,
}

/// The sessions of this server. Clones share everything.
#[derive(Clone)]
pub struct SessionStore {
    pool: PgPool,
    copies: Copies,
    generations: Generations,
    /// The users of tokens, as far as this process remembers. They are used only to send two queries at the same time.
    owners: Arc<Mutex<LruCache<TokenHash, UserId>>>,
    unused_max: TimeDelta,
    age_max: TimeDelta,
    per_person: i64,
}

impl SessionStore {
    /// The sessions in this database, with copies in this Redis, which the master key authenticates.
    #[must_use]
    pub fn new(pool: PgPool, redis: Redis, key: &MasterKey, bounds: Bounds) -> Self {
        let delta = |duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::days(1));
        Self {
            copies: Copies::new(redis, key.derive_mac_key(COPIES_KEY)),
            generations: Generations::start(pool.clone()),
            owners: Arc::new(Mutex::new(LruCache::new(OWNERS_MAX))),
            unused_max: delta(bounds.unused_max),
            age_max: delta(bounds.age_max),
            per_person: i64::from(bounds.per_person.max(1)),
            pool,
        }
    }

    /// Returns the generation of the user's sessions.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn generation(&self, user_id: UserId) -> Result<i64, StateError> {
        Ok(self.generations.of(user_id).await?.generation)
    }

    /// Stores a new session of a user who was authenticated while the user's sessions had this generation.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn add(&self, token: &Token, session: &Session, generation: i64) -> Result<Added, StateError> {
        let mut tx = self.pool.begin().await?;
        // From here on, no other transaction can add a session of the user, or end all of them.
        let at = lock_generation(&mut tx, session.user_id).await?;
        if at.generation != generation {
            return Ok(Added::Outdated);
        }
        let ended = self.insert(&mut tx, &token.hash(), session, generation).await?;
        tx.commit().await?;
        if ended.is_empty() {
            // Without Redis the session is read from Postgres. It is copied to Redis when Redis is back.
            let _ = self.copies.put(&token.hash(), &self.copy(session, at)).await;
        }
        Ok(Added::Yes(ended))
    }

    /// When a session expires if it is not used any more.
    #[must_use]
    pub fn expiry(&self, session: &Session) -> DateTime<Utc> {
        (session.last_activity + self.unused_max).min(session.created_at + self.age_max)
    }

    /// Returns the session of the token, and extends it. `None` if there is no such session (any more).
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn take_up(&self, token: &Token) -> Result<Option<Session>, StateError> {
        self.take_up_by(token.hash()).await
    }

    /// The same by the hash of the token, which a ticket has.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn take_up_by(&self, id: TokenHash) -> Result<Option<Session>, StateError> {
        let found = match self.valid_copy(&id).await? {
            Some(copy) => Some(copy),
            None => self.restore_copy(&id).await?,
        };
        let Some(copy) = found else { return Ok(None) };
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).put(id, copy.session.user_id);
        self.renew_if_old(id, &copy);
        Ok(Some(copy.session))
    }

    /// A user's sessions, the latest first.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn of_user(&self, user_id: UserId) -> Result<Vec<Session>, StateError> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT s.session_id, s.user_id, device_type, ip_address, user_agent, created_at, last_activity, s.generation,
                      coalesce(g.revision, 0) AS "revision!"
               FROM secret.sessions s LEFT JOIN secret.session_generations g ON g.user_id = s.user_id
               WHERE s.user_id = $1 AND ended_at IS NULL AND expires_at > now() AND s.generation = coalesce(g.generation, 0)
               ORDER BY created_at DESC, session_id DESC LIMIT $2"#,
            user_id.0,
            LIST_MAX,
        );
        let sessions = rows.fetch_all(&self.pool).await?.into_iter().map(|row| Session::from(&row));
        Ok(sessions.filter(|session| self.is_alive(session)).collect())
    }

    /// Returns the copy in Redis, if Postgres confirms that no session of the user has ended since it was made. If the
    /// user is known, both are asked at the same time.
    async fn valid_copy(&self, id: &TokenHash) -> Result<Option<Copy>, StateError> {
        let owner = self.owners.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied();
        let generation = async {
            match owner {
                Some(owner) => Some(self.generations.of(owner).await),
                None => None,
            }
        };
        let (copy, generation) = tokio::join!(self.copies.get(id), generation);
        let Some(copy) = copy.ok().flatten() else { return Ok(None) };
        let at = match generation {
            Some(answer) if owner == Some(copy.session.user_id) => answer?,
            _ => self.generations.of(copy.session.user_id).await?,
        };
        let is_fresh = copy.at == at && copy.expires_at > Utc::now() && self.is_alive(&copy.session);
        Ok(is_fresh.then_some(copy))
    }

    fn is_alive(&self, session: &Session) -> bool {
        self.expiry(session) > Utc::now()
    }

    fn copy(&self, session: &Session, at: Generation) -> Copy {
        Copy { session: session.clone(), at, expires_at: self.expiry(session) }
    }

    async fn insert(
        &self,
        tx: &mut sqlx::PgConnection,
        id: &TokenHash,
        session: &Session,
        generation: i64,
    ) -> Result<Vec<Ended>, StateError> {
        let ended = sqlx::query_as!(
            Ended,
            r#"WITH added AS (
                   INSERT INTO secret.sessions (token_hash, session_id, user_id, device_type, ip_address, user_agent, created_at,
                                                last_activity, expires_at, generation)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
               ), surplus AS (
                   SELECT token_hash FROM secret.sessions
                   WHERE user_id = $3 AND ended_at IS NULL AND expires_at > now() AND generation = $10
                   ORDER BY created_at DESC, session_id DESC OFFSET $11 FOR UPDATE SKIP LOCKED
               )
               UPDATE secret.sessions s SET ended_at = now() FROM surplus WHERE s.token_hash = surplus.token_hash
               RETURNING s.token_hash, s.session_id, s.user_id, 'expired' AS "why!""#,
            &id.0[..],
            session.session_id.0,
            session.user_id.0,
            session.device_type,
            session.ip_address,
            session.user_agent,
            session.created_at,
            session.last_activity,
            self.expiry(session),
            generation,
            // The statement does not see the new session.
            self.per_person - 1,
        );
        Ok(ended.fetch_all(tx).await?)
    }

    async fn find(&self, id: &TokenHash) -> Result<Option<Copy>, StateError> {
        let row = sqlx::query_as!(
            Row,
            r#"SELECT s.session_id, s.user_id, device_type, ip_address, user_agent, created_at, last_activity, s.generation,
                      coalesce(g.revision, 0) AS "revision!"
               FROM secret.sessions s LEFT JOIN secret.session_generations g ON g.user_id = s.user_id
               WHERE token_hash = $1 AND ended_at IS NULL AND expires_at > now() AND s.generation = coalesce(g.generation, 0)"#,
            &id.0[..],
        );
        let row = row.fetch_optional(&self.pool).await?;
        let copy = row.map(|row| self.copy(&Session::from(&row), Generation { generation: row.generation, revision: row.revision }));
        Ok(copy.filter(|copy| self.is_alive(&copy.session)))
    }

    /// Reads the session from Postgres, because Redis has no valid copy. The new copy has the generation and revision
    /// from the same statement, so it is invalid if a session has ended in the meantime.
    async fn restore_copy(&self, id: &TokenHash) -> Result<Option<Copy>, StateError> {
        let Some(copy) = self.find(id).await? else {
            return Ok(None);
        };
        if self.copies.put(id, &copy).await.is_ok() && self.find(id).await?.is_none() {
            // The session ended between the read and the write. Its address must not stay in Redis.
            let _ = self.copies.remove(&[*id]).await;
            return Ok(None);
        }
        Ok(Some(copy))
    }

    /// Records that the session is being used. The request does not wait for it.
    fn renew_if_old(&self, id: TokenHash, copy: &Copy) {
        let now = Utc::now();
        if now - copy.session.last_activity < RENEW_AFTER {
            return;
        }
        let (sessions, at) = (self.clone(), copy.at);
        let session = Session { last_activity: now, ..copy.session.clone() };
        tokio::spawn(async move {
            let _ = match sessions.renew(&id, &session).await {
                Ok(true) => sessions.copies.replace(&id, &sessions.copy(&session, at)).await,
                // Without a row there is no copy, because the session has ended.
                Ok(false) => sessions.copies.remove(&[id]).await,
                Err(error) => {
                    tracing::warn!(%error, "a session's last activity could not be stored");
                    Err(RedisDown)
                }
            };
        });
    }

    /// Renews the session's row. Returns whether the session still exists.
    async fn renew(&self, id: &TokenHash, session: &Session) -> Result<bool, StateError> {
        let renewed = sqlx::query!(
            "UPDATE secret.sessions s SET last_activity = greatest(last_activity, $2), expires_at = greatest(expires_at, $3)
             WHERE token_hash = $1 AND ended_at IS NULL
               AND s.generation = coalesce((SELECT g.generation FROM secret.session_generations g WHERE g.user_id = s.user_id), 0)",
            &id.0[..],
            session.last_activity,
            self.expiry(session),
        );
        Ok(renewed.execute(&self.pool).await?.rows_affected() > 0)
    }
}

/// Creates the row of the user's generation if there is none, and locks it until the transaction ends. Each transaction
/// that ends sessions takes this lock before it locks rows of sessions. So two of them do not wait for each other.
async fn lock_generation(tx: &mut sqlx::PgConnection, user_id: UserId) -> Result<Generation, StateError> {
    let held = sqlx::query_as!(
        Generation,
        "INSERT INTO secret.session_generations AS g (user_id) VALUES ($1)
         ON CONFLICT (user_id) DO UPDATE SET revision = g.revision RETURNING generation, revision",
        user_id.0
    );
    Ok(held.fetch_one(tx).await?)
}

/// The operations that every session may be used for. Limited sessions are for integrations.
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
    generation: i64,
    revision: i64,
}

impl From<&Row> for Session {
    fn from(row: &Row) -> Self {
        Self {
            session_id: row.session_id.into(),
            user_id: row.user_id.into(),
            workspace_id: None,
            device_type: row.device_type.clone(),
            ip_address: row.ip_address.clone(),
            user_agent: row.user_agent.clone(),
            created_at: row.created_at,
            last_activity: row.last_activity,
            permissions: permissions(),
        }
    }
}
