//! The chain of an event: its causes and its effects.

use actix_web::get;
use actix_web::web::Path;
use domain::audit::Question;
use domain::ids::WorkspaceId;
use ledger::audit::Chain;
use serde::Deserialize;
use utoipa::IntoParams;

use super::noted::{admit, present};
use super::query::reject_unless_position;
use super::{Audits, text_access};
use crate::extract::{QueryAnswer, Reading};
use crate::http::headers::QueryHeaders;
use crate::problem::Problem;

/// An event in the audit of a workspace.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct EventPath {
    /// The workspace.
    #[param(value_type = Uuid)]
    pub workspace_id: WorkspaceId,
    /// The event's position in the log.
    #[param(minimum = 0)]
    pub position: i64,
}

/// Get an event's causes, its effects, and the other events of the same request
///
/// Requires the permission `audit.read`. It answers why something happened and what followed. Each reading is an entry
/// of the audit.
#[utoipa::path(tag = "audit", params(EventPath, QueryHeaders), responses((status = 200, description = "The chain.", body = Chain)))]
#[get("/workspaces/{workspace_id}/audit/events/{position}/chain")]
pub async fn read_chain(path: Path<EventPath>, reading: Reading, audits: Audits) -> Result<QueryAnswer<Chain>, Problem> {
    reject_unless_position("position", path.position)?;
    let filter = present([("position", Some(path.position.to_string()))]);
    admit(&audits, &reading, path.workspace_id, Question::Chain, filter).await?;
    let no_such_event = || Problem::not_found("audit.event_not_found", "this workspace's audit has no event at this position");
    let links = audits.audit_log.chain(path.workspace_id, path.position).await?.ok_or_else(no_such_event)?;
    let text_access = text_access(&reading.access.renewed().await?, path.workspace_id, &links.channels()).await?;
    Ok(reading.answer(links.shown(&text_access).ok_or_else(no_such_event)?))
}
