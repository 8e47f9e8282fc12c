//! Where a process is, and who runs it: one connection at a time, over all nodes.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, PgPool, query, query_scalar};

/// The right to run a process, held until it is dropped or its connection ends.
pub(crate) struct Turn {
    connection: PgConnection,
    process: &'static str,
}

impl Turn {
    /// The right, where nobody has it.
    pub(crate) async fn take(pool: &PgPool, process: &'static str) -> sqlx::Result<Option<Self>> {
        // Not one of the pool's: the lock belongs to the connection, and ends with it, even with kill -9.
        let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
        let key = format!("backscroll {process}");
        let taken = query_scalar!(r#"SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS "taken!""#, key);
        let taken = taken.fetch_one(&mut connection).await?;
        Ok(taken.then_some(Self { connection, process }))
    }

    /// It came to its end at that moment.
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

    /// How far it is.
    pub(crate) async fn position(&mut self) -> sqlx::Result<i64> {
        let found = query_scalar!("SELECT position FROM public.process_cursors WHERE process = $1", self.process);
        Ok(found.fetch_optional(&mut self.connection).await?.unwrap_or(0))
    }

    /// It is that far. On the connection that holds the turn, so that who has lost it cannot say so.
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

/// When a process last came to its end. One that never ran is said to have ended at `first`, so that it waits for its time.
pub(crate) async fn finished_at(pool: &PgPool, process: &str, first: DateTime<Utc>) -> sqlx::Result<DateTime<Utc>> {
    query!("INSERT INTO public.process_cursors (process, finished_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", process, first)
        .execute(pool)
        .await?;
    let found = query_scalar!(r#"SELECT finished_at FROM public.process_cursors WHERE process = $1"#, process).fetch_one(pool).await?;
    Ok(found.unwrap_or(first))
}
