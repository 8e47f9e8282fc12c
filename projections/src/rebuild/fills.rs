//! The progress of a projection that is being filled: for the first time, or again after its store has lost its data. It
//! is in a table that every node reads, from the first moment on, and in the log.
//!
//! A replay that an operator has asked for is in [`super::runs`] instead.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgExecutor, PgPool, query, query_as};
use stores::release::holder;
use tokio::time::sleep;
use tracing::{info, warn};
use utoipa::ToSchema;

use super::report::{Phase, RebuildProgress};

/// How often the progress is written into the table.
const WRITE_EVERY: Duration = Duration::from_millis(250);
/// How often the progress is logged. A new phase is logged at once.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// How long a fill may be silent. After that time, its process is taken for dead.
const SILENT_MAX: Duration = Duration::from_secs(10);

/// A projection that is being filled.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ReplayFill)]
pub struct Fill {
    /// The projection.
    #[schema(example = "search")]
    pub projection: String,
    /// The process that fills it: the host and the process number.
    pub holder: String,
    /// The current phase: `folding` (writing documents), `catching up`, `comparing`, `switching`.
    #[schema(example = "folding")]
    pub phase: String,
    /// How much of the phase is done: documents, events, or indices.
    pub done: i64,
    /// How much the phase has in total. While documents are written, it may be an estimate.
    pub total: i64,
    /// How much of the phase is done per second.
    pub per_second: f64,
    /// The seconds until the end of the phase at that rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<f64>,
    /// When it began.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub started_at: DateTime<Utc>,
}

/// Returns the projections that are being filled now.
///
/// # Errors
/// The database cannot be read.
pub async fn fills(executor: impl PgExecutor<'_>) -> sqlx::Result<Vec<Fill>> {
    query_as!(
        Fill,
        r#"SELECT projection, holder, phase, done, total, started_at, rate AS "per_second!",
                  CASE WHEN rate > 0 AND total > done THEN (total - done) / rate END AS seconds_left
           FROM projection_fills,
                LATERAL (SELECT CASE WHEN seen_at > phase_began_at
                                     THEN done / extract(epoch FROM seen_at - phase_began_at)::float8 ELSE 0 END AS rate) AS rated
           WHERE seen_at > clock_timestamp() - make_interval(secs => $1) ORDER BY projection"#,
        SILENT_MAX.as_secs_f64()
    )
    .fetch_all(executor)
    .await
}

/// The progress of a running fill, on its way to the table and the log.
pub(crate) struct FillProgress<'a> {
    pool: &'a PgPool,
    projection: &'static str,
    latest: Mutex<RebuildProgress>,
}

impl<'a> FillProgress<'a> {
    pub(crate) fn new(pool: &'a PgPool, projection: &'static str) -> Self {
        Self { pool, projection, latest: Mutex::new(RebuildProgress { phase: Phase::Folding, done: 0, total: 0 }) }
    }

    /// Takes the progress. It is written a moment later.
    pub(crate) fn observe(&self, progress: RebuildProgress) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    fn latest(&self) -> RebuildProgress {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows the progress of `fill` from now until its end.
    pub(crate) async fn shown_until_end<T>(&self, fill: impl Future<Output = T>) -> T {
        info!(projection = self.projection, "the projection is empty and is being filled: GET /v1/projections shows the progress");
        self.warn_if_unwritten(self.begin().await);
        let mut lines = LogLines::new(self.projection);
        let mut fill = std::pin::pin!(fill);
        let outcome = loop {
            tokio::select! {
                outcome = &mut fill => break outcome,
                () = sleep(WRITE_EVERY) => {}
            }
            lines.log(self.latest());
            // Written in parallel with the fill: neither waits for the other.
            let written = self.write();
            tokio::select! {
                outcome = &mut fill => break outcome,
                written = written => self.warn_if_unwritten(written),
            }
        };
        self.warn_if_unwritten(self.end().await);
        outcome
    }

    async fn begin(&self) -> sqlx::Result<()> {
        query!(
            "INSERT INTO projection_fills (projection, holder, phase) VALUES ($1, $2, $3)
             ON CONFLICT (projection) DO UPDATE SET holder = $2, phase = $3, done = 0, total = 0, started_at = clock_timestamp(),
                 phase_began_at = clock_timestamp(), seen_at = clock_timestamp()",
            self.projection,
            holder(),
            Phase::Folding.as_str()
        )
        .execute(self.pool)
        .await
        .map(drop)
    }

    async fn write(&self) -> sqlx::Result<()> {
        let RebuildProgress { phase, done, total } = self.latest();
        query!(
            "UPDATE projection_fills SET phase = $2, done = $3, total = $4, seen_at = clock_timestamp(),
                    phase_began_at = CASE WHEN phase = $2 THEN phase_began_at ELSE clock_timestamp() END
             WHERE projection = $1",
            self.projection,
            phase.as_str(),
            i64::try_from(done).unwrap_or(i64::MAX),
            i64::try_from(total).unwrap_or(i64::MAX)
        )
        .execute(self.pool)
        .await
        .map(drop)
    }

    async fn end(&self) -> sqlx::Result<()> {
        query!("DELETE FROM projection_fills WHERE projection = $1", self.projection).execute(self.pool).await.map(drop)
    }

    fn warn_if_unwritten(&self, written: sqlx::Result<()>) {
        if let Err(error) = written {
            warn!(projection = self.projection, %error, "the progress of a fill could not be written");
        }
    }
}

/// The log lines of one fill.
struct LogLines {
    projection: &'static str,
    phase: Option<Phase>,
    phase_began: Instant,
    logged: Instant,
}

impl LogLines {
    fn new(projection: &'static str) -> Self {
        let now = Instant::now();
        Self { projection, phase: None, phase_began: now, logged: now }
    }

    /// Logs the progress if the phase is new, or if the last line is old enough.
    fn log(&mut self, RebuildProgress { phase, done, total }: RebuildProgress) {
        let is_new = self.phase != Some(phase);
        if is_new {
            (self.phase, self.phase_began) = (Some(phase), Instant::now());
        }
        if is_new || self.logged.elapsed() >= LOG_EVERY {
            self.logged = Instant::now();
            let millis = self.phase_began.elapsed().as_millis().max(1);
            let per_second = u128::from(done) * 1000 / millis;
            info!(projection = self.projection, phase = phase.as_str(), done, total, per_second, "the projection is being filled");
        }
    }
}
