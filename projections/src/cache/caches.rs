//! What is read from the cache. Whatever is not there, or not to be believed, is read from Postgres, and filled in by one who asks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use stores::redis::RedisDown;
use uuid::Uuid;

use super::generation::Trust;
use crate::RELATIONAL;
use crate::connections::Stores;
use crate::engine::progress::Behind;
use crate::read_models::{QueryError, ReadModels};

/// What is kept in Redis of what Postgres could answer. Cheap to clone.
#[derive(Clone)]
pub struct Caches {
    pub(super) stores: Stores,
    pub(super) read: ReadModels,
    pub(super) trust: Trust,
    pub(super) fills: Fills,
    stats: Arc<CacheStats>,
}

/// How the cache is used.
#[derive(Debug, Default)]
pub struct CacheStats {
    /// Readings that it answered.
    pub hits: AtomicU64,
    /// Readings that Postgres answered.
    pub misses: AtomicU64,
    /// What was filled in.
    pub fills: AtomicU64,
    /// What was read to be filled in, and was old by then.
    pub fills_refused: AtomicU64,
}

impl Caches {
    /// Those in these stores.
    #[must_use]
    pub fn new(stores: Stores) -> Self {
        let (read, trust) = (ReadModels::new(stores.pool.clone()), Trust::new(stores.clone()));
        Self { stores, read, trust, fills: Fills::default(), stats: Arc::default() }
    }

    /// How they are used.
    #[must_use]
    pub fn stats(&self) -> &CacheStats {
        &self.stats
    }

    pub(super) fn hit<T>(&self, answer: T) -> Option<T> {
        self.stats.hits.fetch_add(1, Ordering::Relaxed);
        Some(answer)
    }

    pub(super) fn missed<T>(&self) -> Option<T> {
        self.stats.misses.fetch_add(1, Ordering::Relaxed);
        None
    }

    pub(super) fn filled(&self, outcome: Result<i64, RedisDown>) -> bool {
        let done = matches!(outcome, Ok(1));
        let counter = if done { &self.stats.fills } else { &self.stats.fills_refused };
        counter.fetch_add(1, Ordering::Relaxed);
        done
    }

    /// A position that what is read from the read tables next is not before.
    pub(super) async fn relational_position(&self) -> Result<i64, QueryError> {
        match self.stores.progress.position(RELATIONAL).await {
            Ok(position) => Ok(position),
            Err(Behind::Unavailable(error)) => Err(QueryError(error)),
            // It is there, and nobody waits for it here.
            Err(Behind::Reached { reached, .. }) => Ok(reached),
            Err(Behind::Unknown(_)) => Ok(0),
        }
    }
}

/// Who fills what in: one of this process at a time, while others wait.
#[derive(Clone, Default)]
pub(super) struct Fills(Arc<Mutex<HashMap<Uuid, Weak<tokio::sync::Mutex<()>>>>>);

impl Fills {
    /// The lock of whoever fills that in.
    pub(super) fn of(&self, id: Uuid) -> Arc<tokio::sync::Mutex<()>> {
        let mut fills = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = fills.get(&id).and_then(Weak::upgrade) {
            return lock;
        }
        fills.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::default();
        fills.insert(id, Arc::downgrade(&lock));
        lock
    }
}
