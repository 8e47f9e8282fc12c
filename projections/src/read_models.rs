//! The queries' common ground. The queries themselves stand beside the tables that they read, in [`crate::relational`].

use sqlx::PgPool;

/// Every query on the read tables. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReadModels {
    pub(crate) pool: PgPool,
}

/// The read models cannot be read just now.
#[derive(Debug, thiserror::Error)]
#[error("the read models cannot be read")]
pub struct QueryError(#[from] pub sqlx::Error);

impl ReadModels {
    /// The most rows of one page, whatever was asked for.
    pub const PAGE_ROWS_MAX: u16 = 200;

    /// Reads through that pool, whose connections must be [`stores::postgres::connect_options`]'s.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

/// A page's limit as Postgres takes it.
#[must_use]
pub fn rows(limit: u16) -> i64 {
    i64::from(limit.min(ReadModels::PAGE_ROWS_MAX))
}
