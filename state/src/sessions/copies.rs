//! The seed's `session:{id}` in Redis: a copy of the session's row, so that a use of a session reads no row. The
//! identifier is the hash of the token.
//!
//! Other programs may write to Redis. So each copy has a tag under a key of the server, which covers the name of the
//! copy's Redis key and all its content. A copy that was forged, changed, or moved to another key is ignored. An old
//! copy that is put back is invalid because of its revision.
//!
//! Redis may be unavailable at any time. Then no request waits for it, and Postgres is asked instead.

use chrono::{DateTime, Utc};
use keyring::MacKey;
use serde::{Deserialize, Serialize};
use stores::redis::{Redis, RedisDown};

use super::Session;
use super::generations::Generation;
use crate::tagged::{read, written};
use crate::token::TokenHash;

/// A session in the form that Redis has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copy {
    /// The session.
    pub session: Session,
    /// The generation and revision of the user's sessions when it was read from Postgres.
    pub at: Generation,
    /// When it expires if it is not used. This is never later than in its row.
    pub expires_at: DateTime<Utc>,
}

/// The copies in Redis.
#[derive(Clone)]
pub struct Copies {
    redis: Redis,
    key: MacKey,
}

impl Copies {
    /// The copies in this Redis, authenticated with this key.
    #[must_use]
    pub fn new(redis: Redis, key: MacKey) -> Self {
        Self { redis, key }
    }

    /// Returns the copy with this identifier, if there is an authentic one.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn get(&self, id: &TokenHash) -> Result<Option<Copy>, RedisDown> {
        let key = self.key(id);
        let found: Option<Vec<u8>> = self.redis.ask(redis::cmd("GET").arg(&key)).await?;
        Ok(found.and_then(|value| read(&self.key, &key, &value)))
    }

    /// Stores a copy until it expires.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn put(&self, id: &TokenHash, copy: &Copy) -> Result<(), RedisDown> {
        self.redis.ask(&self.set(id, copy)).await
    }

    /// Replaces a copy, if there is one. So no copy appears of a session that has ended in the meantime.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn replace(&self, id: &TokenHash, copy: &Copy) -> Result<(), RedisDown> {
        let mut command = self.set(id, copy);
        self.redis.ask::<Option<String>>(command.arg("XX")).await.map(drop)
    }

    /// Removes copies.
    ///
    /// # Errors
    /// Redis does not answer, so it may still have the copies.
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

    fn set(&self, id: &TokenHash, copy: &Copy) -> redis::Cmd {
        let key = self.key(id);
        let seconds = (copy.expires_at - Utc::now()).num_seconds().max(1);
        let value = written(&self.key, &key, copy);
        let mut command = redis::cmd("SET");
        command.arg(key).arg(value).arg("EX").arg(seconds);
        command
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::{SessionId, UserId};
    use keyring::MasterKey;
    use uuid::Uuid;

    use super::*;
    use crate::sessions::permissions;

    fn mac(byte: u8) -> MacKey {
        MasterKey::from([byte; 32]).derive_mac_key("a purpose")
    }

    fn copy() -> Copy {
        let session = Session {
            session_id: SessionId(Uuid::from_u128(1)),
            user_id: UserId(Uuid::from_u128(2)),
            workspace_id: None,
            device_type: "phone".into(),
            ip_address: None,
            user_agent: None,
            created_at: DateTime::UNIX_EPOCH,
            last_activity: DateTime::UNIX_EPOCH,
            permissions: permissions(),
        };
        Copy { session, at: Generation { generation: 3, revision: 4 }, expires_at: DateTime::UNIX_EPOCH }
    }

    #[test]
    fn a_copy_is_valid_only_under_its_key() {
        let value = written(&mac(1), "session:a", &copy());
        assert_eq!(read(&mac(1), "session:a", value.as_bytes()), Some(copy()));
        assert_eq!(read::<Copy>(&mac(1), "session:b", value.as_bytes()), None, "moved");
        assert_eq!(read::<Copy>(&mac(2), "session:a", value.as_bytes()), None, "of another server");
        assert_eq!(read::<Copy>(&mac(1), "session:a", value.replace("phone", "paper").as_bytes()), None, "changed");
        assert_eq!(
            read::<Copy>(&mac(1), "session:a", value.replace("\"generation\":3", "\"generation\":9").as_bytes()),
            None,
            "of another generation"
        );
        let (_, json) = value.split_once('.').expect("a tag");
        for forged in [json, &format!(".{json}"), &format!("{}.{json}", "A".repeat(43)), "", "."] {
            assert_eq!(read::<Copy>(&mac(1), "session:a", forged.as_bytes()), None, "{forged}");
        }
    }
}
