//! Tickets: each opens one connection, within thirty seconds. A browser cannot send a header with a WebSocket, and a token
//! in an address would be in the logs of proxies. A ticket in an address is useless once it was used.
//!
//! A ticket belongs to a session: the connection ends with the session. It belongs to an origin too: a page of another
//! origin cannot use it. Redis has it under its hash, with a tag of the server, and removes it with its first use.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use keyring::{MacKey, MasterKey};
use serde::{Deserialize, Serialize};
use stores::redis::{Redis, RedisDown};

use crate::tagged::{read, written};
use crate::token::{Token, TokenHash};

/// How long a ticket is valid.
pub const HOLDS_FOR: Duration = Duration::from_secs(30);
/// The name of the key that authenticates tickets in Redis.
const TICKETS_KEY: &str = "backscroll tickets in redis v1";

/// The content of a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The hash of the token of the session that it was made in.
    pub session: TokenHash,
    /// The origin of the page that asked for it. `None` if no page did.
    pub origin: Option<String>,
    /// When it expires. Redis removes it then; this holds if a copy of an older Redis is put back.
    pub expires_at: DateTime<Utc>,
}

/// The tickets in Redis. Clones share everything.
#[derive(Clone)]
pub struct Tickets {
    redis: Redis,
    key: MacKey,
}

impl Tickets {
    /// The tickets in this Redis, which the master key authenticates.
    #[must_use]
    pub fn new(redis: Redis, key: &MasterKey) -> Self {
        Self { redis, key: key.derive_mac_key(TICKETS_KEY) }
    }

    /// Makes a ticket for a session and an origin. Returns it with the time until which it is valid.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn issue(&self, session: TokenHash, origin: Option<&str>) -> Result<(Token, DateTime<Utc>), RedisDown> {
        let token = Token::of_new_ticket();
        let key = self.key(&token);
        let expires_at = Utc::now() + TimeDelta::from_std(HOLDS_FOR).unwrap_or(TimeDelta::zero());
        let value = written(&self.key, &key, &Ticket { session, origin: origin.map(str::to_owned), expires_at });
        let mut command = redis::cmd("SET");
        command.arg(key).arg(value).arg("EX").arg(HOLDS_FOR.as_secs()).arg("NX");
        self.redis.ask::<Option<String>>(&command).await?;
        Ok((token, expires_at))
    }

    /// Uses a ticket up, and returns its content. `None` if the ticket does not exist, or was used, or has expired.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn redeem(&self, token: &Token) -> Result<Option<Ticket>, RedisDown> {
        let key = self.key(token);
        let found: Option<Vec<u8>> = self.redis.ask(redis::cmd("GETDEL").arg(&key)).await?;
        let ticket = found.and_then(|value| read::<Ticket>(&self.key, &key, &value));
        Ok(ticket.filter(|ticket| ticket.expires_at > Utc::now()))
    }

    fn key(&self, token: &Token) -> String {
        self.redis.key(&format!("ticket:{}", token.hash()))
    }
}
