//! The schema that a rebuild fills, `read_next`, beside the live one, `read`. Its tables are copied from the live
//! schema's catalog.

use std::time::Duration;

use keyring::Keyring;
use sqlx::{Connection, Executor, PgConnection, PgPool, query, query_scalar};
use stores::checkpoint;
use tracing::warn;

use super::lock::RebuildLock;
use super::report::RebuildError;
use crate::connections::Connections;
use crate::relational;

/// The schema that queries read.
pub(super) const LIVE: &str = "read";
/// The schema that a rebuild fills.
pub(super) const NEXT: &str = "read_next";
/// The name of the former live schema from the switch until it is dropped.
pub(super) const OLD: &str = "read_old";

/// The application name of its connections, so that connections left by a dead rebuild can be ended.
const APPLICATION: &str = "backscroll rebuild";

/// The memory for building one index, on each connection that builds one.
const INDEX_MEMORY: &str = "256MB";

/// How long each try waits for the last readers of the old tables.
const DROP_LOCK_TIMEOUT: &str = "2s";

/// How many times to try. After that, the old tables stay until the next rebuild.
const DROP_TRIES_MAX: u32 = 15;

/// How long to wait until an ended connection is really closed.
const CUT_OFF_MILLISECONDS: i64 = 5_000;

/// The schema under construction. Its owner is the only process that rebuilds.
pub(super) struct Shadow {
    pub(super) pool: PgPool,
    /// The keys that unseal the log.
    pub(super) keys: Keyring,
    /// The connection that holds the lock. Its statements use the tables under construction.
    pub(super) connection: PgConnection,
    /// The schema's name: [`NEXT`], or that of a view.
    pub(super) schema: String,
}

impl Shadow {
    /// Opens the schema of that name. The caller has the rebuild lock.
    pub(super) async fn open(stores: &Connections, lock: RebuildLock, schema: &str) -> Result<Self, RebuildError> {
        let mut connection = lock.connection;
        for (setting, value) in settings(schema).into_iter().chain([("application_name", APPLICATION.to_owned())]) {
            query_scalar!("SELECT set_config($1, $2, FALSE)", setting, value).fetch_one(&mut connection).await?;
        }
        Ok(Self { pool: stores.pool.clone(), keys: stores.keys.clone(), connection, schema: schema.into() })
    }

    /// Opens one more connection whose statements use the tables under construction.
    pub(super) async fn connect(&self) -> sqlx::Result<PgConnection> {
        let options = stores::postgres::connect_options(self.pool.connect_options().as_ref().clone());
        PgConnection::connect_with(&options.application_name(APPLICATION).options(settings(&self.schema))).await
    }

    /// Creates the live schema's tables, empty, without indexes and without monthly partitions.
    pub(super) async fn create_tables(&mut self) -> sqlx::Result<()> {
        clear(&mut self.connection).await?;
        self.connection.execute(format!("DROP SCHEMA IF EXISTS {} CASCADE", self.schema).as_str()).await?;
        self.connection.execute(format!("CREATE SCHEMA {}", self.schema).as_str()).await?;
        for statement in self.tables_as_live().await? {
            self.connection.execute(statement.as_str()).await?;
        }
        Ok(())
    }

    /// The names of the tables, without partitions.
    pub(super) async fn tables(&mut self) -> sqlx::Result<Vec<String>> {
        tables(&mut self.connection).await
    }

    /// Analyzes the columns that have an index, so that the first queries after the switch have good plans. Other
    /// columns can wait for Postgres' own analysis. So can expressions: cutting every text into words again would take
    /// as long as all the rest.
    pub(super) async fn analyze(&mut self) -> sqlx::Result<()> {
        for statement in self.analyses().await? {
            self.connection.execute(statement.as_str()).await?;
        }
        Ok(())
    }

    async fn analyses(&mut self) -> sqlx::Result<Vec<String>> {
        let found = query_scalar!(
            r#"SELECT format('ANALYZE %s (%s)', t.oid::regclass, string_agg(quote_ident(a.attname), ', ')) AS "statement!"
               FROM pg_class t
               JOIN pg_attribute a ON a.attrelid = t.oid
               WHERE t.relnamespace = $1::text::regnamespace AND t.relkind IN ('r', 'p') AND NOT t.relispartition
                 AND EXISTS (SELECT FROM pg_index x WHERE x.indrelid = t.oid AND a.attnum = ANY (x.indkey))
               GROUP BY t.oid"#,
            self.schema
        );
        found.fetch_all(&mut self.connection).await
    }

    /// Drops the old tables, once no query reads them any more. New queries already read the new tables.
    pub(super) async fn drop_old(&mut self) {
        for _ in 0..DROP_TRIES_MAX {
            match self.try_drop_old().await {
                Ok(()) => return,
                Err(error) => warn!(%error, "the old tables are still being read"),
            }
        }
        warn!(schema = OLD, "the old tables stay until the next rebuild");
    }

    /// Locks the tables before it drops them, each table before its partitions, as readers do. Another order could end
    /// in a deadlock with a reader.
    async fn try_drop_old(&mut self) -> sqlx::Result<()> {
        let tables = self.tables().await?;
        let mut tx = self.connection.begin().await?;
        tx.execute(format!("SET LOCAL lock_timeout = '{DROP_LOCK_TIMEOUT}'").as_str()).await?;
        for table in tables {
            tx.execute(format!("LOCK TABLE {OLD}.{table} IN ACCESS EXCLUSIVE MODE").as_str()).await?;
        }
        tx.execute(format!("DROP SCHEMA {OLD} CASCADE").as_str()).await?;
        tx.commit().await
    }

    /// Releases the lock, so that another rebuild can begin.
    pub(super) async fn close(mut self) {
        checkpoint::end_rebuilding(&mut self.connection, relational::NAME).await;
    }

    /// Removes everything of a rebuild that failed or was cancelled: ends its remaining connections, and drops its
    /// tables.
    pub(super) async fn discard(self) {
        let (pool, schema) = (self.pool.clone(), self.schema.clone());
        if let Err(error) = self.cut_off().await.and(discard_leftovers(&pool, &schema).await) {
            // The next rebuild or the tidying process drops it.
            warn!(%error, schema, "the tables of a failed rebuild could not be removed");
        }
    }

    /// Ends the connections of this rebuild, whatever they are doing. All of them belong to this rebuild, because it
    /// still has the lock.
    async fn cut_off(self) -> sqlx::Result<()> {
        let mut connection = self.pool.acquire().await?;
        let ended = query_scalar!(
            r#"SELECT count(pg_terminate_backend(pid, $2)) AS "ended!" FROM pg_stat_activity
               WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()"#,
            APPLICATION,
            CUT_OFF_MILLISECONDS
        );
        ended.fetch_one(&mut *connection).await.map(drop)
    }

    async fn tables_as_live(&mut self) -> sqlx::Result<Vec<String>> {
        let found = query_scalar!(
            r#"SELECT format('CREATE TABLE %I.%I (LIKE %s INCLUDING ALL EXCLUDING INDEXES)', $2::text, relname, oid::regclass)
                      || COALESCE(' PARTITION BY ' || pg_get_partkeydef(oid), '') AS "statement!"
               FROM pg_class
               WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"#,
            LIVE,
            self.schema
        );
        found.fetch_all(&mut self.connection).await
    }
}

/// The names of the live tables, without partitions.
pub(super) async fn tables(connection: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    let found = query_scalar!(
        r#"SELECT relname::text AS "name!" FROM pg_class
           WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1"#,
        LIVE
    );
    found.fetch_all(connection).await
}

/// Removes what a failed rebuild has left, unless another rebuild is running: that one removes it itself.
async fn discard_leftovers(pool: &PgPool, schema: &str) -> sqlx::Result<()> {
    let mut lock = match RebuildLock::acquire(pool, relational::NAME).await {
        Ok(lock) => lock,
        Err(RebuildError::Database(error)) => return Err(error),
        Err(_) => return Ok(()),
    };
    clear(&mut lock.connection).await?;
    lock.connection.execute(format!("DROP SCHEMA IF EXISTS {schema} CASCADE").as_str()).await?;
    lock.release().await;
    Ok(())
}

/// Removes everything that a dead rebuild has left. The caller has the lock.
pub(super) async fn clear(connection: &mut PgConnection) -> sqlx::Result<()> {
    for schema in [NEXT, OLD] {
        connection.execute(format!("DROP SCHEMA IF EXISTS {schema} CASCADE").as_str()).await?;
    }
    query!("DELETE FROM parked_keys WHERE projection = $1", relational::NEXT_NAME).execute(&mut *connection).await?;
    query!("DELETE FROM projection_checkpoints WHERE projection = $1", relational::NEXT_NAME).execute(connection).await?;
    Ok(())
}

/// The settings of its connections.
fn settings(schema: &str) -> [(&'static str, String); 5] {
    [
        ("search_path", format!("{schema},public")),
        // A rebuild would throw away what a crash loses here. The switch itself waits for the disk.
        ("synchronous_commit", "off".into()),
        ("maintenance_work_mem", INDEX_MEMORY.into()),
        ("statement_timeout", "0".into()),
        // If the process dies during a long statement, the lock must not stay until the statement ends.
        ("client_connection_check_interval", "1s".into()),
    ]
}

/// How long to pause between two checks of something that other processes change.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(20);
