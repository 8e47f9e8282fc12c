//! The queries' common ground. The queries themselves stand beside the tables that they read, in [`crate::relational`].

use keyring::Keyring;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

/// Every query on the read tables. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReadModels {
    pub(crate) pool: PgPool,
    /// What unseals the log, for the audit.
    pub(crate) keys: Keyring,
}

/// The read models cannot be read just now.
#[derive(Debug, thiserror::Error)]
#[error("the read models cannot be read")]
pub struct QueryError(#[from] pub sqlx::Error);

impl ReadModels {
    /// The most rows of one page, whatever was asked for.
    pub const PAGE_ROWS_MAX: u16 = 200;

    /// Reads through that pool, whose connections must be [`connect_options`]'s.
    #[must_use]
    pub fn new(pool: PgPool, keys: Keyring) -> Self {
        Self { pool, keys }
    }
}

/// What a connection needs to be told that reads or writes the read tables.
#[must_use]
pub fn connect_options(options: PgConnectOptions) -> PgConnectOptions {
    options.options([
        // The tables' names stand unqualified in every statement.
        ("search_path", "read,public"),
        // Planning over the months of `messages` anew for each question takes longer than answering it. One plan fits all: months
        // that a question does not touch are left out when it is asked.
        ("plan_cache_mode", "force_generic_plan"),
        ("timezone", "UTC"),
        // Postgres would tell of every long word that the full text index leaves out.
        ("client_min_messages", "warning"),
    ])
}

/// A page's limit as Postgres takes it.
pub(crate) fn rows(limit: u16) -> i64 {
    i64::from(limit.min(ReadModels::PAGE_ROWS_MAX))
}
