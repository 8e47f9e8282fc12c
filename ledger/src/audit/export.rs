//! The audit as a file: entries, oldest first, then a signed manifest. The file is written piece by piece, so its size
//! is not limited by memory.
//!
//! The last line is the manifest: the filter, the number of entries, the first and the last position, the SHA-256 of
//! everything before that line, and the end of the log. The signature covers the manifest's JSON as written, followed
//! by a line feed, as in a signed note (<https://c2sp.org/signed-note>).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::audit::ExportFormat;
use domain::ids::WorkspaceId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use sqlx::query;
use uuid::Uuid;

use super::AuditLog;
use super::entry::{Entry, FoundEvents};
use super::{AuditError, Filter, Order, TextAccess};
use crate::proof::note::{SigningKey, VerifyingKey};

/// How many entries are read at once.
const PIECE_ENTRIES: u16 = 200;
/// The beginning of the last line of comma-separated values.
const CSV_MANIFEST: &str = "#manifest";
const CSV_COLUMNS: [&str; 21] = [
    "position",
    "recorded_at",
    "happened_at",
    "actor_id",
    "actor_name",
    "event_type",
    "event_id",
    "aggregate_type",
    "aggregate_id",
    "aggregate_name",
    "channel_id",
    "command",
    "address",
    "session_id",
    "user_agent",
    "correlation_id",
    "causation_id",
    "withheld",
    "payload",
    "changes",
    "by",
];

/// The manifest of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The export.
    pub export_id: Uuid,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The user that asked for it.
    pub exported_by: Uuid,
    /// When it was asked for.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub exported_at: DateTime<Utc>,
    /// The format.
    pub format: ExportFormat,
    /// The filter.
    pub filter: BTreeMap<String, String>,
    /// How many entries there are.
    pub entries: u64,
    /// How many entries lack a text that the caller may not read.
    pub withheld: u64,
    /// The position of the first entry.
    pub first: Option<i64>,
    /// The position of the last entry.
    pub last: Option<i64>,
    /// The end of the log at that time.
    pub head: Head,
    /// SHA-256 of everything before the manifest's line, in hexadecimal.
    pub sha256: String,
}

/// The end of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The position of its last event.
    pub position: i64,
    /// That event's digest, in hexadecimal.
    pub digest: String,
}

/// The last line of an export.
#[derive(Serialize, Deserialize)]
struct Trailer<'a> {
    #[serde(borrow)]
    manifest: &'a RawValue,
    /// The key's id and the signature, in base64.
    signature: String,
    /// The public key.
    key: String,
}

/// An export that is being written.
#[derive(Debug)]
pub struct Export {
    filter: Filter,
    manifest: Manifest,
    hasher: Sha256,
    is_begun: bool,
}

impl AuditLog {
    /// Returns the end of the log.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn head(&self) -> Result<Head, AuditError> {
        let last = query!("SELECT position, digest FROM events ORDER BY position DESC LIMIT 1").fetch_optional(&self.pool).await?;
        Ok(last.map_or_else(Head::default, |last| Head { position: last.position, digest: hex::encode(last.digest) }))
    }

    /// Returns the next entries of an export, or none at its end.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn piece(&self, export: &Export) -> Result<FoundEvents, AuditError> {
        self.find(&export.filter).await
    }
}

impl Export {
    /// Begins an export of the events up to this end of the log.
    #[must_use]
    pub fn begin(
        export_id: Uuid,
        workspace_id: WorkspaceId,
        by: Uuid,
        format: ExportFormat,
        asked: (Filter, BTreeMap<String, String>),
        head: Head,
    ) -> Self {
        let (filter, said) = asked;
        let before = filter.before.unwrap_or(i64::MAX).min(head.position.saturating_add(1));
        let filter =
            Filter { workspace_id: Some(workspace_id), before: Some(before), order: Order::OldestFirst, limit: PIECE_ENTRIES, ..filter };
        let manifest = Manifest {
            export_id,
            workspace_id,
            exported_by: by,
            exported_at: Utc::now(),
            format,
            filter: said,
            entries: 0,
            withheld: 0,
            first: None,
            last: None,
            head,
            sha256: String::new(),
        };
        Self { filter, manifest, hasher: Sha256::new(), is_begun: false }
    }

    /// Writes entries as lines.
    ///
    /// # Errors
    /// An entry cannot be written.
    pub fn write(&mut self, found: &FoundEvents, access: &TextAccess) -> Result<Vec<u8>, WriteError> {
        let mut bytes = Vec::new();
        if !std::mem::replace(&mut self.is_begun, true) && self.manifest.format == ExportFormat::Csv {
            bytes.extend(csv_line(CSV_COLUMNS.map(str::to_owned))?);
        }
        for entry in found.entries(access) {
            bytes.extend(self.line(&entry)?);
            self.manifest.entries += 1;
            self.manifest.withheld += u64::from(entry.withheld);
            self.manifest.first = self.manifest.first.or(Some(entry.position));
            self.manifest.last = Some(entry.position);
            self.filter.after = Some(entry.position);
        }
        self.hasher.update(&bytes);
        Ok(bytes)
    }

    fn line(&self, entry: &Entry) -> Result<Vec<u8>, WriteError> {
        let mut line = match self.manifest.format {
            ExportFormat::Jsonl => serde_json::to_vec(entry)?,
            ExportFormat::Cloudevents => serde_json::to_vec(&cloud_event(self.manifest.workspace_id, entry))?,
            ExportFormat::Csv => return csv_line(csv_fields(entry)),
        };
        line.push(b'\n');
        Ok(line)
    }

    /// Returns the last line: the signed manifest.
    ///
    /// # Errors
    /// The line cannot be written.
    pub fn end(mut self, key: &SigningKey) -> Result<Vec<u8>, WriteError> {
        self.manifest.sha256 = hex::encode(self.hasher.finalize());
        let manifest = serde_json::value::to_raw_value(&self.manifest)?;
        let signature = key.sign(&format!("{}\n", manifest.get()));
        let trailer = serde_json::to_string(&Trailer { manifest: &manifest, signature, key: key.verifying().to_string() })?;
        if self.manifest.format != ExportFormat::Csv {
            return Ok(format!("{trailer}\n").into_bytes());
        }
        let mut fields = CSV_COLUMNS.map(|_| String::new());
        CSV_MANIFEST.clone_into(&mut fields[0]);
        fields[1] = trailer;
        csv_line(fields)
    }
}

/// An entry cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// As JSON.
    #[error("an entry cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// As comma-separated values.
    #[error("an entry cannot be written as comma-separated values")]
    Csv(#[from] csv::Error),
}

/// Why a file does not match its manifest.
#[derive(Debug, thiserror::Error)]
pub enum Unverified {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Read(#[from] std::io::Error),
    /// The last line is not a manifest: the export broke off, or the file is not an export.
    #[error("the last line is not a manifest: the export broke off, or the file is not an export")]
    NoManifest,
    /// The manifest was signed with another key.
    #[error("the manifest is not signed with that key")]
    Signature,
    /// The entries were changed.
    #[error("the entries were changed after the manifest was made: their SHA-256 is {found}, and the manifest says {expected}")]
    Content {
        /// The SHA-256 of the file's entries.
        found: String,
        /// The SHA-256 in the manifest.
        expected: String,
    },
    /// The file has another number of entries.
    #[error("the manifest says {expected} entries, and the file has {found}")]
    Entries {
        /// The number of entries in the file.
        found: u64,
        /// The number in the manifest.
        expected: u64,
    },
}

/// Checks an export against the manifest at its end, and the manifest against a public key. Reads the file line by
/// line.
///
/// # Errors
/// The export is not valid; the error says why.
pub fn verify_export(mut file: impl std::io::BufRead, key: &VerifyingKey) -> Result<Manifest, Unverified> {
    let (mut hasher, mut lines, mut last) = (Sha256::new(), 0_u64, Vec::new());
    loop {
        let mut line = Vec::new();
        if file.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if !last.is_empty() {
            hasher.update(&last);
            lines += 1;
        }
        last = line;
    }
    let manifest = open_trailer(&last, key)?;
    let found = hex::encode(hasher.finalize());
    if found != manifest.sha256 {
        return Err(Unverified::Content { found, expected: manifest.sha256 });
    }
    let entries = lines.saturating_sub(u64::from(manifest.format == ExportFormat::Csv));
    if entries != manifest.entries {
        return Err(Unverified::Entries { found: entries, expected: manifest.entries });
    }
    Ok(manifest)
}

fn open_trailer(line: &[u8], key: &VerifyingKey) -> Result<Manifest, Unverified> {
    let text = std::str::from_utf8(line).map_err(|_| Unverified::NoManifest)?;
    let text = if text.starts_with(CSV_MANIFEST) { csv_trailer(text).ok_or(Unverified::NoManifest)? } else { text.trim_end().to_owned() };
    let trailer = serde_json::from_str::<Trailer<'_>>(&text).map_err(|_| Unverified::NoManifest)?;
    if !key.has_signed(&format!("{}\n", trailer.manifest.get()), &trailer.signature) {
        return Err(Unverified::Signature);
    }
    serde_json::from_str(trailer.manifest.get()).map_err(|_| Unverified::NoManifest)
}

fn csv_trailer(line: &str) -> Option<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
    reader.records().next()?.ok()?.get(1).map(str::to_owned)
}

/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>
fn cloud_event(workspace_id: WorkspaceId, entry: &Entry) -> serde_json::Value {
    json!({
        "specversion": "1.0",
        "id": entry.event_id,
        "source": format!("/v1/workspaces/{workspace_id}"),
        "type": entry.event_type,
        "subject": format!("{}/{}", entry.aggregate_type, entry.aggregate_id),
        "time": entry.recorded_at,
        "datacontenttype": "application/json",
        "position": entry.position.to_string(),
        "correlationid": entry.correlation_id,
        "data": entry,
    })
}

fn csv_fields(entry: &Entry) -> [String; 21] {
    let maybe = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let text = |text: &Option<String>| without_formula(text.as_deref().unwrap_or_default());
    [
        entry.position.to_string(),
        entry.recorded_at.to_rfc3339(),
        entry.happened_at.map(|at| at.to_rfc3339()).unwrap_or_default(),
        entry.actor_id.to_string(),
        text(&entry.actor_name),
        entry.event_type.clone(),
        entry.event_id.to_string(),
        entry.aggregate_type.clone(),
        entry.aggregate_id.to_string(),
        text(&entry.aggregate_name),
        maybe(entry.channel_id),
        entry.command.clone(),
        text(&entry.address),
        maybe(entry.session_id),
        text(&entry.user_agent),
        entry.correlation_id.to_string(),
        maybe(entry.causation_id),
        entry.withheld.to_string(),
        entry.payload.to_string(),
        serde_json::to_string(&entry.changes).unwrap_or_default(),
        text(&entry.by),
    ]
}

/// A spreadsheet runs a text that begins like a formula. The author of the text may be another person than the reader
/// of the file, so a quote is put before it.
fn without_formula(text: &str) -> String {
    let line = text.replace(['\r', '\n'], " ");
    if line.starts_with(['=', '+', '-', '@', '\t']) { format!("'{line}") } else { line }
}

fn csv_line(fields: [String; 21]) -> Result<Vec<u8>, WriteError> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(fields)?;
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_looks_like_a_formula_is_quoted() {
        assert_eq!(without_formula("=HYPERLINK(\"x\")\n"), "'=HYPERLINK(\"x\") ");
        assert_eq!(without_formula("curl/8"), "curl/8");
    }

    #[test]
    fn a_file_without_a_manifest_is_not_an_export() {
        let key = SigningKey::from_seed("backscroll", &[1; 32]).expect("a key");
        for text in ["", "{}\n", "a\nb\n", "#manifest,nothing\n"] {
            assert!(matches!(verify_export(text.as_bytes(), key.verifying()), Err(Unverified::NoManifest)), "{text}");
        }
    }
}
