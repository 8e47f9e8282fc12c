//! How far a reader of the log is behind its end. The end comes from the log itself, so events of every process count.

use sqlx::{PgExecutor, query};

/// The distance of a position from the end of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lag {
    /// The number of events behind the position.
    pub events: i64,
    /// Seconds since the first event behind the position was recorded. 0 if there is none.
    pub seconds: f64,
}

/// Returns the distance of a position from the end of the log.
///
/// # Errors
/// The database cannot be read.
pub async fn lag(executor: impl PgExecutor<'_>, position: i64) -> sqlx::Result<Lag> {
    let row = query!(
        r#"SELECT COALESCE((SELECT max(position) FROM events), 0) AS "head!",
                  EXTRACT(EPOCH FROM clock_timestamp()
                      - (SELECT recorded_at FROM events WHERE position > $1 ORDER BY position LIMIT 1))::float8 AS seconds"#,
        position
    );
    let row = row.fetch_one(executor).await?;
    // The clocks of the writer and of Postgres may differ a little.
    Ok(Lag { events: (row.head - position).max(0), seconds: row.seconds.unwrap_or_default().max(0.0) })
}
