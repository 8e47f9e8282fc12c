//! What projectors write to, and wait for.

use sqlx::PgPool;

use crate::cache::Redis;
use crate::progress::Progress;
use crate::search::elasticsearch::Elastic;

/// The stores of the projections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stores {
    /// Postgres, with connections of [`crate::connect_options`].
    pub pool: PgPool,
    /// How far the projections are: one may wait for another.
    pub progress: Progress,
    /// Redis. It need not be there.
    pub redis: Redis,
    /// Elasticsearch, where the settings want it. It need not be there.
    pub elastic: Option<Elastic>,
}

impl Stores {
    /// Those stores, and nobody's progress yet.
    #[must_use]
    pub fn new(pool: PgPool, redis: Redis) -> Self {
        Self { progress: Progress::new(pool.clone()), pool, redis, elastic: None }
    }

    /// With Elasticsearch.
    #[must_use]
    pub fn with_elastic(self, elastic: Option<Elastic>) -> Self {
        Self { elastic, ..self }
    }
}
