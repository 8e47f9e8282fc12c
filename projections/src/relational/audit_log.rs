//! `audit_log`: an index of the log by workspace, actor, aggregate, type and time. The events themselves are read from the log.

use chrono::{DateTime, Utc};
use domain::ids::{UserId, WorkspaceId};
use domain::{AggregateType, Event, Recorded};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, query, query_file, query_file_as, query_file_scalar};
use utoipa::ToSchema;
use uuid::Uuid;

use super::copy::{CopyRow, Tuple};
use super::seen::to_micros;
use crate::read_models::{QueryError, ReadModels, rows};

/// Which events of the log. What says nothing leaves nothing out.
#[derive(Clone, Debug, Default)]
pub struct LogFilter {
    /// Of that workspace; of all, and of none, where it says nothing.
    pub workspace_id: Option<WorkspaceId>,
    /// Done by that user.
    pub actor: Option<UserId>,
    /// Happened to a thing of that kind.
    pub aggregate_type: Option<AggregateType>,
    /// Happened to that thing.
    pub aggregate_id: Option<Uuid>,
    /// Of that name, such as `channel.archived`.
    pub event_type: Option<String>,
    /// Recorded then or later.
    pub from: Option<DateTime<Utc>>,
    /// Recorded before then.
    pub to: Option<DateTime<Utc>>,
    /// Behind that position, oldest first.
    pub after_position: Option<i64>,
    /// Before that position. Without `after_position`, newest first.
    pub before_position: Option<i64>,
    /// At most so many.
    pub limit: u16,
}

/// An event of the log.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LogRow {
    /// Its place in the log.
    pub position: i64,
    /// Its identifier.
    pub event_id: Uuid,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Who did it.
    pub actor_id: Uuid,
    /// The workspace that it belongs to.
    pub workspace_id: Option<Uuid>,
    /// The kind of thing that it happened to.
    pub aggregate_type: String,
    /// The thing that it happened to.
    pub aggregate_id: Uuid,
    /// Its place in that thing's stream.
    pub sequence: i64,
    /// Its name.
    pub event_type: String,
    /// The version of its payload.
    pub event_version: String,
    /// What happened.
    pub payload: Value,
    /// Under which circumstances.
    pub metadata: Value,
}

/// A row of the table: one for each event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AuditRecord {
    position: i64,
    workspace_id: Option<Uuid>,
    recorded_at: DateTime<Utc>,
    actor_id: Uuid,
    aggregate_type: &'static str,
    aggregate_id: Uuid,
    event_type: &'static str,
}

impl AuditRecord {
    /// The event's row.
    pub(crate) fn of(event: &Recorded<Event>) -> Self {
        Self {
            position: event.position,
            workspace_id: event.workspace_id.map(|id| id.0),
            recorded_at: to_micros(event.recorded_at),
            actor_id: event.metadata.actor.0,
            aggregate_type: event.stream.aggregate.as_str(),
            aggregate_id: event.stream.id,
            event_type: event.event.wire_name(),
        }
    }
}

/// Writes rows, unless they are there.
pub(super) async fn save(connection: &mut PgConnection, records: &[AuditRecord]) -> sqlx::Result<()> {
    query_file!(
        "src/relational/sql/save_audit_log.sql",
        &records.iter().map(|r| r.position).collect::<Vec<_>>(),
        &records.iter().map(|r| r.workspace_id).collect::<Vec<_>>() as _,
        &records.iter().map(|r| r.recorded_at).collect::<Vec<_>>(),
        &records.iter().map(|r| r.actor_id).collect::<Vec<_>>(),
        &records.iter().map(|r| r.aggregate_type).collect::<Vec<_>>() as _,
        &records.iter().map(|r| r.aggregate_id).collect::<Vec<_>>(),
        &records.iter().map(|r| r.event_type).collect::<Vec<_>>() as _,
    )
    .execute(connection)
    .await
    .map(drop)
}

impl CopyRow for AuditRecord {
    const COLUMNS: &'static [&'static str] =
        &["position", "workspace_id", "recorded_at", "actor_id", "aggregate_type", "aggregate_id", "event_type"];

    fn write(&self, tuple: &mut Tuple<'_>) {
        tuple.int8(self.position);
        tuple.maybe(self.workspace_id, Tuple::uuid);
        tuple.time(self.recorded_at);
        tuple.uuid(self.actor_id);
        tuple.text(self.aggregate_type);
        tuple.uuid(self.aggregate_id);
        tuple.text(self.event_type);
    }
}

impl ReadModels {
    /// Events of the log: newest first, or oldest first behind `after_position`.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn log(&self, filter: &LogFilter) -> Result<Vec<LogRow>, QueryError> {
        let mut after = filter.after_position.unwrap_or(0);
        let mut before = filter.before_position.unwrap_or(i64::MAX);
        if let Some(from) = filter.from {
            after = after.max(self.first_position_at(from).await? - 1);
        }
        if let Some(to) = filter.to {
            before = before.min(self.first_position_at(to).await?);
        }
        self.log_between(filter, after, before).await
    }

    /// The position of the first event recorded then or later; one behind the head where there is none.
    async fn first_position_at(&self, at: DateTime<Utc>) -> Result<i64, QueryError> {
        Ok(query_file_scalar!("src/relational/sql/first_position_at.sql", at).fetch_one(&self.pool).await?)
    }

    async fn log_between(&self, filter: &LogFilter, after: i64, before: i64) -> Result<Vec<LogRow>, QueryError> {
        let mut tx = self.pool.begin().await?;
        // A plan of its own for each question: which index fits depends on what was asked.
        query!("SET LOCAL plan_cache_mode = force_custom_plan").execute(&mut *tx).await?;
        let workspace_id = filter.workspace_id.map(|id| id.0);
        let actor = filter.actor.map(|id| id.0);
        let aggregate_type = filter.aggregate_type.map(AggregateType::as_str);
        let event_type = filter.event_type.as_deref();
        let found = if filter.after_position.is_some() {
            query_file_as!(
                LogRow,
                "src/relational/sql/log_oldest_first.sql",
                workspace_id,
                actor,
                aggregate_type,
                filter.aggregate_id,
                event_type,
                after,
                before,
                rows(filter.limit)
            )
            .fetch_all(&mut *tx)
            .await?
        } else {
            query_file_as!(
                LogRow,
                "src/relational/sql/log_newest_first.sql",
                workspace_id,
                actor,
                aggregate_type,
                filter.aggregate_id,
                event_type,
                after,
                before,
                rows(filter.limit)
            )
            .fetch_all(&mut *tx)
            .await?
        };
        Ok(found)
    }
}
