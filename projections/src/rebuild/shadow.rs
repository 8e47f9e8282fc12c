//! The schema that a rebuild fills, `read_next`, beside the live one, `read`. What it looks like is read off the live one's catalog.

use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection, PgPool, query, query_scalar};
use tracing::warn;

use super::report::RebuildError;
use crate::{checkpoint, relational};

/// The schema that is read from.
pub(super) const LIVE: &str = "read";
/// The schema that is filled.
pub(super) const NEXT: &str = "read_next";
/// What the live schema is called from the switch until it is dropped.
pub(super) const OLD: &str = "read_old";

/// Memory for building one index, for each connection that builds one.
const INDEX_MEMORY: &str = "256MB";

/// How long to wait for the last readers of the old tables, each time.
const DROP_LOCK_TIMEOUT: &str = "2s";

/// How many times to wait for them. Then the old tables stay until the next rebuild.
const DROP_TRIES_MAX: u32 = 15;

/// The schema under construction. Whoever has it is the only one to rebuild.
pub(super) struct Shadow {
    pub(super) pool: PgPool,
    /// It holds the lock, and its statements mean the tables under construction.
    pub(super) connection: PgConnection,
}

impl Shadow {
    /// Takes the lock.
    pub(super) async fn open(pool: &PgPool) -> Result<Self, RebuildError> {
        let mut connection = connect(pool).await?;
        if !checkpoint::try_rebuild(&mut connection, relational::NAME).await? {
            return Err(RebuildError::UnderWay(relational::NAME.into()));
        }
        Ok(Self { pool: pool.clone(), connection })
    }

    /// One more connection whose statements mean the tables under construction.
    pub(super) async fn connect(&self) -> sqlx::Result<PgConnection> {
        connect(&self.pool).await
    }

    /// The live schema's tables, empty, without indexes, and without months.
    pub(super) async fn create_tables(&mut self) -> sqlx::Result<()> {
        for schema in [NEXT, OLD] {
            self.connection.execute(format!("DROP SCHEMA IF EXISTS {schema} CASCADE").as_str()).await?;
        }
        self.forget_checkpoint().await?;
        self.connection.execute(format!("CREATE SCHEMA {NEXT}").as_str()).await?;
        for statement in self.tables_as_live().await? {
            self.connection.execute(statement.as_str()).await?;
        }
        Ok(())
    }

    /// Names of the tables, without partitions.
    pub(super) async fn tables(&mut self) -> sqlx::Result<Vec<String>> {
        let found = query_scalar!(
            r#"SELECT relname::text AS "name!" FROM pg_class
               WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1"#,
            LIVE
        );
        found.fetch_all(&mut self.connection).await
    }

    /// So that the first queries after the switch have good plans. What no index is on may wait for Postgres to come round by itself,
    /// and so may expressions: cutting every text into words once more would take as long as everything else.
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
            NEXT
        );
        found.fetch_all(&mut self.connection).await
    }

    /// Drops the old tables, once nobody reads them any more. Whoever begins to read now reads the new ones.
    pub(super) async fn drop_old(&mut self) {
        for _ in 0..DROP_TRIES_MAX {
            match self.try_drop_old().await {
                Ok(()) => return,
                Err(error) => warn!(%error, "the old tables are still being read"),
            }
        }
        warn!(schema = OLD, "the old tables stay until the next rebuild");
    }

    /// Locks before it drops, each table before its partitions, as readers do: in another order they could lock each other out.
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

    /// Leaves nothing behind of a rebuild that failed.
    pub(super) async fn discard(&mut self) {
        let dropped = self.connection.execute(format!("DROP SCHEMA IF EXISTS {NEXT} CASCADE").as_str()).await.map(drop);
        let forgotten = self.forget_checkpoint().await;
        if let Err(error) = dropped.and(forgotten) {
            // The next rebuild drops it.
            warn!(%error, schema = NEXT, "a failed rebuild could not be cleared away");
        }
    }

    /// Lets the next one begin.
    pub(super) async fn close(mut self) {
        checkpoint::end_rebuilding(&mut self.connection, relational::NAME).await;
    }

    async fn forget_checkpoint(&mut self) -> sqlx::Result<()> {
        query!("DELETE FROM parked_keys WHERE projection = $1", relational::NEXT_NAME).execute(&mut self.connection).await?;
        query!("DELETE FROM projection_checkpoints WHERE projection = $1", relational::NEXT_NAME).execute(&mut self.connection).await?;
        Ok(())
    }

    async fn tables_as_live(&mut self) -> sqlx::Result<Vec<String>> {
        let found = query_scalar!(
            r#"SELECT format('CREATE TABLE %I.%I (LIKE %s INCLUDING ALL EXCLUDING INDEXES)', $2::text, relname, oid::regclass)
                      || COALESCE(' PARTITION BY ' || pg_get_partkeydef(oid), '') AS "statement!"
               FROM pg_class
               WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"#,
            LIVE,
            NEXT
        );
        found.fetch_all(&mut self.connection).await
    }
}

async fn connect(pool: &PgPool) -> sqlx::Result<PgConnection> {
    let options = crate::connect_options(pool.connect_options().as_ref().clone()).application_name("backscroll rebuild").options([
        ("search_path", "read_next,public"),
        // What a crash would lose here, a rebuild would throw away anyway. The switch itself waits for the disk.
        ("synchronous_commit", "off"),
        ("maintenance_work_mem", INDEX_MEMORY),
        ("statement_timeout", "0"),
    ]);
    PgConnection::connect_with(&options).await
}

/// How long to pause between two looks at something that others move.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(20);
