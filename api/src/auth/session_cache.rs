//! The seed's `session:{id}` in Redis: what is asked first on each request. The id is the hash of the token; the expiry slides.
//!
//! Redis may be gone at any time: then nobody waits for it, and Postgres is asked instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{FromRedisValue, RedisError, RedisResult};

use super::sessions::Session;
use super::token::TokenHash;

/// How long Redis may take to answer, or to accept a connection, before Postgres is asked instead.
const ANSWER_MAX: Duration = Duration::from_millis(250);
/// For how long nobody asks Redis after it did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Redis does not answer just now.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("redis does not answer")]
pub struct CacheDown;

/// The sessions in Redis.
#[derive(Clone)]
pub struct SessionCache {
    connection: ConnectionManager,
    key_prefix: Arc<str>,
    lifetime: Duration,
    breaker: Arc<Breaker>,
}

impl SessionCache {
    /// Those behind that address. Connects when it is first asked.
    ///
    /// # Errors
    /// The address is not one of Redis.
    pub fn new(redis_url: &str, key_prefix: &str, lifetime: Duration) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(ANSWER_MAX))
            .set_response_timeout(Some(ANSWER_MAX))
            .set_number_of_retries(1)
            .set_max_delay(ANSWER_MAX);
        let connection = ConnectionManager::new_lazy_with_config(redis::Client::open(redis_url)?, config)?;
        Ok(Self { connection, key_prefix: key_prefix.into(), lifetime, breaker: Arc::default() })
    }

    /// The session of that id, which lives on for its full lifetime from now.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn take_up(&self, id: &TokenHash) -> Result<Option<Session>, CacheDown> {
        let found: Option<Vec<u8>> = self.ask(redis::cmd("GETEX").arg(self.key(id)).arg("EX").arg(self.lifetime.as_secs())).await?;
        // What cannot be read was written by another release: Postgres knows better.
        Ok(found.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    /// Stores a session.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn put(&self, id: &TokenHash, session: &Session) -> Result<(), CacheDown> {
        let mut command = self.set(id, session);
        self.ask(&mut command).await
    }

    /// Stores a session that is there already: one that was ended meanwhile does not come back.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn put_if_there(&self, id: &TokenHash, session: &Session) -> Result<(), CacheDown> {
        let mut command = self.set(id, session);
        self.ask::<Option<String>>(command.arg("XX")).await.map(drop)
    }

    /// Forgets sessions.
    ///
    /// # Errors
    /// Redis does not answer: it may still know them.
    pub async fn remove(&self, ids: &[TokenHash]) -> Result<(), CacheDown> {
        if ids.is_empty() {
            return Ok(());
        }
        let keys = ids.iter().map(|id| self.key(id)).collect::<Vec<_>>();
        self.ask::<i64>(redis::cmd("DEL").arg(keys)).await.map(drop)
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), CacheDown> {
        self.ask(&mut redis::cmd("PING")).await
    }

    fn key(&self, id: &TokenHash) -> String {
        format!("{}session:{id}", self.key_prefix)
    }

    fn set(&self, id: &TokenHash, session: &Session) -> redis::Cmd {
        let json = serde_json::to_string(session).unwrap_or_default();
        let mut command = redis::cmd("SET");
        command.arg(self.key(id)).arg(json).arg("EX").arg(self.lifetime.as_secs());
        command
    }

    async fn ask<T: FromRedisValue>(&self, command: &mut redis::Cmd) -> Result<T, CacheDown> {
        if self.breaker.is_open() {
            return Err(CacheDown);
        }
        let mut connection = self.connection.clone();
        match tokio::time::timeout(2 * ANSWER_MAX, command.query_async::<T>(&mut connection)).await {
            Ok(Ok(answer)) => {
                self.breaker.worked();
                Ok(answer)
            }
            Ok(Err(error)) => Err(self.breaker.failed(Some(&error))),
            Err(_) => Err(self.breaker.failed(None)),
        }
    }
}

/// After a failure nobody asks for a moment: a thousand requests need not each wait for what does not answer. Each change is logged once.
struct Breaker {
    born: Instant,
    /// In milliseconds since `born`; 0 while all is well.
    open_until: AtomicU64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { born: Instant::now(), open_until: AtomicU64::new(0) }
    }
}

impl Breaker {
    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_open(&self) -> bool {
        self.now() < self.open_until.load(Ordering::Relaxed)
    }

    fn worked(&self) {
        if self.open_until.load(Ordering::Relaxed) != 0 && self.open_until.swap(0, Ordering::Relaxed) != 0 {
            tracing::info!("redis answers again");
        }
    }

    fn failed(&self, error: Option<&RedisError>) -> CacheDown {
        let pause = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        if self.open_until.swap(self.now() + pause, Ordering::Relaxed) == 0 {
            let reason = error.map_or_else(|| "it took too long".to_owned(), ToString::to_string);
            tracing::warn!(reason, "redis does not answer: sessions are read from postgres");
        }
        CacheDown
    }
}
