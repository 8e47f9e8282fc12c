//! The windows in Redis, which all servers share: the seed's `rate_limit:{user}:{endpoint}` and
//! `message_rate:{user}:{channel}`.
//!
//! The seed counts in fixed windows, which allow twice the limit around their edge. Here each window is a list of the
//! times of granted requests, and one script checks it with the clock of Redis. The braces in the keys are hash tags of
//! Redis Cluster, so that all keys of one script are on one node.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::{ChannelId, UserId};
use ipnet::Ipv6Net;
use keyring::Keyring;
use stores::redis::{Redis, RedisDown, Script};

use super::class::Class;
use super::policy::Quota;

/// The prefix of an IPv6 address that identifies a client: one household usually has a /64.
const IPV6_PREFIX_BITS: u8 = 64;

/// How many bytes of an address's digest are kept. They are enough to distinguish addresses.
const DIGEST_BYTES: usize = 16;

/// A window that a request counts in.
pub struct Window {
    /// The class of the request.
    pub class: Class,
    /// The key in Redis.
    pub key: String,
    /// The limit.
    pub quota: Quota,
}

/// The remaining requests of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// The class of the request.
    pub class: Class,
    /// The limit.
    pub quota: Quota,
    /// How many more requests are allowed now.
    pub requests: u32,
    /// How long until one more is allowed.
    pub next: Duration,
}

/// The result of counting a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether no window was full.
    pub granted: bool,
    /// The remaining requests of each window.
    pub left: Vec<Remaining>,
}

impl Verdict {
    /// The full window that refuses the request, if there is one. If several are full, it is the one with the longest
    /// wait.
    pub fn refusal(&self) -> Option<&Remaining> {
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

    /// The key of the window of an address. It has a digest, because the names of keys stay in the files that Redis
    /// writes, for as long as these are kept.
    pub fn key_of_address(&self, address: IpAddr, class: Class) -> String {
        let digest = self.keys.blind(&[b"rate limit", client_network(address).to_string().as_bytes()]);
        self.redis.key(&format!("rate_limit:{{{}}}:{}", hex::encode(&digest[..DIGEST_BYTES]), class.as_str()))
    }

    /// The key of the window of attempts at an account. It has digests of the account and the device.
    pub fn key_of_guesses(&self, account: &[u8], from: &[u8]) -> String {
        let digest = self.keys.blind(&[b"guesses", account, from]);
        self.redis.key(&format!("rate_limit:{{{}}}:{}", hex::encode(&digest[..DIGEST_BYTES]), Class::SignInAccount.as_str()))
    }

    /// Takes back the last granted request of the window.
    pub async fn give_back(&self, window: &Window) -> Result<(), RedisDown> {
        self.redis.ask::<Option<String>>(redis::cmd("LPOP").arg(&window.key)).await.map(drop)
    }

    /// Counts a request in all of the windows. If one of them is full, it counts in none.
    pub async fn count(&self, windows: &[Window]) -> Result<Verdict, RedisDown> {
        let mut call = self.script.on_all(windows.iter().map(|window| window.key.as_str()));
        for window in windows {
            call.arg(window.quota.requests).arg(micros(window.quota.window));
        }
        let answer: Vec<i64> = self.redis.run(&self.script, &call).await?;
        let [granted, left @ ..] = answer.as_slice() else { return Err(RedisDown) };
        let left = windows.iter().zip(left.chunks_exact(2)).map(|(window, left)| Remaining {
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

/// The network of a client, which requests are counted by: an IPv4 address, or the /64 of an IPv6 address.
#[must_use]
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Net::new_assert(address, IPV6_PREFIX_BITS).network()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_network_has_one_window_for_all_its_addresses() {
        let client_network = |text: &str| client_network(text.parse().expect("an address")).to_string();
        assert_eq!(client_network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(client_network("::ffff:192.0.2.7"), "192.0.2.7");
    }
}
