//! Where the events of streams stand in the log. An event never moves, so what is remembered stays true.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::StreamId;
use lru::LruCache;
use sqlx::{PgPool, query_scalar};

use super::StoreError;
use super::cache::at_least_one;

/// How many positions are remembered. Each takes about 100 bytes.
const POSITIONS_MAX: NonZeroUsize = at_least_one(20_000);

pub(super) struct Positions(Mutex<LruCache<(StreamId, i64), i64>>);

impl Default for Positions {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(POSITIONS_MAX)))
    }
}

impl Positions {
    fn remembered(&self) -> MutexGuard<'_, LruCache<(StreamId, i64), i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the position of the event with this place in its stream. Place 0, before the first event, is at position 0.
    pub(super) async fn of(&self, pool: &PgPool, stream: StreamId, sequence: i64) -> Result<i64, StoreError> {
        if sequence == 0 {
            return Ok(0);
        }
        if let Some(position) = self.remembered().get(&(stream, sequence)) {
            return Ok(*position);
        }
        let position = query_scalar!(
            "SELECT position FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = $3",
            stream.aggregate.as_str(),
            stream.id.to_string(),
            sequence,
        );
        let position = position.fetch_one(pool).await?;
        self.remembered().put((stream, sequence), position);
        Ok(position)
    }
}
