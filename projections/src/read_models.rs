//! What all queries share. Each query stands beside the table that it reads, in [`crate::relational`].

use sqlx::PgPool;

/// All queries on the read tables. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReadModels {
    pub(crate) pool: PgPool,
}

/// The read models cannot be read at the moment.
#[derive(Debug, thiserror::Error)]
#[error("the read models cannot be read")]
pub struct QueryError(#[from] pub sqlx::Error);

impl ReadModels {
    /// The most rows of one page. A larger limit is reduced to this.
    pub const PAGE_ROWS_MAX: u16 = 200;

    /// Reads through this pool. Its connections must have [`stores::postgres::connect_options`].
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

/// The limit of a page in Postgres' type.
#[must_use]
pub fn rows(limit: u16) -> i64 {
    i64::from(limit.min(ReadModels::PAGE_ROWS_MAX))
}
