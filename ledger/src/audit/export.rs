//! The audit as a file: entries, oldest first, and behind them a manifest with its signature. It is written piece by piece, whatever its size.
//!
//! The last line is the manifest: what was asked for, how many entries there are, from where to where, the SHA-256 of everything before that line,
//! and where the log ended. Its signature is over the manifest's JSON as it stands there, with a line feed behind it, as in a signed note
//! (<https://c2sp.org/signed-note>).

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
use super::entry::{Entry, Found};
use super::{AuditError, Filter, Order, Sight};
use crate::proof::note::{SigningKey, VerifyingKey};

/// Entries that are read at a time.
const PIECE_ENTRIES: u16 = 200;
/// What the last line of comma-separated values begins with.
const CSV_MANIFEST: &str = "#manifest";
const CSV_COLUMNS: [&str; 20] = [
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
];

/// What an export is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The export.
    pub export_id: Uuid,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Who asked for it.
    pub exported_by: Uuid,
    /// When.
    pub exported_at: DateTime<Utc>,
    /// The form.
    pub format: ExportFormat,
    /// What was asked for.
    pub filter: BTreeMap<String, String>,
    /// How many entries there are.
    pub entries: u64,
    /// Of how many a text is left out that the asker may not read.
    pub withheld: u64,
    /// The position of the first.
    pub first: Option<i64>,
    /// The position of the last.
    pub last: Option<i64>,
    /// Where the log ended.
    pub head: Head,
    /// SHA-256 of everything before the manifest's line, in hexadecimal.
    pub sha256: String,
}

/// Where the log ended.
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
    /// The signature, with the key's id before it, in base64.
    signature: String,
    /// The key, by its public part.
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
    /// Where the log ends.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn head(&self) -> Result<Head, AuditError> {
        let last = query!("SELECT position, digest FROM events ORDER BY position DESC LIMIT 1").fetch_optional(&self.pool).await?;
        Ok(last.map_or_else(Head::default, |last| Head { position: last.position, digest: hex::encode(last.digest) }))
    }

    /// The next entries of an export; none at its end.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn piece(&self, export: &Export) -> Result<Found, AuditError> {
        self.find(&export.filter).await
    }
}

impl Export {
    /// Begins one, of what had happened when the log ended there.
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
    /// One cannot be written.
    pub fn write(&mut self, found: &Found, sight: &Sight) -> Result<Vec<u8>, WriteError> {
        let mut bytes = Vec::new();
        if !std::mem::replace(&mut self.is_begun, true) && self.manifest.format == ExportFormat::Csv {
            bytes.extend(csv_line(CSV_COLUMNS.map(str::to_owned))?);
        }
        for entry in found.entries(sight) {
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

    /// The last line: the manifest, signed.
    ///
    /// # Errors
    /// It cannot be written.
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

/// What holds of a file, by its manifest.
#[derive(Debug, thiserror::Error)]
pub enum Unverified {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Read(#[from] std::io::Error),
    /// The last line is no manifest: the export broke off, or it is something else.
    #[error("the last line is no manifest: the export broke off, or this is none")]
    NoManifest,
    /// The signature is not by that key.
    #[error("the manifest is not signed with that key")]
    Signature,
    /// The entries were changed.
    #[error("the entries are not those that the manifest was made for: their SHA-256 is {found}, and the manifest says {expected}")]
    Content {
        /// What it is.
        found: String,
        /// What it is to be.
        expected: String,
    },
    /// There are more, or less.
    #[error("the manifest says {expected} entries, and the file has {found}")]
    Entries {
        /// How many there are.
        found: u64,
        /// How many there are to be.
        expected: u64,
    },
}

/// Checks an export against the manifest at its end, and that against a public key. Reads it line by line.
///
/// # Errors
/// What does not hold.
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

fn csv_fields(entry: &Entry) -> [String; 20] {
    let maybe = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let text = |text: &Option<String>| harmless(text.as_deref().unwrap_or_default());
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
    ]
}

/// A spreadsheet takes a text that begins like a formula for one; whoever writes it is not who opens it.
fn harmless(text: &str) -> String {
    let line = text.replace(['\r', '\n'], " ");
    if line.starts_with(['=', '+', '-', '@', '\t']) { format!("'{line}") } else { line }
}

fn csv_line(fields: [String; 20]) -> Result<Vec<u8>, WriteError> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(fields)?;
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_none() {
        assert_eq!(harmless("=HYPERLINK(\"x\")\n"), "'=HYPERLINK(\"x\") ");
        assert_eq!(harmless("curl/8"), "curl/8");
    }

    #[test]
    fn a_file_without_a_manifest_is_no_export() {
        let key = SigningKey::from_seed("backscroll", &[1; 32]).expect("a key");
        for text in ["", "{}\n", "a\nb\n", "#manifest,nothing\n"] {
            assert!(matches!(verify_export(text.as_bytes(), key.verifying()), Err(Unverified::NoManifest)), "{text}");
        }
    }
}
