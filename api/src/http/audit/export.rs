//! The audit as a file of any size. It is read, written and sent chunk by chunk.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{Bytes, Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get};
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
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::query::{AuditQuery, filter_parts};
use super::{Audits, text_access};
use crate::config::Settings;
use crate::extract::{Reading, reject_unless_line};
use crate::http::headers::QueryHeaders;
use crate::http::path::WorkspacePath;
use crate::problem::Problem;

/// The header with the public key that verifies the manifest's signature.
const EXPORT_KEY: &str = "Backscroll-Export-Key";

/// The format of an export.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// JSON Lines: one line for each entry.
    #[default]
    Jsonl,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// CloudEvents 1.0 in its JSON format: one line for each event.
    Cloudevents,
}

/// The format. The other parameters are those of the audit's list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// `jsonl`, `csv` or `cloudevents`. The default is `jsonl`.
    #[param(inline)]
    format: Option<Format>,
}

impl Format {
    fn parse(self) -> (ExportFormat, &'static str) {
        match self {
            Self::Jsonl => (ExportFormat::Jsonl, "application/jsonl"),
            Self::Csv => (ExportFormat::Csv, "text/csv; charset=utf-8"),
            Self::Cloudevents => (ExportFormat::Cloudevents, "application/jsonl"),
        }
    }
}

/// Export the audit's entries as a signed file, oldest first
///
/// The last line of the file is a manifest with a signature; `backscroll audit verify-export` checks it. Texts that
/// the caller may not read are withheld, as in the audit itself. Requires the permission `audit.read`.
#[utoipa::path(tag = "audit", params(WorkspacePath, ExportQuery, AuditQuery, QueryHeaders),
    responses((status = 200, description = "The file.", content_type = "application/jsonl", body = String)))]
#[get("/workspaces/{workspace_id}/audit/export")]
pub async fn export_audit(
    path: Path<WorkspacePath>,
    request: HttpRequest,
    reading: Reading,
    audits: Audits,
    stores: Data<Connections>,
    settings: Data<Settings>,
) -> Result<HttpResponse, Problem> {
    reading.access.may(path.workspace_id, Permission::AuditRead).await?;
    let (format, query) = split(request.query_string())?;
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

/// Reads the format, and the query of the audit from the other parameters.
fn split(query: &str) -> Result<(Format, AuditQuery), Problem> {
    let wrong =
        |error: &dyn std::fmt::Display| Problem::malformed("request.query_invalid", None, format!("the query string is invalid: {error}"));
    let format = Query::<ExportQuery>::from_query(query).map_err(|error| wrong(&error))?.format.unwrap_or_default();
    let rest = query.split('&').filter(|part| !part.starts_with("format=")).collect::<Vec<_>>().join("&");
    reject_unless_line("query", if rest.is_empty() { "-" } else { &rest }, QUERY_CHARS_MAX)?;
    Ok((format, Query::<AuditQuery>::from_query(&rest).map_err(|error| wrong(&error))?.into_inner()))
}

/// The most characters of the query string.
const QUERY_CHARS_MAX: usize = 2_000;

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
