//! Who is typing where, for ten seconds from each time that it is said.
//!
//! The seed has a key per person and channel, `typing:{channel}:{user}`. To list a channel's would mean to look through all keys there are: so here a
//! channel is one key, `typing:{channel}`, a sorted set of people by until when it holds of each.

mod ends;

use std::sync::Arc;
use std::time::Duration;

use domain::ids::{ChannelId, UserId};
use stores::redis::{Redis, RedisDown, Script};

use self::ends::Ends;

/// For how long it holds that somebody is typing.
pub const HOLDS_FOR: Duration = Duration::from_secs(10);
/// For how long ends are gathered.
const GATHERED_FOR: Duration = Duration::from_millis(50);
/// The most people that a list names.
pub const PEOPLE_MAX: usize = 100;

/// Who is typing. Clones share everything.
#[derive(Clone)]
pub struct Typing {
    redis: Redis,
    say: Arc<Script>,
    look: Arc<Script>,
    end: Arc<Script>,
    ends: Arc<Ends>,
}

impl Typing {
    /// As that Redis knows it.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        let script = |text| Arc::new(Script::new(text));
        let (say, look, end) = (include_str!("type.lua"), include_str!("look.lua"), include_str!("end.lua"));
        Self { redis, say: script(say), look: script(look), end: script(end), ends: Arc::default() }
    }

    /// Says that somebody is typing.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn say(&self, channel_id: ChannelId, user_id: UserId) -> Result<(), RedisDown> {
        self.ends.take_back(channel_id, user_id);
        let mut call = self.say.on(&self.key(channel_id));
        call.arg(user_id.to_string()).arg(HOLDS_FOR.as_millis().to_string());
        self.redis.run(&self.say, &call).await
    }

    /// Somebody has stopped, or posted what they typed. Nobody waits for it: it is over in a moment by itself.
    pub fn end(&self, channel_id: ChannelId, user_id: UserId) {
        if self.ends.add(channel_id, user_id) {
            tokio::spawn(self.clone().tell_ends());
        }
    }

    async fn tell_ends(self) {
        tokio::time::sleep(GATHERED_FOR).await;
        for (channel_id, people) in self.ends.take_all().into_iter().filter(|(_, people)| !people.is_empty()) {
            let mut call = self.end.on(&self.key(channel_id));
            call.arg(HOLDS_FOR.as_millis().to_string());
            // Somebody may type again while this is on its way, or through another process.
            for (user_id, stopped_at) in people {
                call.arg(user_id.to_string()).arg(stopped_at.elapsed().as_millis().to_string());
            }
            if self.redis.run::<()>(&self.end, &call).await.is_err() {
                return;
            }
        }
    }

    /// Who is typing, the latest first.
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
