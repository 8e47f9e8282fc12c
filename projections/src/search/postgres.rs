//! The backend that needs no other server: the full text search of Postgres, on the relational rows themselves. So it
//! is never behind the rows.

mod ages;
mod analytics;
mod lexemes;
mod messages;
mod people;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::PgPool;

use super::{AnalyticsQuery, BackendName, Bucket, Hits, MessageQuery, PeopleQuery, PersonHit, SearchBackend, SearchError};

/// The full text search of Postgres.
#[derive(Clone, Debug)]
pub struct PostgresSearch {
    pool: PgPool,
    ages: ages::AgeBoundsCache,
}

impl PostgresSearch {
    /// Searches through this pool. Its connections must have [`stores::postgres::connect_options`].
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool, ages: ages::AgeBoundsCache::default() }
    }
}

impl SearchBackend for PostgresSearch {
    fn name(&self) -> BackendName {
        BackendName::Postgres
    }

    fn messages<'a>(&'a self, query: &'a MessageQuery) -> BoxFuture<'a, Result<Hits, SearchError>> {
        messages::search(&self.pool, &self.ages, query).boxed()
    }

    fn people<'a>(&'a self, query: &'a PeopleQuery) -> BoxFuture<'a, Result<Vec<PersonHit>, SearchError>> {
        people::search(&self.pool, query).boxed()
    }

    fn analytics<'a>(&'a self, query: &'a AnalyticsQuery) -> BoxFuture<'a, Result<Vec<Bucket>, SearchError>> {
        analytics::count(&self.pool, query).boxed()
    }
}
