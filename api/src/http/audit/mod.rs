//! The audit of a workspace: who did what, when, from where, and what came of it. For its owners and admins, and whoever has `audit.read`.
//!
//! What is not in it: other workspaces, and texts of conversations that the asker may not read, unless they have `compliance.read`.

pub mod chain;
pub mod export;
mod noted;
mod query;
pub mod through_time;

use actix_web::get;
use actix_web::web::{Path, Query};
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
use crate::extract::{Reading, Seen, page_limit, parts};
use crate::problem::Problem;

pub use noted::Readings;
pub(crate) use query::filter_said;
pub use query::{AuditOrder, AuditQuery};
pub(in crate::http) use query::{NAME_CHARS_MAX, aggregate_type};

parts! {
    /// What answers a question about an audit, and notes that it was asked.
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
    /// The position for the next page: use it as `before` if the newest come first, as `after` if the oldest do. Absent
    /// on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

/// The events of a workspace that somebody asks for who may, and what they may read of them.
pub(super) async fn find(
    audits: &Audits,
    reading: &Reading,
    workspace_id: WorkspaceId,
    filter: Filter,
) -> Result<(FoundEvents, TextAccess), Problem> {
    noted::admit(audits, reading, workspace_id, Question::Entries, query::filter_said(&filter)).await?;
    let found = audits.audit_log.find(&Filter { workspace_id: Some(workspace_id), ..filter }).await?;
    let sight = sight(&reading.access.renewed().await?, workspace_id, &found.channels()).await?;
    Ok((found, sight))
}

/// Whose texts somebody may read, of those channels. What is to be shown may have taken long to read: so their access
/// is renewed after it is read.
async fn sight(access: &ReadAccess, workspace_id: WorkspaceId, channels: &[ChannelId]) -> Result<TextAccess, Problem> {
    if access.allows(workspace_id, Permission::ComplianceRead).await? {
        return Ok(TextAccess::everything());
    }
    let channels = access.readable_in(workspace_id, channels).await?;
    Ok(TextAccess { is_everything: false, channels })
}

/// List a workspace's audit entries, with the sign-ins of its members
///
/// An entry says who did what, when, from where and by which command, what it changed and what caused it. The texts
/// of conversations that the caller may not read are withheld, and their entries say so. The permission
/// `compliance.read` shows these texts too. Every reading of the audit is an entry of the audit. Requires the
/// permission `audit.read`.
#[utoipa::path(tag = "audit", params(WorkspacePath, AuditQuery, QueryHeaders),
    responses((status = 200, description = "The entries.", body = AuditPage)))]
#[get("/workspaces/{workspace_id}/audit")]
pub async fn read_audit(
    path: Path<WorkspacePath>,
    query: Query<AuditQuery>,
    reading: Reading,
    audits: Audits,
) -> Result<Seen<AuditPage>, Problem> {
    let limit = page_limit(query.limit)?;
    let (found, sight) = find(&audits, &reading, path.workspace_id, query.parse(limit + 1)?).await?;
    let mut items = found.entries(&sight);
    let is_more = items.len() > usize::from(limit);
    items.truncate(usize::from(limit));
    let next = items.last().filter(|_| is_more).map(|entry| entry.position);
    Ok(reading.answer(AuditPage { items, next }))
}
