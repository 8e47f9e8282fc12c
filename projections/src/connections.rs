//! What projectors write to, and wait for.

use std::collections::BTreeMap;

use keyring::Keyring;
use sqlx::PgPool;
use stores::redis::Redis;

use crate::engine::progress::Progress;
use crate::engine::registry;
use crate::search::elasticsearch::Elastic;

/// The stores of the projections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stores {
    /// Postgres, with connections of [`stores::postgres::connect_options`].
    pub pool: PgPool,
    /// What unseals the log.
    pub keys: Keyring,
    /// How far the projections are: one may wait for another.
    pub progress: Progress,
    /// Redis. It need not be there.
    pub redis: Redis,
    /// Elasticsearch, where the settings want it. It need not be there.
    pub elastic: Option<Elastic>,
    /// The versions of the projections, as this release has them.
    versions: BTreeMap<&'static str, i32>,
}

impl Stores {
    /// Those stores, and nobody's progress yet.
    #[must_use]
    pub fn new(pool: PgPool, keys: Keyring, redis: Redis) -> Self {
        Self { progress: Progress::new(pool.clone()), pool, keys, redis, elastic: None, versions: registry::versions() }
    }

    /// With Elasticsearch.
    #[must_use]
    pub fn with_elastic(self, elastic: Option<Elastic>) -> Self {
        Self { elastic, ..self }
    }

    /// As a release would have it in which that projection is of another version.
    #[must_use]
    pub fn with_version(mut self, projection: &'static str, version: i32) -> Self {
        self.versions.insert(projection, version);
        self
    }

    /// The version of a projection, as this release has it.
    #[must_use]
    pub fn version(&self, projection: &str) -> i32 {
        self.versions.get(projection).copied().unwrap_or(1)
    }
}
