//! The log of a workspace: its events as they are stored, newest first. The audit has the same events, with more about
//! each.

use actix_web::get;
use actix_web::web::Path;
use chrono::{DateTime, Utc};
use domain::ids::UserId;
use ledger::audit::{Filter, LogRow};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::audit::{self, Audits};
use super::headers::QueryHeaders;
use super::path::WorkspacePath;
use crate::extract::{Checks, Cursor, Page, Query, QueryAnswer, Reading, page_limit, reject_unless_line, reject_unless_moment};
use crate::problem::Problem;

/// The events to list. An absent filter excludes nothing.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Only events of that user.
    #[param(value_type = Option<Uuid>)]
    actor: Option<UserId>,
    /// Only events of that aggregate type, such as `channel`.
    #[param(example = "channel")]
    aggregate_type: Option<String>,
    /// Only events of that aggregate.
    aggregate_id: Option<Uuid>,
    /// Only events of that type.
    #[serde(rename = "type")]
    #[param(min_length = 1, max_length = 100, example = "channel.archived")]
    event_type: Option<String>,
    /// Only events that were recorded at that time or later.
    from: Option<DateTime<Utc>>,
    /// Only events that were recorded before that time.
    to: Option<DateTime<Utc>>,
    /// The `next` cursor of the previous page.
    after: Option<String>,
    /// The number of rows, at most 100. The default is 50.
    #[param(minimum = 1)]
    limit: Option<u16>,
}

impl LogQuery {
    fn parse(&self, limit: u16) -> Result<Filter, Problem> {
        let mut checks = Checks::default();
        checks.note(self.event_type.as_deref().map_or(Ok(()), |name| reject_unless_line("type", name, audit::NAME_CHARS_MAX)));
        checks.note(self.from.map_or(Ok(()), |from| reject_unless_moment("from", from)));
        checks.note(self.to.map_or(Ok(()), |to| reject_unless_moment("to", to)));
        let aggregate_type = checks.note(self.aggregate_type.as_deref().map(audit::aggregate_type).transpose());
        let before = checks.note(Cursor::<i64>::read("after", self.after.as_deref()));
        checks.pass()?;
        Ok(Filter {
            actor: self.actor,
            aggregate_type: aggregate_type.flatten(),
            aggregate_id: self.aggregate_id,
            event_type: self.event_type.clone(),
            from: self.from,
            to: self.to,
            before: before.flatten(),
            limit,
            ..Filter::default()
        })
    }
}

/// List a workspace's events as they are stored, newest first
///
/// Requires the permission `audit.read`. Events of private channels are included. The texts that the caller may not
/// read are withheld. The audit says more about each event.
#[utoipa::path(tag = "log", params(WorkspacePath, LogQuery, QueryHeaders), responses((status = 200, description = "The events.", body = Page<LogRow>)))]
#[get("/workspaces/{workspace_id}/log")]
pub async fn read_log(
    path: Path<WorkspacePath>,
    query: Query<LogQuery>,
    reading: Reading,
    audits: Audits,
) -> Result<QueryAnswer<Page<LogRow>>, Problem> {
    let limit = page_limit(query.limit)?;
    let (found, text_access) = audit::find(&audits, &reading, path.workspace_id, query.parse(limit + 1)?).await?;
    Ok(reading.answer(Page::cut(found.rows(&text_access), limit, |row| row.position)))
}
