//! The seed's `session:{id}` in Redis: what is asked first on each request. The id is the hash of the token; the expiry slides.
//!
//! Redis may be gone at any time: then nobody waits for it, and Postgres is asked instead.

use std::time::Duration;

use stores::redis::{Redis, RedisDown};

use super::Session;
use crate::token::TokenHash;

/// The sessions in Redis.
#[derive(Clone)]
pub struct SessionCache {
    redis: Redis,
    lifetime: Duration,
}

impl SessionCache {
    /// Those in that Redis.
    #[must_use]
    pub fn new(redis: Redis, lifetime: Duration) -> Self {
        Self { redis, lifetime }
    }

    /// The session of that id, which lives on for its full lifetime from now.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn take_up(&self, id: &TokenHash) -> Result<Option<Session>, RedisDown> {
        let found: Option<Vec<u8>> = self.redis.ask(redis::cmd("GETEX").arg(self.key(id)).arg("EX").arg(self.lifetime.as_secs())).await?;
        // What cannot be read was written by another release: Postgres knows better.
        Ok(found.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    /// Stores a session.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn put(&self, id: &TokenHash, session: &Session) -> Result<(), RedisDown> {
        self.redis.ask(&self.set(id, session)).await
    }

    /// Stores a session that is there already: one that was ended meanwhile does not come back.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn put_if_there(&self, id: &TokenHash, session: &Session) -> Result<(), RedisDown> {
        let mut command = self.set(id, session);
        self.redis.ask::<Option<String>>(command.arg("XX")).await.map(drop)
    }

    /// Forgets sessions.
    ///
    /// # Errors
    /// Redis does not answer: it may still know them.
    pub async fn remove(&self, ids: &[TokenHash]) -> Result<(), RedisDown> {
        if ids.is_empty() {
            return Ok(());
        }
        let keys = ids.iter().map(|id| self.key(id)).collect::<Vec<_>>();
        self.redis.ask::<i64>(redis::cmd("DEL").arg(keys)).await.map(drop)
    }

    fn key(&self, id: &TokenHash) -> String {
        self.redis.key(&format!("session:{id}"))
    }

    fn set(&self, id: &TokenHash, session: &Session) -> redis::Cmd {
        let json = serde_json::to_string(session).unwrap_or_default();
        let mut command = redis::cmd("SET");
        command.arg(self.key(id)).arg(json).arg("EX").arg(self.lifetime.as_secs());
        command
    }
}
