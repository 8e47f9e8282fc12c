//! The audit as a file of any size. It is read, written and sent chunk by chunk.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpResponse, get};
use commands::ReadAccess;
use domain::AuditCommand;
use domain::audit::{Export as Noted, ExportFormat};
use domain::ids::WorkspaceId;
use domain::permission::Permission;
use futures::stream::{self, Stream};
use ledger::audit::{AuditLog, Export};
use ledger::proof::keyring;
use ledger::proof::note::SigningKey;
use projections::Connections;
use uuid::Uuid;

use super::query::{ExportQuery, Format, filter_parts};
use super::{Audits, text_access};
use crate::config::Settings;
use crate::extract::{Query, Reading};
use crate::http::headers::QueryHeaders;
use crate::http::path::WorkspacePath;
use crate::problem::Problem;

/// The header with the public key that verifies the manifest's signature.
pub(in crate::http) const EXPORT_KEY: &str = "Backscroll-Export-Key";

/// The media type of JSON Lines. Clients take each type that begins with `application/json` for one JSON value.
const JSON_LINES: &str = "application/x-ndjson";

impl Format {
    fn parse(self) -> (ExportFormat, &'static str) {
        match self {
            Self::Jsonl => (ExportFormat::Jsonl, JSON_LINES),
            Self::Csv => (ExportFormat::Csv, "text/csv; charset=utf-8"),
            Self::Cloudevents => (ExportFormat::Cloudevents, JSON_LINES),
        }
    }
}

/// Export the audit's entries as a signed file, oldest first
///
/// Requires the permission `audit.read`. The file has all entries that match, whatever their number. Its last line is a
/// manifest with a signature; `backscroll audit verify-export` checks it. A file without a manifest is incomplete.
/// Texts that the caller may not read are withheld, as in the audit itself.
#[utoipa::path(tag = "audit", params(WorkspacePath, ExportQuery, QueryHeaders),
    responses((status = 200, description = "The file.",
        headers(("Backscroll-Export-Key" = String, description = "The public key that verifies the signature of the manifest.")),
        content((String = "application/x-ndjson"), (String = "text/csv")))))]
#[get("/workspaces/{workspace_id}/audit/export")]
pub async fn export_audit(
    path: Path<WorkspacePath>,
    query: Query<ExportQuery>,
    reading: Reading,
    audits: Audits,
    stores: Data<Connections>,
    settings: Data<Settings>,
) -> Result<HttpResponse, Problem> {
    reading.access.may(path.workspace_id, Permission::AuditRead).await?;
    let (format, query) = query.0.parts();
    let (format, media_type) = format.parse();
    let filter = query.parse(1)?;
    let key = keyring::current(&stores.pool, &settings.proof_keys()).await?;
    let (export_id, head) = (Uuid::now_v7(), audits.audit_log.head().await?);
    audits.progress.wait_for(projections::RELATIONAL, head.position, crate::extract::WAIT_MAX).await?;
    let parts = filter_parts(&filter);
    let noted = Noted { export_id, format, filter: parts.clone(), up_to: head.position };
    audits.commands.audit(reading.context(), path.workspace_id, AuditCommand::Export(noted)).await?;
    let vkey = key.verifying().to_string();
    let export = Export::begin(export_id, path.workspace_id, reading.actor.0, format, (filter, parts), head);
    let name = format!("attachment; filename=\"audit-{export_id}.{}\"", if format == ExportFormat::Csv { "csv" } else { "jsonl" });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CONTENT_DISPOSITION, name))
        .insert_header((EXPORT_KEY, vkey))
        .streaming(chunks(audits.audit_log, path.workspace_id, reading.access, export, key)))
}

/// The part of the file that is not sent yet.
enum Remaining {
    /// Entries, and then the manifest.
    Entries(Box<(Export, SigningKey)>),
    /// Nothing.
    Nothing,
}

/// The chunks of the file. An error ends the file early: without a manifest, a reader sees that it is incomplete.
fn chunks(
    audit_log: Data<AuditLog>,
    workspace_id: WorkspaceId,
    access: ReadAccess,
    export: Export,
    key: SigningKey,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    stream::try_unfold(Remaining::Entries(Box::new((export, key))), move |remaining| {
        let (audit_log, access) = (audit_log.clone(), access.clone());
        async move {
            let Remaining::Entries(remaining) = remaining else { return Ok(None) };
            let (bytes, next) = chunk(&audit_log, workspace_id, &access, *remaining).await.map_err(|problem| {
                tracing::warn!(%problem, "an export failed before its end");
                std::io::Error::other(problem.to_string())
            })?;
            Ok(Some((bytes, next)))
        }
    })
}

async fn chunk(
    audit_log: &AuditLog,
    workspace_id: WorkspaceId,
    access: &ReadAccess,
    remaining: (Export, SigningKey),
) -> Result<(Bytes, Remaining), Problem> {
    let (mut export, key) = remaining;
    let found = audit_log.piece(&export).await?;
    // The access is checked again for each chunk, after the chunk is read: a caller who has lost the permission gets no
    // further chunk.
    let access = access.renewed().await?;
    access.may(workspace_id, Permission::AuditRead).await?;
    let text_access = text_access(&access, workspace_id, &found.channels()).await?;
    let mut bytes = export.write(&found, &text_access).map_err(|error| Problem::internal(&error))?;
    if found.is_empty() {
        bytes.extend(export.end(&key).map_err(|error| Problem::internal(&error))?);
        return Ok((Bytes::from(bytes), Remaining::Nothing));
    }
    Ok((Bytes::from(bytes), Remaining::Entries(Box::new((export, key)))))
}
