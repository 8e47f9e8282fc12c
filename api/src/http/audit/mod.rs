//! The audit of a workspace: each action with its actor, time, origin and effect. It requires the permission
//! `audit.read`, which owners and admins have.
//!
//! Not in it: other workspaces, and the texts of conversations that the caller may not read, unless the caller has
//! `compliance.read`.

pub mod chain;
pub mod export;
mod noted;
mod query;
pub mod through_time;

use actix_web::get;
use actix_web::web::Path;
use commands::{Commands, ReadAccess};
use domain::audit::Question;
use domain::ids::{ChannelId, WorkspaceId};
use domain::permission::Permission;
use ledger::audit::{AuditLog, Entry, Filter, FoundEvents, TextAccess};
use projections::Progress;
use serde::Serialize;
use utoipa::ToSchema;

use super::headers::QueryHeaders;
use super::path::WorkspacePath;
use crate::extract::{Page, Query, QueryAnswer, Reading, page_limit, parts};
use crate::problem::Problem;

pub use noted::Readings;
pub(crate) use query::filter_parts;
pub use query::{AuditOrder, AuditQuery};
pub(in crate::http) use query::{NAME_CHARS_MAX, aggregate_type};

parts! {
    /// The parts that answer a request for the audit, and record the request.
    pub struct Audits {
        commands: Commands,
        audit_log: AuditLog,
        progress: Progress,
        readings: Readings,
    }
}

/// A page of the audit.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditPage {
    /// The entries.
    items: Vec<Entry>,
    /// The cursor of the next page (`after`). Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Finds the events that match `filter`, and the texts of them that the caller may read. Refuses a caller who may not
/// read the audit.
pub(super) async fn find(
    audits: &Audits,
    reading: &Reading,
    workspace_id: WorkspaceId,
    filter: Filter,
) -> Result<(FoundEvents, TextAccess), Problem> {
    noted::admit(audits, reading, workspace_id, Question::Entries, query::filter_parts(&filter)).await?;
    let found = audits.audit_log.find(&Filter { workspace_id: Some(workspace_id), ..filter }).await?;
    let text_access = text_access(&reading.access.renewed().await?, workspace_id, &found.channels()).await?;
    Ok((found, text_access))
}

/// Returns the channels, among `channels`, whose texts the caller may read. Reading the events may have taken long, so
/// the caller passes an access that was renewed afterwards.
async fn text_access(access: &ReadAccess, workspace_id: WorkspaceId, channels: &[ChannelId]) -> Result<TextAccess, Problem> {
    if access.allows(workspace_id, Permission::ComplianceRead).await? {
        return Ok(TextAccess::everything());
    }
    let channels = access.readable_in(workspace_id, channels).await?;
    Ok(TextAccess { is_everything: false, channels })
}

/// List a workspace's audit entries, with the sign-ins of its members
///
/// Requires the permission `audit.read`. An entry has the actor, the time, the origin, the command, the changes and the
/// cause. The texts of conversations that the caller may not read are withheld, and their entries say so. The
/// permission `compliance.read` shows these texts too. Each reading of the audit is an entry of the audit.
#[utoipa::path(tag = "audit", params(WorkspacePath, AuditQuery, QueryHeaders),
    responses((status = 200, description = "The entries.", body = AuditPage)))]
#[get("/workspaces/{workspace_id}/audit")]
pub async fn read_audit(
    path: Path<WorkspacePath>,
    query: Query<AuditQuery>,
    reading: Reading,
    audits: Audits,
) -> Result<QueryAnswer<AuditPage>, Problem> {
    let limit = page_limit(query.limit)?;
    let (found, text_access) = find(&audits, &reading, path.workspace_id, query.parse(limit + 1)?).await?;
    let Page { items, next } = Page::cut(found.entries(&text_access), limit, |entry| entry.position);
    Ok(reading.answer(AuditPage { items, next }))
}
