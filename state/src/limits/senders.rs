//! A memory of tokens in this process: the user of each token, and the user's plan. With it, a request is counted while
//! its session is being looked up, and not afterwards. It authenticates no client: only the session does. Frames of
//! live connections have no token, so their senders are remembered by user.

use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::ids::UserId;
use domain::workspace::Plan;
use lru::LruCache;

use crate::token::TokenHash;

/// How long a plan is used after it was read.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// The most tokens or users that are remembered, about 100 bytes each. Above it, the least recently used ones are
/// looked up again.
const SENDERS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(65_535);

/// The sender of a request, with the data that limits need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The user.
    pub user_id: UserId,
    /// The best plan of the user's workspaces.
    pub plan: Plan,
}

/// The senders by token, or by another key, with the time at which each was remembered.
pub struct SenderCache<K: Hash + Eq = TokenHash>(Mutex<LruCache<K, (Sender, Instant)>>);

impl<K: Hash + Eq> Default for SenderCache<K> {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(SENDERS_MAX)))
    }
}

impl<K: Hash + Eq> SenderCache<K> {
    /// Returns the user and the plan of the key, if they were remembered a short time ago.
    pub fn recall(&self, key: &K) -> Option<Sender> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(_, since)| since.elapsed() < REMEMBERED_FOR).map(|(sender, _)| *sender)
    }

    /// Returns the user of the key, whenever it was remembered.
    pub fn recall_user(&self, key: &K) -> Option<UserId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).peek(key).map(|(sender, _)| sender.user_id)
    }

    /// Remembers the sender of the key.
    pub fn remember(&self, key: K, sender: Sender) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, (sender, Instant::now()));
    }

    /// Forgets the key.
    pub fn forget(&self, key: &K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop(key);
    }
}
