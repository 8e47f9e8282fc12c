//! Reads from the cache. If an answer is missing or must not be used, the caller reads Postgres instead, and one caller
//! fills the cache.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use stores::redis::RedisDown;
use uuid::Uuid;

use super::generation::Generations;
use crate::RELATIONAL;
use crate::connections::Connections;
use crate::engine::progress::WaitError;
use crate::read_models::{QueryError, ReadModels};

/// Answers that are kept in Redis and that Postgres could give too. Cheap to clone.
#[derive(Clone)]
pub struct Caches {
    pub(super) stores: Connections,
    pub(super) read: ReadModels,
    pub(super) generations: Generations,
    pub(super) fill_locks: FillLocks,
    stats: Arc<CacheStats>,
}

/// Counters of how the cache is used.
#[derive(Debug, Default)]
pub struct CacheStats {
    /// Reads that the cache answered.
    pub hits: AtomicU64,
    /// Reads that Postgres answered.
    pub misses: AtomicU64,
    /// Entries that were filled in.
    pub fills: AtomicU64,
    /// Entries that were read from Postgres for the cache and refused, because they were out of date by then.
    pub fills_refused: AtomicU64,
}

impl Caches {
    /// The caches of these connections.
    #[must_use]
    pub fn new(stores: Connections) -> Self {
        let (read, generations) = (ReadModels::new(stores.pool.clone()), Generations::new(stores.clone()));
        Self { stores, read, generations, fill_locks: FillLocks::default(), stats: Arc::default() }
    }

    /// The counters of these caches.
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

    /// Returns a position that the next read from the read tables has at least.
    pub(super) async fn relational_position(&self) -> Result<i64, QueryError> {
        match self.stores.progress.position(RELATIONAL).await {
            Ok(position) => Ok(position),
            Err(WaitError::Unavailable(error)) => Err(QueryError(error)),
            // The position is known, and nobody needs to wait here.
            Err(WaitError::NotReached { reached, .. }) => Ok(reached),
            Err(WaitError::Unknown(_)) => Ok(0),
        }
    }
}

/// One lock for each entry that is filled in: one task of this process fills it, and the others wait.
#[derive(Clone, Default)]
pub(super) struct FillLocks(Arc<Mutex<HashMap<Uuid, Weak<tokio::sync::Mutex<()>>>>>);

impl FillLocks {
    /// The lock of the entry with this identifier.
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
