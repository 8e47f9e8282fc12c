//! Whose token it is, and which plan is theirs, as far as this process remembers: so that a request is counted while its session is being looked up,
//! and not afterwards. It lets nobody in: that is the session's to say.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::ids::UserId;
use domain::workspace::Plan;
use lru::LruCache;

use crate::token::TokenHash;

/// For how long a plan counts that was read once.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// The most tokens that are remembered; of more, those that were not used longest are looked up again. Some 100 bytes each.
const TOKENS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// Who asks, as far as limits go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The user.
    pub user_id: UserId,
    /// The best plan of the user's workspaces.
    pub plan: Plan,
}

/// Who is known by which token, since when.
pub struct Known(Mutex<LruCache<TokenHash, (Asker, Instant)>>);

impl Default for Known {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(TOKENS_MAX)))
    }
}

impl Known {
    /// The user of that token, where it was remembered a short time ago.
    pub fn recall(&self, token: &TokenHash) -> Option<Asker> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(token).filter(|(_, since)| since.elapsed() < REMEMBERED_FOR).map(|(asker, _)| *asker)
    }

    /// The user of that token, however long ago it was remembered.
    pub fn recall_user(&self, token: &TokenHash) -> Option<UserId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).peek(token).map(|(asker, _)| asker.user_id)
    }

    /// Remembers the user of that token.
    pub fn remember(&self, token: TokenHash, asker: Asker) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(token, (asker, Instant::now()));
    }

    /// Forgets that token.
    pub fn forget(&self, token: &TokenHash) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop(token);
    }
}
