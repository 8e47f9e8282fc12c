//! The connections that projectors write through, and the positions that they wait for.

use std::collections::BTreeMap;

use keyring::Keyring;
use sqlx::PgPool;
use stores::redis::Redis;

use crate::engine::progress::Progress;
use crate::engine::registry;
use crate::search::elasticsearch::Elastic;

/// The connections of the projections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connections {
    /// Postgres, whose connections have [`stores::postgres::connect_options`].
    pub pool: PgPool,
    /// The keys that unseal the log.
    pub keys: Keyring,
    /// The positions of the projections: one projection may wait for another.
    pub progress: Progress,
    /// Redis. It may be unreachable.
    pub redis: Redis,
    /// Elasticsearch, if the settings name one. It may be unreachable.
    pub elastic: Option<Elastic>,
    /// The versions of the projections in this release.
    versions: BTreeMap<&'static str, i32>,
}

impl Connections {
    /// These connections, with no projection's position known yet.
    #[must_use]
    pub fn new(pool: PgPool, keys: Keyring, redis: Redis) -> Self {
        Self { progress: Progress::new(pool.clone()), pool, keys, redis, elastic: None, versions: registry::versions() }
    }

    /// The same connections, with another pool of Postgres. Both share the positions of the projections.
    #[must_use]
    pub fn on(&self, pool: PgPool) -> Self {
        Self { pool, ..self.clone() }
    }

    /// With Elasticsearch.
    #[must_use]
    pub fn with_elastic(self, elastic: Option<Elastic>) -> Self {
        Self { elastic, ..self }
    }

    /// For tests: as if the release had this version of the projection.
    #[must_use]
    pub fn with_version(mut self, projection: &'static str, version: i32) -> Self {
        self.versions.insert(projection, version);
        self
    }

    /// The version of a projection in this release.
    #[must_use]
    pub fn version(&self, projection: &str) -> i32 {
        self.versions.get(projection).copied().unwrap_or(1)
    }
}
