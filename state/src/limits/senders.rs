//! A memory of tokens in this process: the user of each token, and the user's plan. With it, a request is counted while
//! its session is being looked up, and not afterwards. It authenticates no client: only the session does.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::ids::UserId;
use domain::workspace::Plan;
use lru::LruCache;

use crate::token::TokenHash;

/// How long a plan is used after it was read.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// The most tokens that are remembered, about 100 bytes each. Above it, the least recently used ones are looked up
/// again.
const TOKENS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// The sender of a request, with the data that limits need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The user.
    pub user_id: UserId,
    /// The best plan of the user's workspaces.
    pub plan: Plan,
}

/// The senders by token, with the time at which each was remembered.
pub struct SenderCache(Mutex<LruCache<TokenHash, (Sender, Instant)>>);

impl Default for SenderCache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(TOKENS_MAX)))
    }
}

impl SenderCache {
    /// Returns the user and the plan of the token, if they were remembered a short time ago.
    pub fn recall(&self, token: &TokenHash) -> Option<Sender> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(token).filter(|(_, since)| since.elapsed() < REMEMBERED_FOR).map(|(sender, _)| *sender)
    }

    /// Returns the user of the token, whenever it was remembered.
    pub fn recall_user(&self, token: &TokenHash) -> Option<UserId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).peek(token).map(|(sender, _)| sender.user_id)
    }

    /// Remembers the sender of the token.
    pub fn remember(&self, token: TokenHash, sender: Sender) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(token, (sender, Instant::now()));
    }

    /// Forgets the token.
    pub fn forget(&self, token: &TokenHash) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop(token);
    }
}
