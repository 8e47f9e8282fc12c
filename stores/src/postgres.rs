//! Postgres: what a connection is told, the pools, and whether the schema is that of this release.

use std::str::FromStr;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// How long a request waits for a connection to Postgres before it is told to try again.
pub const ACQUIRE_MAX: Duration = Duration::from_secs(3);

/// A pool of at most so many connections.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn pool(connections_max: u32, options: PgConnectOptions) -> sqlx::Result<PgPool> {
    // A dead connection is found out by its use: asking each one first would cost every query a round trip.
    let pool = PgPoolOptions::new().max_connections(connections_max).acquire_timeout(ACQUIRE_MAX).test_before_acquire(false);
    pool.connect_with(options).await
}

/// What a connection to that address needs to be told.
///
/// # Errors
/// It is no address of Postgres.
pub fn options_of(url: &str) -> sqlx::Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(url)?.application_name("backscroll"))
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

/// Whether Postgres answers.
///
/// # Errors
/// It does not.
pub async fn ping(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query_scalar!(r#"SELECT 1 AS "one!""#).fetch_one(pool).await.map(drop)
}

/// The migrations of this release that the database lacks.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn missing_migrations(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    let applied = sqlx::query_scalar::<_, i64>("SELECT version FROM public._sqlx_migrations WHERE success").fetch_all(pool).await;
    let applied = match applied {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Vec::new(),
        applied => applied?,
    };
    let missing = migrations::POSTGRES.iter().filter(|migration| !applied.contains(&migration.version));
    Ok(missing.map(|migration| format!("{} ({})", migration.version, migration.description)).collect())
}
