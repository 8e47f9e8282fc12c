//! Finds events in the read table `audit_log`, whose indexes are in the order of positions.

use chrono::{DateTime, Utc};
use domain::AggregateType;
use domain::ids::{SessionId, UserId, WorkspaceId};
use sqlx::{query, query_file_scalar, query_scalar};
use uuid::Uuid;

use super::AuditError;
use super::AuditLog;
use projections::rows;

/// A filter for events of the log. A field that is not set filters nothing.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Events of this workspace, with the sign-ins of its members. If not set: events of all workspaces and of none.
    pub workspace_id: Option<WorkspaceId>,
    /// Events by this user; also the user's sign-ins, with refused ones.
    pub actor: Option<UserId>,
    /// Events of aggregates of this type.
    pub aggregate_type: Option<AggregateType>,
    /// Events of this aggregate.
    pub aggregate_id: Option<Uuid>,
    /// Events with this name, such as `channel.archived`.
    pub event_type: Option<String>,
    /// Events of commands whose names contain this text, ignoring case.
    pub command: Option<String>,
    /// Events in this session.
    pub session: Option<SessionId>,
    /// Events from this IP address.
    pub address: Option<String>,
    /// Events with this correlation.
    pub correlation_id: Option<Uuid>,
    /// Recorded at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Recorded before this time.
    pub to: Option<DateTime<Utc>>,
    /// Behind this position.
    pub after: Option<i64>,
    /// Before this position.
    pub before: Option<i64>,
    /// The order.
    pub order: Order,
    /// The most events.
    pub limit: u16,
}

/// The order of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

impl AuditLog {
    /// Returns the positions of the events that match the filter, in its order.
    pub(super) async fn positions(&self, filter: &Filter) -> Result<Vec<i64>, AuditError> {
        let mut after = filter.after.unwrap_or(0);
        let mut before = filter.before.unwrap_or(i64::MAX);
        if let Some(from) = filter.from {
            after = after.max(self.first_position_at(from).await? - 1);
        }
        if let Some(to) = filter.to {
            before = before.min(self.first_position_at(to).await?);
        }
        let text = filter.command.as_deref().map(str::to_lowercase);
        let commands = match &text {
            Some(text) => Some(self.commands_with(filter.workspace_id, text).await?),
            None => None,
        };
        self.positions_between(filter, commands.as_deref(), text.as_deref(), after, before).await
    }

    /// Returns the position of the first event recorded at this time or later, or one more than the last position if
    /// there is none.
    pub(super) async fn first_position_at(&self, at: DateTime<Utc>) -> sqlx::Result<i64> {
        query_file_scalar!("src/audit/sql/first_position_at.sql", at).fetch_one(&self.pool).await
    }

    /// Returns the names of commands that contain the text. There are a few dozen names, and each is found by one step
    /// in an index.
    async fn commands_with(&self, workspace_id: Option<WorkspaceId>, text: &str) -> sqlx::Result<Vec<String>> {
        match workspace_id {
            Some(id) => query_file_scalar!("src/audit/sql/commands_with.sql", id.0, text).fetch_all(&self.pool).await,
            None => {
                let all = query_scalar!("SELECT DISTINCT command FROM audit_log WHERE strpos(lower(command), $1) > 0", text);
                all.fetch_all(&self.pool).await
            }
        }
    }

    async fn positions_between(
        &self,
        filter: &Filter,
        commands: Option<&[String]>,
        text: Option<&str>,
        after: i64,
        before: i64,
    ) -> Result<Vec<i64>, AuditError> {
        let mut tx = self.pool.begin().await?;
        // Each query gets a plan of its own: the best index depends on the filter.
        query!("SET LOCAL plan_cache_mode = force_custom_plan").execute(&mut *tx).await?;
        macro_rules! positions {
            ($file:literal) => {
                query_file_scalar!(
                    $file,
                    filter.workspace_id.map(|id| id.0),
                    filter.actor.map(|id| id.0),
                    filter.aggregate_type.map(AggregateType::as_str),
                    filter.aggregate_id,
                    filter.event_type.as_deref(),
                    commands,
                    filter.session.map(|id| id.0),
                    filter.address.as_deref(),
                    filter.correlation_id,
                    after,
                    before,
                    rows(filter.limit),
                    text,
                )
                .fetch_all(&mut *tx)
                .await?
            };
        }
        Ok(match filter.order {
            Order::NewestFirst => positions!("src/audit/sql/positions_newest_first.sql"),
            Order::OldestFirst => positions!("src/audit/sql/positions_oldest_first.sql"),
        })
    }
}
