//! Tokens that belong to no session. They are counted by address, and remembered for a short time, so that a repeated
//! wrong token needs no lookup in a store. The memory is in this process, because a wrong token must cost nothing
//! elsewhere.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

use super::class::Class;
use super::local::LocalWindows;
use super::policy::Quota;
use super::windows::{Verdict, Window, client_network};
use crate::token::TokenHash;

/// How long a token is remembered as wrong. It cannot become valid in this time: a token is random, and Postgres has it
/// before its owner does.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// The most tokens that are remembered, about 100 bytes each. Above it, the oldest ones are looked up again.
const TOKENS_MAX: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// The wrong tokens that this process has received.
pub struct WrongTokens {
    seen: Mutex<LruCache<TokenHash, Instant>>,
    windows: LocalWindows,
}

impl Default for WrongTokens {
    fn default() -> Self {
        Self { seen: Mutex::new(LruCache::new(TOKENS_MAX)), windows: LocalWindows::default() }
    }
}

impl WrongTokens {
    /// Whether the token was found to be wrong a short time ago.
    pub fn is_wrong(&self, token: &TokenHash) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(token).is_some_and(|since| since.elapsed() < REMEMBERED_FOR)
    }

    /// Remembers that the token is wrong.
    pub fn remember(&self, token: TokenHash) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).put(token, Instant::now());
    }

    /// Counts a wrong token from this address.
    pub fn count(&self, address: IpAddr, quota: Quota) -> Verdict {
        self.windows.count(&[window(address, quota)])
    }

    /// Returns the refusal that one more wrong token from this address would get. It is not counted.
    pub fn refusal(&self, address: IpAddr, quota: Quota) -> Option<Verdict> {
        self.windows.refusal(&window(address, quota))
    }
}

fn window(address: IpAddr, quota: Quota) -> Window {
    Window { class: Class::WrongToken, key: client_network(address).to_string(), quota }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_remembered_tokens_is_limited() {
        let wrong = WrongTokens::default();
        for number in 0..TOKENS_MAX.get() + 10 {
            let mut hash = [0; 32];
            hash[..size_of::<usize>()].copy_from_slice(&number.to_be_bytes());
            wrong.remember(TokenHash(hash));
        }
        assert_eq!(wrong.seen.lock().expect("the tokens").len(), TOKENS_MAX.get());
        assert!(!wrong.is_wrong(&TokenHash([0; 32])), "the oldest is looked up again");
    }

    #[test]
    fn a_client_network_is_counted_as_one_and_a_query_does_not_count() {
        let (wrong, quota) = (WrongTokens::default(), Quota { requests: 2, window: Duration::from_secs(60) });
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(wrong.refusal(address("2001:db8::1"), quota).is_none());
        assert!(wrong.count(address("2001:db8::1"), quota).granted);
        assert!(wrong.count(address("2001:db8::2"), quota).granted);
        assert!(wrong.refusal(address("2001:db8::3"), quota).is_some());
        assert!(!wrong.count(address("2001:db8::4"), quota).granted);
        assert!(wrong.count(address("2001:db8:0:1::1"), quota).granted);
    }
}
