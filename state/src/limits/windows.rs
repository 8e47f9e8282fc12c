//! The windows in Redis, which all servers share: the seed's `rate_limit:{user}:{endpoint}` and `message_rate:{user}:{channel}`.
//!
//! The seed counts in fixed windows, so that twice the limit fits around their edge. Here each window is the list of the moments at which it granted
//! something, judged in one script by Redis' own clock. The braces in the keys are hash tags of Redis Cluster: what one script touches is on one node.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::{ChannelId, UserId};
use ipnet::Ipv6Net;
use keyring::Keyring;
use stores::redis::{Redis, RedisDown, Script};

use super::class::Class;
use super::policy::Quota;

/// So much of one who comes with an IPv6 address is one and the same: a household has a /64.
const IPV6_PREFIX_BITS: u8 = 64;

/// Of an address's digest, so many bytes tell it from others.
const DIGEST_BYTES: usize = 16;

/// A window that a request counts in.
pub struct Window {
    /// The class of the request.
    pub class: Class,
    /// The key in Redis.
    pub key: String,
    /// How much there may be.
    pub quota: Quota,
}

/// What is left in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The class of the request.
    pub class: Class,
    /// How much there may be.
    pub quota: Quota,
    /// How many more requests.
    pub requests: u32,
    /// In how long there is one more.
    pub next: Duration,
}

/// What came of counting a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether every window had room.
    pub granted: bool,
    /// What is left, window by window.
    pub left: Vec<Left>,
}

impl Verdict {
    /// The window that has no room, where the request is refused: of several the one that has to be waited for longest.
    pub fn refusal(&self) -> Option<&Left> {
        if self.granted {
            return None;
        }
        self.left.iter().filter(|left| left.requests == 0).max_by_key(|left| left.next)
    }
}

/// The windows in Redis.
#[derive(Clone)]
pub struct SharedWindows {
    redis: Redis,
    keys: Keyring,
    script: Arc<Script>,
}

impl SharedWindows {
    pub fn new(redis: Redis, keys: Keyring) -> Self {
        Self { redis, keys, script: Arc::new(Script::new(include_str!("sliding_windows.lua"))) }
    }

    pub fn key_of_user(&self, user_id: UserId, class: Class) -> String {
        self.redis.key(&format!("rate_limit:{{{user_id}}}:{}", class.as_str()))
    }

    pub fn key_of_messages(&self, user_id: UserId, channel_id: ChannelId) -> String {
        self.redis.key(&format!("message_rate:{{{user_id}}}:{channel_id}"))
    }

    /// Without the address: the name of a key that was there while Redis wrote its files stands in them for as long as they last.
    pub fn key_of_address(&self, address: IpAddr, class: Class) -> String {
        let digest = self.keys.blind(&[b"rate limit", household(address).to_string().as_bytes()]);
        self.redis.key(&format!("rate_limit:{{{}}}:{}", hex::encode(&digest[..DIGEST_BYTES]), class.as_str()))
    }

    /// With neither the account nor the device in the clear.
    pub fn key_of_guesses(&self, account: &[u8], from: &[u8]) -> String {
        let digest = self.keys.blind(&[b"guesses", account, from]);
        self.redis.key(&format!("rate_limit:{{{}}}:{}", hex::encode(&digest[..DIGEST_BYTES]), Class::SignInAccount.as_str()))
    }

    /// Takes back the last request that was granted in that window.
    pub async fn give_back(&self, window: &Window) -> Result<(), RedisDown> {
        self.redis.ask::<Option<String>>(redis::cmd("LPOP").arg(&window.key)).await.map(drop)
    }

    /// Counts a request in all of those windows, or, where one has no room, in none.
    pub async fn count(&self, windows: &[Window]) -> Result<Verdict, RedisDown> {
        let mut call = self.script.on_all(windows.iter().map(|window| window.key.as_str()));
        for window in windows {
            call.arg(window.quota.requests).arg(micros(window.quota.window));
        }
        let answer: Vec<i64> = self.redis.run(&self.script, &call).await?;
        let [granted, left @ ..] = answer.as_slice() else { return Err(RedisDown) };
        let left = windows.iter().zip(left.chunks_exact(2)).map(|(window, left)| Left {
            class: window.class,
            quota: window.quota,
            requests: u32::try_from(left[0]).unwrap_or(0),
            next: Duration::from_micros(u64::try_from(left[1]).unwrap_or(0)),
        });
        Ok(Verdict { granted: *granted == 1, left: left.collect() })
    }
}

pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The address, as far as it tells one client from another: of IPv6 its /64.
#[must_use]
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Net::new_assert(address, IPV6_PREFIX_BITS).network()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_has_one_window_however_many_addresses_it_has() {
        let household = |text: &str| household(text.parse().expect("an address")).to_string();
        assert_eq!(household("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(household("::ffff:192.0.2.7"), "192.0.2.7");
    }
}
