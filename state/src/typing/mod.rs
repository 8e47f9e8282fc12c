//! Typing: which users are typing in a channel. It holds for ten seconds after each notification.
//!
//! The seed has a key for each user and channel, `typing:{channel}:{user}`. Listing the users of a channel would need a
//! search of all keys. So here each channel has one key, `typing:{channel}`: a sorted set of users, by the time until
//! which each entry holds.

mod ends;

use std::sync::Arc;
use std::time::Duration;

use domain::ids::{ChannelId, UserId};
use stores::redis::{Redis, RedisDown, Script};

use self::ends::Ends;

/// How long a notification of typing holds.
pub const HOLDS_FOR: Duration = Duration::from_secs(10);
/// How long stops are collected.
const GATHERED_FOR: Duration = Duration::from_millis(50);
/// The most users that a list returns.
pub const PEOPLE_MAX: usize = 100;

/// The users who are typing. Clones share everything.
#[derive(Clone)]
pub struct Typing {
    redis: Redis,
    say: Arc<Script>,
    look: Arc<Script>,
    end: Arc<Script>,
    ends: Arc<Ends>,
}

impl Typing {
    /// The typing users in this Redis.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        let script = |text| Arc::new(Script::new(text));
        let (say, look, end) = (include_str!("type.lua"), include_str!("look.lua"), include_str!("end.lua"));
        Self { redis, say: script(say), look: script(look), end: script(end), ends: Arc::default() }
    }

    /// Records that a user is typing.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn record_typing(&self, channel_id: ChannelId, user_id: UserId) -> Result<(), RedisDown> {
        self.ends.remove(channel_id, user_id);
        let mut call = self.say.on(&self.key(channel_id));
        call.arg(user_id.to_string()).arg(HOLDS_FOR.as_millis().to_string());
        self.redis.run(&self.say, &call).await
    }

    /// Records that a user has stopped, or has posted the text. The caller does not wait for it, because the entry
    /// expires soon anyway.
    pub fn end(&self, channel_id: ChannelId, user_id: UserId) {
        if self.ends.add(channel_id, user_id) {
            tokio::spawn(self.clone().send_ends());
        }
    }

    async fn send_ends(self) {
        tokio::time::sleep(GATHERED_FOR).await;
        for (channel_id, people) in self.ends.take_all().into_iter().filter(|(_, people)| !people.is_empty()) {
            let mut call = self.end.on(&self.key(channel_id));
            call.arg(HOLDS_FOR.as_millis().to_string());
            // A user may type again while this command is on its way, or through another process.
            for (user_id, stopped_at) in people {
                call.arg(user_id.to_string()).arg(stopped_at.elapsed().as_millis().to_string());
            }
            if self.redis.run::<()>(&self.end, &call).await.is_err() {
                return;
            }
        }
    }

    /// Returns the users who are typing, the latest first.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn of(&self, channel_id: ChannelId) -> Result<Vec<UserId>, RedisDown> {
        let mut call = self.look.on(&self.key(channel_id));
        call.arg(PEOPLE_MAX);
        let people: Vec<String> = self.redis.run(&self.look, &call).await?;
        Ok(people.iter().filter_map(|id| id.parse().ok()).collect())
    }

    fn key(&self, channel_id: ChannelId) -> String {
        self.redis.key(&format!("typing:{{{channel_id}}}"))
    }
}
