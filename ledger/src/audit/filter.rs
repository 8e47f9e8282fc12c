//! Which events: found in the read table `audit_log`, whose indexes are in the order of positions.

use chrono::{DateTime, Utc};
use domain::AggregateType;
use domain::ids::{SessionId, UserId, WorkspaceId};
use sqlx::{query, query_file_scalar, query_scalar};
use uuid::Uuid;

use super::AuditError;
use super::AuditLog;
use projections::rows;

/// Which events of the log. What says nothing leaves nothing out.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of that workspace, with the sign-ins of its members; of all, and of none, where it says nothing.
    pub workspace_id: Option<WorkspaceId>,
    /// Done by that user; of sign-ins, theirs, refused ones too.
    pub actor: Option<UserId>,
    /// Happened to a thing of that kind.
    pub aggregate_type: Option<AggregateType>,
    /// Happened to that thing.
    pub aggregate_id: Option<Uuid>,
    /// Of that name, such as `channel.archived`.
    pub event_type: Option<String>,
    /// Came of a command with that text in its name, without case.
    pub command: Option<String>,
    /// In that session.
    pub session: Option<SessionId>,
    /// From that address.
    pub address: Option<String>,
    /// Of that correlation.
    pub correlation_id: Option<Uuid>,
    /// Recorded then or later.
    pub from: Option<DateTime<Utc>>,
    /// Recorded before then.
    pub to: Option<DateTime<Utc>>,
    /// Behind that position.
    pub after: Option<i64>,
    /// Before that position.
    pub before: Option<i64>,
    /// In which order.
    pub order: Order,
    /// At most so many.
    pub limit: u16,
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

impl AuditLog {
    /// The positions of the events that the filter means, in its order.
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

    /// The position of the first event recorded then or later; one behind the head where there is none.
    pub(super) async fn first_position_at(&self, at: DateTime<Utc>) -> sqlx::Result<i64> {
        query_file_scalar!("src/audit/sql/first_position_at.sql", at).fetch_one(&self.pool).await
    }

    /// The names of commands that have that text: there are some dozens, each is found by a step in an index.
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
        // A plan of its own for each question: which index fits depends on what was asked.
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
