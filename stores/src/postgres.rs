//! Postgres: the settings of connections, the pools, and whether the schema is that of this release.

use std::str::FromStr;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// How long a request waits for a connection to Postgres. After that, the caller is asked to try again.
pub const ACQUIRE_MAX: Duration = Duration::from_secs(3);

/// A pool of at most this many connections.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn pool(connections_max: u32, options: PgConnectOptions) -> sqlx::Result<PgPool> {
    // A dead connection is noticed when it is used. A test before each use would cost every query a round trip.
    let pool = PgPoolOptions::new().max_connections(connections_max).acquire_timeout(ACQUIRE_MAX).test_before_acquire(false);
    pool.connect_with(options).await
}

/// The settings of a connection to this address.
///
/// # Errors
/// The address is not a Postgres address.
pub fn options_of(url: &str) -> sqlx::Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(url)?.application_name("backscroll"))
}

/// The settings of a connection that reads or writes the read tables.
#[must_use]
pub fn connect_options(options: PgConnectOptions) -> PgConnectOptions {
    options.options([
        // Statements do not qualify the tables' names.
        ("search_path", "read,public"),
        // With a new plan for each query, planning over the months of `messages` takes longer than the query. One plan
        // suits all values: months that a query does not need are left out when it runs.
        ("plan_cache_mode", "force_generic_plan"),
        ("timezone", "UTC"),
        // Otherwise Postgres sends a notice for every long word that the full text index leaves out.
        ("client_min_messages", "warning"),
    ])
}

/// Checks that Postgres answers.
///
/// # Errors
/// Postgres does not answer.
pub async fn ping(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query_scalar!(r#"SELECT 1 AS "one!""#).fetch_one(pool).await.map(drop)
}

/// Returns the migrations of this release that the database lacks.
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
