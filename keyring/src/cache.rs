//! The keys in memory, by their own identifiers and by their owners. Their number is limited.

use std::collections::HashMap;
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
    keys: LruCache<Uuid, Arc<Key>>,
    /// The identifiers of the keys in `keys`, by their owners. So a change of a person scans no keys. An owner has one
    /// key for ever.
    by_owner: HashMap<Uuid, Uuid>,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self::with_capacity(KEYS_MAX)
    }
}

impl KeyCache {
    fn with_capacity(keys_max: NonZeroUsize) -> Self {
        Self(Mutex::new(Inner { keys: LruCache::new(keys_max), by_owner: HashMap::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn of(&self, owner_id: Uuid) -> Option<Arc<Key>> {
        let mut inner = self.lock();
        let key_id = *inner.by_owner.get(&owner_id)?;
        inner.keys.get(&key_id).cloned()
    }

    pub(crate) fn named(&self, key_id: Uuid) -> Option<Arc<Key>> {
        self.lock().keys.get(&key_id).cloned()
    }

    pub(crate) fn put(&self, keys: &[Arc<Key>]) {
        let mut inner = self.lock();
        for key in keys {
            inner.put(key);
        }
    }

    pub(crate) fn forget(&self, owner_id: Uuid) {
        let mut inner = self.lock();
        if let Some(key_id) = inner.by_owner.remove(&owner_id) {
            inner.keys.pop(&key_id);
        }
    }
}

impl Inner {
    fn put(&mut self, key: &Arc<Key>) {
        if let Some((_, replaced)) = self.keys.push(key.key_id, Arc::clone(key)) {
            self.by_owner.remove(&replaced.owner_id);
        }
        self.by_owner.insert(key.owner_id, key.key_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: NonZeroUsize = NonZeroUsize::new(3).expect("not zero");

    fn key(number: u128) -> Arc<Key> {
        Arc::new(Key::new(Uuid::from_u128(1_000 + number), Uuid::from_u128(number), &[1; 32]))
    }

    /// The owners by the index, and by the keys themselves.
    fn owners(cache: &KeyCache) -> (Vec<u128>, Vec<u128>) {
        let inner = cache.lock();
        let mut indexed = inner.by_owner.keys().map(Uuid::as_u128).collect::<Vec<_>>();
        let mut held = inner.keys.iter().map(|(_, key)| key.owner_id.as_u128()).collect::<Vec<_>>();
        indexed.sort_unstable();
        held.sort_unstable();
        (indexed, held)
    }

    #[test]
    fn the_index_of_owners_has_exactly_the_keys_in_memory() {
        let cache = KeyCache::with_capacity(SMALL);
        for number in [1, 2, 1, 3, 4, 4, 2, 5] {
            cache.put(&[key(number)]);
            let (indexed, held) = owners(&cache);
            assert_eq!(indexed, held, "after the key {number}");
            assert!(held.len() <= SMALL.get());
        }
        assert_eq!(owners(&cache).0, [2, 4, 5]);
        cache.forget(Uuid::from_u128(4));
        cache.forget(Uuid::from_u128(77));
        assert_eq!(owners(&cache), (vec![2, 5], vec![2, 5]));
    }

    #[test]
    fn a_forgotten_key_is_found_neither_by_its_owner_nor_by_its_name() {
        let cache = KeyCache::default();
        cache.put(&[key(1), key(2)]);
        cache.forget(Uuid::from_u128(1));
        assert!(cache.of(Uuid::from_u128(1)).is_none());
        assert!(cache.named(Uuid::from_u128(1_001)).is_none());
        assert!(cache.of(Uuid::from_u128(2)).is_some());
    }

    #[test]
    fn a_key_that_is_read_by_its_owner_only_stays_longer_than_an_unread_one() {
        let cache = KeyCache::with_capacity(SMALL);
        cache.put(&[key(1), key(2), key(3)]);
        assert!(cache.of(Uuid::from_u128(1)).is_some());
        cache.put(&[key(4)]);
        assert!(cache.named(Uuid::from_u128(1_001)).is_some());
        assert!(cache.of(Uuid::from_u128(2)).is_none());
    }
}
