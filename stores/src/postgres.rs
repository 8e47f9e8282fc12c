//! Postgres: the settings of connections, the pools, and whether the schema is that of this release.

mod diagnosis;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, PgPool};
use tokio::time::timeout;
use tracing::debug;

use crate::diagnosis::Diagnosis;
pub use diagnosis::{at, diagnose, explain, lacks_right};

/// How long a request waits for a connection to Postgres. After that, the caller is asked to try again.
pub const ACQUIRE_MAX: Duration = Duration::from_secs(3);

/// How long an append, or another statement of the write side, may take. It may wait for the appends of other
/// processes, and it goes on when its caller has gone. So this is longer than the limit of a query.
pub const WRITE_STATEMENT_MAX: Duration = Duration::from_secs(30);

/// How long a statement of background work may take: retention, the erasure of people, exports, filling an index. Such
/// a statement may read a whole workspace. The limit ends statements that nothing waits for any more. Rebuilds,
/// migrations and projectors have connections of their own, without a limit.
pub const WORK_STATEMENT_MAX: Duration = Duration::from_secs(3600);

/// How long a connection that is returned to its pool may be busy. A longer statement was abandoned: the request that
/// sent it has ended.
const ABANDONED_MAX: Duration = Duration::from_millis(200);

/// How often Postgres checks, during a statement, whether the connection was closed. Then it cancels the statement.
const CLOSED_CHECK: &str = "500ms";

/// The code of Postgres for a statement that was cancelled, by its limit or by an administrator.
const CANCELLED: &str = "57014";

/// A pool of at most this many connections, which it opens when they are needed. A statement may take `statement_max`.
/// Connections that copy the options of the pool have no limit.
///
/// A statement of a dropped future is cancelled: its connection is closed instead of returned to the pool.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn pool(connections_max: u32, options: PgConnectOptions, statement_max: Duration) -> sqlx::Result<PgPool> {
    // A dead connection is noticed when it is used. A test before each use would cost every query a round trip.
    let pool = PgPoolOptions::new().max_connections(connections_max).acquire_timeout(ACQUIRE_MAX).test_before_acquire(false);
    let limits =
        format!("SET statement_timeout = {}; SET client_connection_check_interval = '{CLOSED_CHECK}'", statement_max.as_millis().max(1));
    let pool = pool.after_connect(move |connection, _| {
        let limits = limits.clone();
        Box::pin(async move { connection.execute(limits.as_str()).await.map(drop) })
    });
    pool.after_release(|connection, _| Box::pin(is_free(connection))).connect_with(options).await
}

/// Whether the connection is free for the next statement. An ordinary connection is free at once. That of a dropped
/// future may still execute its statement, which cannot be cancelled over the same connection.
async fn is_free(connection: &mut PgConnection) -> sqlx::Result<bool> {
    // This waits only for answers that Postgres owes. It sends nothing, so it costs no round trip.
    match timeout(ABANDONED_MAX, connection.flush()).await {
        Ok(Ok(())) => Ok(true),
        Ok(Err(error)) => {
            debug!(%error, "a returned connection to postgres was broken");
            Ok(false)
        }
        Err(_) => {
            debug!("a statement was abandoned: its connection is closed, so that postgres cancels it");
            Ok(false)
        }
    }
}

/// Whether a statement was cancelled because it took too long.
#[must_use]
pub fn was_cancelled(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(refusal) if refusal.code().as_deref() == Some(CANCELLED))
}

/// The settings of a connection to this address.
///
/// # Errors
/// The address is not a Postgres address, or a file that it names cannot be used.
pub fn options_of(url: &str) -> Result<PgConnectOptions, Diagnosis> {
    diagnosis::check_files(url)?;
    let options = PgConnectOptions::from_str(url).map_err(|error| diagnosis::wrong_address(&error))?;
    Ok(options.application_name("backscroll"))
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

/// A migration of Postgres.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Migration {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub description: String,
}

impl fmt::Display for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.version, self.description)
    }
}

/// Returns the migrations of this release that the database lacks.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn missing_migrations(pool: &PgPool) -> sqlx::Result<Vec<Migration>> {
    let applied = applied_migrations(pool).await?;
    let is_applied = |version| applied.iter().any(|applied| applied.version == version);
    let missing = migrations::POSTGRES.iter().filter(|migration| !is_applied(migration.version));
    Ok(missing.map(|migration| Migration { version: migration.version, description: migration.description.to_string() }).collect())
}

/// Returns the migrations of the database that this release does not know, in order.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn unknown_migrations(pool: &PgPool) -> sqlx::Result<Vec<Migration>> {
    let mut unknown = applied_migrations(pool).await?;
    unknown.retain(|applied| !migrations::POSTGRES.version_exists(applied.version));
    Ok(unknown)
}

/// Not checked at compile time: sqlx makes this table.
async fn applied_migrations(pool: &PgPool) -> sqlx::Result<Vec<Migration>> {
    let applied = sqlx::query_as("SELECT version, description FROM public._sqlx_migrations WHERE success ORDER BY version");
    match applied.fetch_all(pool).await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Ok(Vec::new()),
        applied => applied,
    }
}
