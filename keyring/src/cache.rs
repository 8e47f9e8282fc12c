//! The keys in memory, by their owners and by their own identifiers. Their number is limited.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use uuid::Uuid;

use crate::key::Key;

/// How many keys are kept. Each needs about 700 bytes.
const KEYS_MAX: NonZeroUsize = match NonZeroUsize::new(65_536) {
    Some(count) => count,
    None => NonZeroUsize::MIN,
};

pub(crate) struct KeyCache(Mutex<Inner>);

struct Inner {
    by_owner: LruCache<Uuid, Arc<Key>>,
    by_name: LruCache<Uuid, Arc<Key>>,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self(Mutex::new(Inner { by_owner: LruCache::new(KEYS_MAX), by_name: LruCache::new(KEYS_MAX) }))
    }
}

impl KeyCache {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn of(&self, owner_id: Uuid) -> Option<Arc<Key>> {
        self.lock().by_owner.get(&owner_id).cloned()
    }

    pub(crate) fn named(&self, key_id: Uuid) -> Option<Arc<Key>> {
        self.lock().by_name.get(&key_id).cloned()
    }

    pub(crate) fn put(&self, keys: &[Arc<Key>]) {
        let mut inner = self.lock();
        for key in keys {
            inner.by_owner.put(key.owner_id, Arc::clone(key));
            inner.by_name.put(key.key_id, Arc::clone(key));
        }
    }

    pub(crate) fn forget(&self, owner_id: Uuid) {
        let mut inner = self.lock();
        if let Some(key) = inner.by_owner.pop(&owner_id) {
            inner.by_name.pop(&key.key_id);
            return;
        }
        // The key may have been evicted from one of the two maps only.
        let named = inner.by_name.iter().find(|(_, key)| key.owner_id == owner_id).map(|(key_id, _)| *key_id);
        if let Some(key_id) = named {
            inner.by_name.pop(&key_id);
        }
    }
}
