//! The log of a workspace: who did what, when. For its owners and admins.

use actix_web::get;
use actix_web::web::{Data, Path, Query};
use chrono::{DateTime, Utc};
use domain::AggregateType;
use domain::ids::{UserId, WorkspaceId};
use domain::permission::Permission;
use projections::relational::audit_log::{LogFilter, LogRow};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::headers::QueryHeaders;
use super::path::WorkspacePath;
use crate::app::App;
use crate::extract::{Cursor, Page, Reading, Seen, page_limit, reject_unless_line, reject_unless_moment};
use crate::problem::Problem;

/// The most characters of an event's name.
const EVENT_TYPE_CHARS_MAX: usize = 100;

/// Which events of the log. What says nothing leaves nothing out.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Done by that user.
    #[param(value_type = Option<Uuid>)]
    actor: Option<UserId>,
    /// Happened to a thing of that kind: `user`, `workspace`, `channel` or `message`.
    #[param(example = "channel")]
    aggregate_type: Option<String>,
    /// Happened to that thing.
    aggregate_id: Option<Uuid>,
    /// Of that name.
    #[serde(rename = "type")]
    #[param(min_length = 1, max_length = 100, example = "channel.archived")]
    event_type: Option<String>,
    /// Recorded then or later.
    from: Option<DateTime<Utc>>,
    /// Recorded before then.
    to: Option<DateTime<Utc>>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many rows; 50 where it says nothing.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
}

impl LogQuery {
    fn parse(&self, workspace_id: WorkspaceId, limit: u16) -> Result<LogFilter, Problem> {
        self.event_type.as_deref().map_or(Ok(()), |name| reject_unless_line("type", name, EVENT_TYPE_CHARS_MAX))?;
        self.from.map_or(Ok(()), |from| reject_unless_moment("from", from))?;
        self.to.map_or(Ok(()), |to| reject_unless_moment("to", to))?;
        Ok(LogFilter {
            workspace_id: Some(workspace_id),
            actor: self.actor,
            aggregate_type: self.aggregate_type.as_deref().map(aggregate_type).transpose()?,
            aggregate_id: self.aggregate_id,
            event_type: self.event_type.clone(),
            from: self.from,
            to: self.to,
            after_position: None,
            before_position: Cursor::<i64>::read("after", self.after.as_deref())?,
            limit,
        })
    }
}

fn aggregate_type(name: &str) -> Result<AggregateType, Problem> {
    let refused = || {
        let names = AggregateType::ALL.map(AggregateType::as_str).join(", ");
        Problem::malformed("request.query_invalid", Some("aggregate_type".into()), format!("aggregate_type must be one of {names}"))
    };
    AggregateType::named(name).ok_or_else(refused)
}

/// Shows what happened in a workspace, newest first: private channels too. Needs the permission `audit.read`.
#[utoipa::path(tag = "log", params(WorkspacePath, LogQuery, QueryHeaders), responses((status = 200, description = "The events.", body = Page<LogRow>)))]
#[get("/workspaces/{workspace_id}/log")]
pub async fn read_log(
    path: Path<WorkspacePath>,
    query: Query<LogQuery>,
    reading: Reading,
    app: Data<App>,
) -> Result<Seen<Page<LogRow>>, Problem> {
    app.commands.may(reading.actor, path.workspace_id, Permission::AuditRead).await?;
    let limit = page_limit(query.limit)?;
    let rows = app.read_models.log(&query.parse(path.workspace_id, limit + 1)?).await?;
    Ok(reading.answer(Page::cut(rows, limit, |row| row.position)))
}
