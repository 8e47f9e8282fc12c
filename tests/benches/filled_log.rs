//! A log of any length, filled by SQL. Its rows look like those of messages, with empty payloads. They are inserted in
//! order and through every index, with the setting that the trigger requires.

use std::process::Command;

use commands::EventStore;
use sqlx::postgres::PgPool;
use sqlx::{Connection, Executor, PgConnection};
use tests::TestDatabase;
use tests::servers::{address, checkout};

use crate::appenders::Ours;

/// The number of rows of one INSERT.
const ROWS_AT_ONCE: i64 = 500_000;
/// The approximate size of one row on disk, in bytes, with its share of the indexes and of the write-ahead log.
pub const ROW_BYTES: u64 = 400;

pub struct FilledLog {
    database: TestDatabase,
    events: i64,
}

impl FilledLog {
    pub async fn create() -> Self {
        Self { database: TestDatabase::create().await, events: 0 }
    }

    /// Adds events until the log has this number, then vacuums, so that Postgres has no work in the background.
    pub async fn grow_to(&mut self, events: i64) {
        let pool = self.database.pool(1).await;
        self.events = sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM events").fetch_one(&pool).await.expect("the head");
        while self.events < events {
            let to = events.min(self.events + ROWS_AT_ONCE);
            fill(&pool, self.events + 1, to).await;
            self.events = to;
        }
        sqlx::raw_sql("VACUUM ANALYZE events").execute(&pool).await.expect("the vacuum");
        checkpoint().await;
    }

    /// A store with this log, as after a start.
    pub async fn store(&self) -> Ours {
        let pool = self.database.pool(8).await;
        Ours::over(EventStore::start(pool.clone(), tests::keyring(&pool).await).await.expect("the store"))
    }
}

async fn fill(pool: &PgPool, first: i64, last: i64) {
    let mut transaction = pool.begin().await.expect("a transaction");
    transaction.execute("SET LOCAL backscroll.appending = 'yes'").await.expect("the setting for inserts");
    // Identifiers of version 7: they increase with time, like those of messages.
    let rows =
        "INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, event_id,
                                    workspace_id, recorded_at, digest)
                SELECT n, 'message', id, 1, 'message.posted', '1', '{}', '{}', id::uuid, $3, now() - interval '1 day' + n * interval '1 us',
                       decode(repeat('00', 32), 'hex')
                FROM (SELECT n, '01900000-' || lpad(to_hex(n >> 24), 4, '0') || '-7000-8000-' || lpad(to_hex(n), 12, '0') AS id
                      FROM generate_series($1::bigint, $2::bigint) AS numbers (n)) AS rows";
    let workspace = uuid::Uuid::from_u128(1);
    sqlx::query(rows).bind(first).bind(last).bind(workspace).execute(&mut *transaction).await.expect("rows");
    transaction.commit().await.expect("rows");
}

/// Makes Postgres write everything to disk now, if the user may do that. Otherwise Postgres does it during the
/// measurement.
async fn checkpoint() {
    let admin = std::env::var("BACKSCROLL_POSTGRES_ADMIN_URL").unwrap_or_else(|_| address("BACKSCROLL_POSTGRES_URL"));
    if let Ok(mut connection) = PgConnection::connect(&admin).await {
        let _ = connection.execute("CHECKPOINT").await;
    }
}

/// The free bytes on the disk where the servers of this checkout keep their data.
pub fn free_bytes() -> u64 {
    let folder = checkout().join(".run");
    let asked = Command::new("df").args(["--block-size=1", "--output=avail"]).arg(folder).output();
    let text = asked.map(|asked| String::from_utf8_lossy(&asked.stdout).into_owned()).unwrap_or_default();
    text.lines().nth(1).and_then(|line| line.trim().parse().ok()).unwrap_or_default()
}
