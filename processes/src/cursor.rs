//! The cursor of a process, and its lock: one connection at a time runs the process, over all nodes.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, PgPool, query, query_as, query_scalar};

/// The lock of a process. It is held until this value is dropped or the connection ends.
pub(crate) struct ProcessLock {
    connection: PgConnection,
    process: &'static str,
}

impl ProcessLock {
    /// Takes the lock, if no other connection has it.
    pub(crate) async fn acquire(pool: &PgPool, process: &'static str) -> sqlx::Result<Option<Self>> {
        // Not a connection of the pool: the lock belongs to the connection and ends with it, even after kill -9.
        let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
        let key = format!("backscroll {process}");
        let taken = query_scalar!(r#"SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS "taken!""#, key);
        let taken = taken.fetch_one(&mut connection).await?;
        Ok(taken.then_some(Self { connection, process }))
    }

    /// Records that the process has finished a run at this time.
    pub(crate) async fn finished(&mut self, at: DateTime<Utc>) -> sqlx::Result<()> {
        query!(
            "INSERT INTO public.process_cursors (process, finished_at) VALUES ($1, $2)
             ON CONFLICT (process) DO UPDATE SET finished_at = $2, updated_at = now()",
            self.process,
            at
        )
        .execute(&mut self.connection)
        .await
        .map(drop)
    }

    /// Returns the position of the cursor.
    pub(crate) async fn position(&mut self) -> sqlx::Result<i64> {
        let found = query_scalar!("SELECT position FROM public.process_cursors WHERE process = $1", self.process);
        Ok(found.fetch_optional(&mut self.connection).await?.unwrap_or(0))
    }

    /// Moves the cursor. It runs on the connection that holds the lock, so a process that has lost the lock cannot move
    /// it.
    pub(crate) async fn advance(&mut self, position: i64) -> sqlx::Result<()> {
        query!(
            "INSERT INTO public.process_cursors (process, position) VALUES ($1, $2)
             ON CONFLICT (process) DO UPDATE SET position = $2, updated_at = now()",
            self.process,
            position
        )
        .execute(&mut self.connection)
        .await
        .map(drop)
    }
}

/// Returns when a process last finished. One that never ran gets `first`, so that it waits for its time.
pub(crate) async fn finished_at(pool: &PgPool, process: &str, first: DateTime<Utc>) -> sqlx::Result<DateTime<Utc>> {
    query!("INSERT INTO public.process_cursors (process, finished_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", process, first)
        .execute(pool)
        .await?;
    let found = query_scalar!(r#"SELECT finished_at FROM public.process_cursors WHERE process = $1"#, process).fetch_one(pool).await?;
    Ok(found.unwrap_or(first))
}

/// The last run of a process that came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRun {
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
}

/// Returns the last run of a process that came to its end, on whichever node. For a process that has not run yet, that
/// is the moment from which it waits for its time.
pub(crate) async fn last_run(pool: &PgPool, process: &str) -> sqlx::Result<Option<LastRun>> {
    query_as!(
        LastRun,
        r#"SELECT finished_at AS "began_at!", updated_at AS ended_at FROM public.process_cursors
           WHERE process = $1 AND finished_at IS NOT NULL"#,
        process
    )
    .fetch_optional(pool)
    .await
}
