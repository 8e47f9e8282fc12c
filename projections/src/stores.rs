//! What projectors write to, and wait for.

use sqlx::PgPool;

use crate::cache::Redis;
use crate::progress::Progress;

/// The stores of the projections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stores {
    /// Postgres, with connections of [`crate::connect_options`].
    pub pool: PgPool,
    /// How far the projections are: one may wait for another.
    pub progress: Progress,
    /// Redis. It need not be there.
    pub redis: Redis,
}

impl Stores {
    /// Those stores, and nobody's progress yet.
    #[must_use]
    pub fn new(pool: PgPool, redis: Redis) -> Self {
        Self { progress: Progress::new(pool.clone()), pool, redis }
    }
}
