//! Exports of all data of one person, in `state.exports`: a queue of jobs, and their results in pieces. A node that
//! takes a job has a lease. If it dies, another node takes the job again after the lease.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::UserId;
use serde::Serialize;
use sqlx::{PgPool, query, query_as, query_scalar};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::StateError;

/// The most exports that one person may ask for in a day. Each may compress everything that somebody wrote.
pub const PER_DAY_MAX: i64 = 5;
/// How long a result can be downloaded.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// How long a node may work on a job without writing a piece.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// How often a job is tried. Then it has failed.
const ATTEMPTS_MAX: i32 = 3;
/// The class of the advisory locks for requests of one person.
const LOCK: i32 = 460_010;

/// An export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DataExport)]
pub struct Export {
    /// The export.
    pub export_id: Uuid,
    /// The user whose data it has.
    pub user_id: Uuid,
    /// The user who asked for it. No other user may download it.
    #[serde(skip)]
    pub requested_by: Uuid,
    /// When it was asked for.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub requested_at: DateTime<Utc>,
    /// `queued`, `running`, `ready` or `failed`.
    #[schema(example = "ready")]
    pub state: String,
    /// The size of the zip so far, in bytes.
    pub bytes: i64,
    /// When it is deleted, if it is ready or has failed.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// The answer to a request for an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requested {
    /// The export is queued, or the same caller's export of the user is still under way.
    Accepted(Export),
    /// Another caller's export of the user is under way.
    UnderWay,
    /// The caller has asked for too many exports. They may ask again at this time.
    TooMany(DateTime<Utc>),
}

/// An export that this node works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// The export.
    pub export_id: Uuid,
    /// The user whose data it has.
    pub user_id: UserId,
    attempt: Uuid,
}

/// Counts of the exports that have not expired.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ExportCounts {
    /// Waiting for a node.
    pub queued: i64,
    /// Being made.
    pub running: i64,
    /// Waiting to be downloaded.
    pub ready: i64,
    /// Tried too often.
    pub failed: i64,
    /// How long the oldest export that is neither ready nor failed has waited, in seconds.
    pub oldest_waiting_seconds: f64,
}

/// The exports. Clones share everything.
#[derive(Clone)]
pub struct ExportStore {
    pool: PgPool,
}

impl ExportStore {
    /// The exports in this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Queues an export of the user's data.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn request(&self, user_id: UserId, by: UserId) -> Result<Requested, StateError> {
        let mut tx = self.pool.begin().await?;
        // Requests of one person come one after the other, so that they are counted rightly. In order, so that two
        // requests cannot deadlock.
        for person in [user_id.min(by), user_id.max(by)] {
            let lock = query!("SELECT pg_advisory_xact_lock($1, hashtext($2))", LOCK, person.0.to_string());
            lock.execute(&mut *tx).await?;
        }
        let unfinished = query_as!(
            Export,
            "SELECT export_id, user_id, requested_by, requested_at, state, bytes, expires_at FROM state.exports
             WHERE user_id = $1 AND state IN ('queued', 'running')",
            user_id.0,
        );
        if let Some(export) = unfinished.fetch_optional(&mut *tx).await? {
            return Ok(if export.requested_by == by.0 { Requested::Accepted(export) } else { Requested::UnderWay });
        }
        let recent = query_scalar!(
            "SELECT requested_at FROM state.exports WHERE requested_by = $1 AND requested_at > now() - INTERVAL '1 day'
             ORDER BY requested_at DESC OFFSET $2 LIMIT 1",
            by.0,
            PER_DAY_MAX - 1,
        );
        if let Some(first) = recent.fetch_optional(&mut *tx).await? {
            return Ok(Requested::TooMany(first + TimeDelta::days(1)));
        }
        let export = query_as!(
            Export,
            "INSERT INTO state.exports (export_id, user_id, requested_by) VALUES ($1, $2, $3)
             RETURNING export_id, user_id, requested_by, requested_at, state, bytes, expires_at",
            Uuid::from_bytes(rand::random()),
            user_id.0,
            by.0,
        );
        let export = export.fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(Requested::Accepted(export))
    }

    /// Returns an export that has not expired.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn get(&self, export_id: Uuid) -> Result<Option<Export>, StateError> {
        let found = query_as!(
            Export,
            "SELECT export_id, user_id, requested_by, requested_at, state, bytes, expires_at FROM state.exports
             WHERE export_id = $1 AND (expires_at IS NULL OR expires_at > now())",
            export_id,
        );
        Ok(found.fetch_optional(&self.pool).await?)
    }

    /// Counts the exports by their state.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn count(&self) -> Result<ExportCounts, StateError> {
        let counted = query_as!(
            ExportCounts,
            r#"SELECT count(*) FILTER (WHERE state = 'queued') AS "queued!", count(*) FILTER (WHERE state = 'running') AS "running!",
                      count(*) FILTER (WHERE state = 'ready') AS "ready!", count(*) FILTER (WHERE state = 'failed') AS "failed!",
                      COALESCE(EXTRACT(EPOCH FROM now() - min(requested_at) FILTER (WHERE state IN ('queued', 'running'))), 0)::float8
                          AS "oldest_waiting_seconds!"
               FROM state.exports WHERE expires_at IS NULL OR expires_at > now()"#
        );
        Ok(counted.fetch_one(&self.pool).await?)
    }

    /// Returns a piece of a ready export. `None` after the last piece.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn piece(&self, export_id: Uuid, number: i32) -> Result<Option<Bytes>, StateError> {
        let found = query_scalar!("SELECT bytes FROM state.export_pieces WHERE export_id = $1 AND number = $2", export_id, number);
        Ok(found.fetch_optional(&self.pool).await?.map(Bytes::from))
    }

    /// Takes the job that waits longest: a queued one, or one whose node has died. Removes the pieces of an earlier
    /// attempt.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn take(&self) -> Result<Option<Job>, StateError> {
        let mut tx = self.pool.begin().await?;
        let attempt = Uuid::from_bytes(rand::random());
        let taken = query!(
            "UPDATE state.exports SET state = 'running', attempt = $1, attempts = attempts + 1, lease_until = now() + $2::interval, bytes = 0
             WHERE export_id = (SELECT export_id FROM state.exports
                                WHERE state = 'queued' OR (state = 'running' AND lease_until < now() AND attempts < $3)
                                ORDER BY requested_at FOR UPDATE SKIP LOCKED LIMIT 1)
             RETURNING export_id, user_id",
            attempt,
            interval(LEASE),
            ATTEMPTS_MAX,
        );
        let Some(taken) = taken.fetch_optional(&mut *tx).await? else { return Ok(None) };
        query!("DELETE FROM state.export_pieces WHERE export_id = $1", taken.export_id).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Some(Job { export_id: taken.export_id, user_id: UserId(taken.user_id), attempt }))
    }

    /// Stores a piece, and renews the lease. Returns whether the job is still this node's.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn add_piece(&self, job: &Job, number: i32, bytes: &[u8]) -> Result<bool, StateError> {
        let added = query!(
            "WITH mine AS (UPDATE state.exports SET lease_until = now() + $3::interval, bytes = bytes + octet_length($5::bytea)
                           WHERE export_id = $1 AND attempt = $2 AND state = 'running' RETURNING export_id)
             INSERT INTO state.export_pieces (export_id, number, bytes) SELECT export_id, $4, $5::bytea FROM mine",
            job.export_id,
            job.attempt,
            interval(LEASE),
            number,
            bytes,
        );
        Ok(added.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Records that the zip is complete. Returns whether the job was still this node's.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn finish(&self, job: &Job) -> Result<bool, StateError> {
        let finished = query!(
            "UPDATE state.exports SET state = 'ready', lease_until = NULL, expires_at = now() + $3::interval
             WHERE export_id = $1 AND attempt = $2 AND state = 'running'",
            job.export_id,
            job.attempt,
            interval(KEPT),
        );
        Ok(finished.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Deletes expired exports. Records those that were tried too often as failed.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn sweep(&self) -> Result<(), StateError> {
        query!("DELETE FROM state.exports WHERE expires_at < now()").execute(&self.pool).await?;
        let failed = query!(
            "WITH failed AS (UPDATE state.exports SET state = 'failed', expires_at = now() + $1::interval
                             WHERE state = 'running' AND lease_until < now() AND attempts >= $2 RETURNING export_id)
             DELETE FROM state.export_pieces WHERE export_id IN (SELECT export_id FROM failed)",
            interval(KEPT),
            ATTEMPTS_MAX,
        );
        Ok(failed.execute(&self.pool).await.map(drop)?)
    }

    /// Deletes the exports of a user's data. The user was erased.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn remove_of(&self, user_id: UserId) -> Result<(), StateError> {
        Ok(query!("DELETE FROM state.exports WHERE user_id = $1", user_id.0).execute(&self.pool).await.map(drop)?)
    }
}

/// A duration in the type of Postgres.
fn interval(duration: TimeDelta) -> sqlx::postgres::types::PgInterval {
    sqlx::postgres::types::PgInterval { months: 0, days: 0, microseconds: duration.num_microseconds().unwrap_or(i64::MAX) }
}
