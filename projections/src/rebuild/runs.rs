//! The replays that were asked for, one row each, visible to every node. The node that runs a replay updates its row.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::EventId;
use domain::installation::{ReplayOutcome, ReplayStart};
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgPool, query, query_as, query_scalar};
use utoipa::ToSchema;
use uuid::Uuid;

use super::report::RebuildProgress;
use crate::engine::registry;

/// Reads the identifier of the event at a position.
///
/// # Errors
/// The database cannot be used.
pub async fn event_at(pool: &PgPool, position: i64) -> sqlx::Result<Option<EventId>> {
    let found = query_scalar!("SELECT event_id FROM events WHERE position = $1", position).fetch_optional(pool).await?;
    Ok(found.map(EventId))
}

/// How long a replay may be silent before its process is suspected to be dead. Its lock on the projection then shows
/// whether it is.
const SILENT_MAX: Duration = Duration::from_secs(5);

/// A replay: running, or ended.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ReplayRun {
    /// The replay's identifier.
    pub replay_id: Uuid,
    /// The projection.
    #[schema(example = "relational")]
    pub projection: String,
    /// The order: `scope`, and whether it is a `dry_run` or `accepts_differences`.
    #[serde(serialize_with = "domain::document::serialize_shown")]
    #[schema(value_type = Object)]
    pub asked: Value,
    /// The process that runs it: the host and the process number.
    pub holder: String,
    /// `running`, or the outcome: `switched`, `checked` (a dry run), `repaired` (a workspace), `built` (a view),
    /// `differs`, `failed`, `cancelled`, or `cut_off` if its process died.
    #[schema(example = "running")]
    pub state: String,
    /// The current or last phase: `folding`, `indexing`, `catching up`, `comparing`, `switching`.
    #[schema(example = "folding")]
    pub phase: String,
    /// How much of the phase is done: events, indexes, or tables.
    pub done: i64,
    /// How much the phase has in total.
    pub total: i64,
    /// How much of the phase is done per second.
    pub per_second: f64,
    /// The seconds until the end of the phase at that rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<f64>,
    /// When it began.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub started_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub ended_at: Option<DateTime<Utc>>,
    /// How long it has been running, or ran, in seconds.
    pub seconds: f64,
    /// Whether an operator has asked to cancel it.
    pub cancel_asked: bool,
    /// Its result: the positions of comparison and switch, the rows, and the differences.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::document::serialize_option")]
    #[schema(value_type = Option<Object>)]
    pub report: Option<Value>,
    /// Why it failed. Then the old model stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Inserts the row of a replay that begins.
///
/// # Errors
/// The database cannot be used.
pub async fn begin(pool: &PgPool, start: &ReplayStart, holder: &str) -> sqlx::Result<()> {
    query!(
        "INSERT INTO replays (replay_id, projection, asked, holder) VALUES ($1, $2, $3, $4)",
        start.replay_id,
        start.projection,
        Json(start) as _,
        holder
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Writes the progress of a replay, and returns whether an operator has asked to cancel it.
///
/// # Errors
/// The database cannot be used.
pub async fn record_progress(pool: &PgPool, replay_id: Uuid, progress: Option<RebuildProgress>) -> sqlx::Result<bool> {
    let (phase, done, total) = match progress {
        Some(progress) => (Some(progress.phase.as_str()), counted(progress.done), counted(progress.total)),
        None => (None, 0, 0),
    };
    let asked = query_scalar!(
        "UPDATE replays SET phase = COALESCE($2, phase), done = $3, total = $4, seen_at = clock_timestamp(),
                phase_began_at = CASE WHEN phase = $2 THEN phase_began_at ELSE clock_timestamp() END
         WHERE replay_id = $1 RETURNING cancel_asked",
        replay_id,
        phase,
        done,
        total
    );
    Ok(asked.fetch_optional(pool).await?.unwrap_or(false))
}

/// Writes the outcome of a replay.
///
/// # Errors
/// The database cannot be used.
pub async fn end(pool: &PgPool, replay_id: Uuid, outcome: ReplayOutcome, report: Option<Value>, error: Option<&str>) -> sqlx::Result<()> {
    query!(
        "UPDATE replays SET state = $2, report = $3, error = $4, ended_at = clock_timestamp(), seen_at = clock_timestamp()
         WHERE replay_id = $1 AND ended_at IS NULL",
        replay_id,
        outcome.as_str(),
        report.map(Json) as _,
        error
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Asks to cancel the running replay of a projection, on whichever node it runs, and returns it.
///
/// # Errors
/// The database cannot be used.
pub async fn ask_to_cancel(pool: &PgPool, projection: &str) -> sqlx::Result<Option<ReplayRun>> {
    let running =
        query_scalar!("UPDATE replays SET cancel_asked = TRUE WHERE projection = $1 AND ended_at IS NULL RETURNING replay_id", projection);
    match running.fetch_optional(pool).await? {
        Some(replay_id) => Ok(of(pool, None, Some(replay_id), 1).await?.pop()),
        None => Ok(None),
    }
}

/// Returns the replays of a projection, or of all projections, the latest first.
///
/// # Errors
/// The database cannot be used.
pub async fn latest(pool: &PgPool, projection: Option<&str>, limit: u16) -> sqlx::Result<Vec<ReplayRun>> {
    of(pool, projection, None, i64::from(limit)).await
}

/// Returns, for each projection, the running replay and the one that ended last, the latest first.
///
/// # Errors
/// The database cannot be used.
pub async fn latest_of_each(pool: &PgPool) -> sqlx::Result<Vec<ReplayRun>> {
    let mut latest = Vec::new();
    for projection in registry::NAMES {
        let mut runs = of(pool, Some(projection), None, 2).await?;
        // The running replay and the one before it; or only the one that ended last.
        runs.truncate(if runs.first().is_some_and(|run| run.ended_at.is_none()) { 2 } else { 1 });
        latest.append(&mut runs);
    }
    Ok(latest)
}

/// Returns one replay.
///
/// # Errors
/// The database cannot be used.
pub async fn find(pool: &PgPool, replay_id: Uuid) -> sqlx::Result<Option<ReplayRun>> {
    Ok(of(pool, None, Some(replay_id), 1).await?.pop())
}

async fn of(pool: &PgPool, projection: Option<&str>, replay_id: Option<Uuid>, limit: i64) -> sqlx::Result<Vec<ReplayRun>> {
    query_as!(
        ReplayRun,
        r#"SELECT replay_id, projection, asked, holder, state, phase, done, total, started_at, ended_at, cancel_asked, report, error,
                  rate AS "per_second!",
                  CASE WHEN ended_at IS NULL AND rate > 0 AND total > done THEN (total - done) / rate END AS seconds_left,
                  extract(epoch FROM COALESCE(ended_at, clock_timestamp()) - started_at)::float8 AS "seconds!"
           FROM replays,
                LATERAL (SELECT CASE WHEN seen_at > phase_began_at
                                     THEN done / extract(epoch FROM seen_at - phase_began_at)::float8 ELSE 0 END AS rate) AS rated
           WHERE ($1::text IS NULL OR projection = $1) AND ($2::uuid IS NULL OR replay_id = $2)
           ORDER BY started_at DESC LIMIT $3"#,
        projection,
        replay_id,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Returns replays that have not ended and have been silent for too long. Their processes may have died.
///
/// # Errors
/// The database cannot be used.
pub async fn unresponsive(pool: &PgPool) -> sqlx::Result<Vec<(Uuid, String)>> {
    let silent = query!(
        "SELECT replay_id, projection FROM replays WHERE ended_at IS NULL AND seen_at < clock_timestamp() - make_interval(secs => $1)",
        SILENT_MAX.as_secs_f64()
    );
    Ok(silent.fetch_all(pool).await?.into_iter().map(|row| (row.replay_id, row.projection)).collect())
}

fn counted(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
