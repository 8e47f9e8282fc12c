//! What has happened to a workspace's audit.

use std::collections::BTreeMap;

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What has happened to a workspace's audit. The wire name of each is its `rename`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AuditEvent {
    /// Somebody read it.
    #[serde(rename = "audit.read")]
    Read(Reading),
    /// Somebody took a copy of it out of here.
    #[serde(rename = "audit.exported")]
    Exported(Export),
}

/// What somebody asked the audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// What kind of question.
    pub question: Question,
    /// What it asked for: the parts of the question that said something, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filter: BTreeMap<String, String>,
}

/// What kind of question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Which events there are.
    Entries,
    /// The history of one thing.
    History,
    /// One thing as it was.
    AsOf,
    /// The difference between two moments of one thing.
    Difference,
    /// What an event was caused by, and what it caused.
    Chain,
}

/// What somebody took out of the audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Export {
    /// The export's name, which stands in its manifest too.
    pub export_id: Uuid,
    /// In which form.
    pub format: ExportFormat,
    /// What it asked for: the parts of the filter that said something, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filter: BTreeMap<String, String>,
    /// Up to which position of the log.
    pub up_to: i64,
}

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// JSON, a line for each entry.
    Jsonl,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// CloudEvents 1.0 in its JSON format, a line for each.
    Cloudevents,
}

impl ExportFormat {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Cloudevents => "cloudevents",
        }
    }
}

impl AuditEvent {
    /// The name on the wire.
    #[must_use]
    pub fn wire_name(&self) -> &'static str {
        match self {
            Self::Read(_) => "audit.read",
            Self::Exported(_) => "audit.exported",
        }
    }

    /// The version of the payload; see [`crate::upcast`].
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self {
            Self::Read(_) | Self::Exported(_) => "1",
        }
    }
}

impl DomainEvent for AuditEvent {
    fn event_type(&self) -> String {
        self.wire_name().into()
    }

    fn event_version(&self) -> String {
        self.version().into()
    }
}
