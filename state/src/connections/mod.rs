//! Records of the open connections, and of the node of each. It is the seed's `connection:{id}`, and is valid for two hours
//! after it was renewed.
//!
//! The seed has no way from a user to the user's connections. So each user also has `connections:{user}`: a sorted set of
//! sessions and connections, by the time until which each entry holds. An entry holds for two and a half minutes, so
//! that the connections of a node that died are soon gone. Both are renewed while the connection is open, and removed
//! when it closes.
//!
//! Not here: the connections themselves (`live`), and presence, which has its own keys.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::{SessionId, UserId, WorkspaceId};
use serde::{Deserialize, Serialize};
use stores::redis::{Redis, RedisDown, Script};
use uuid::Uuid;

/// How long `connection:{id}` holds.
pub const HOLDS_FOR: Duration = Duration::from_hours(2);
/// How long an entry of `connections:{user}` holds after it was renewed. It is renewed every 30 seconds
/// (`live::RENEW_EVERY`), so four renewals may be lost.
pub const LISTED_FOR: Duration = Duration::from_secs(150);
/// The most connections of a user that are listed. Above it, those that were renewed longest ago are left out.
const LISTED_MAX: usize = 1_000;

/// An open connection, as Redis has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The connection.
    #[serde(skip)]
    pub connection_id: Uuid,
    /// The user.
    pub user_id: UserId,
    /// The session that it was opened with.
    pub session_id: SessionId,
    /// The workspaces whose events it carries. The seed has one workspace for each connection.
    pub workspaces: Vec<WorkspaceId>,
    /// The node that it is open at.
    pub node: String,
    /// When it was opened.
    pub connected_at: DateTime<Utc>,
}

/// The open connections in Redis. Clones share everything.
#[derive(Clone)]
pub struct Connections {
    redis: Redis,
    renew: Arc<Script>,
    look: Arc<Script>,
}

impl Connections {
    /// The connections in this Redis.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        let (renew, look) = (Script::new(include_str!("renew.lua")), Script::new(include_str!("look.lua")));
        Self { redis, renew: Arc::new(renew), look: Arc::new(look) }
    }

    /// Records an open connection, or renews it. After a loss of Redis, this restores it.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn renew(&self, open: &Open) -> Result<(), RedisDown> {
        let value = serde_json::to_string(open).unwrap_or_default();
        let mut set = redis::cmd("SET");
        set.arg(self.key(open.connection_id)).arg(value).arg("EX").arg(HOLDS_FOR.as_secs());
        self.redis.ask::<String>(&set).await?;
        self.list(open.user_id, open.session_id, open.connection_id, LISTED_FOR).await
    }

    /// Removes a connection that has closed.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn remove(&self, user_id: UserId, session_id: SessionId, connection_id: Uuid) -> Result<(), RedisDown> {
        self.redis.ask::<i64>(redis::cmd("DEL").arg(self.key(connection_id))).await?;
        self.list(user_id, session_id, connection_id, Duration::ZERO).await
    }

    /// Returns those of a user's sessions that have an open connection, at any node.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn sessions_of(&self, user_id: UserId) -> Result<HashSet<SessionId>, RedisDown> {
        let call = self.look.on(&self.key_of_user(user_id));
        let entries: Vec<String> = self.redis.run(&self.look, &call).await?;
        Ok(entries.iter().filter_map(|entry| entry.split_once(':')?.0.parse().ok()).collect())
    }

    async fn list(&self, user_id: UserId, session_id: SessionId, connection_id: Uuid, holds: Duration) -> Result<(), RedisDown> {
        let mut call = self.renew.on(&self.key_of_user(user_id));
        call.arg(format!("{session_id}:{connection_id}")).arg(holds.as_millis().to_string()).arg(LISTED_MAX);
        self.redis.run(&self.renew, &call).await
    }

    fn key(&self, connection_id: Uuid) -> String {
        self.redis.key(&format!("connection:{connection_id}"))
    }

    fn key_of_user(&self, user_id: UserId) -> String {
        self.redis.key(&format!("connections:{user_id}"))
    }
}
