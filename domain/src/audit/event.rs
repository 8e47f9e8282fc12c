//! The events of a workspace's audit.

use std::collections::BTreeMap;

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The events of a workspace's audit. The `rename` of each is its name on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AuditEvent {
    /// A user read it.
    #[serde(rename = "audit.read")]
    Read(Reading),
    /// A user exported it, or a part of it.
    #[serde(rename = "audit.exported")]
    Exported(Export),
}

/// A reading of the audit: the question, and its filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The kind of the question.
    pub question: Question,
    /// The parameters of the question that the caller gave, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filter: BTreeMap<String, String>,
}

/// The kind of a question to the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Lists events.
    Entries,
    /// Asks for the history of one entity.
    History,
    /// Asks for the state of one entity at an earlier moment.
    AsOf,
    /// Asks for the difference between two moments of one entity.
    Difference,
    /// Asks for the causes and the effects of an event.
    Chain,
}

/// An export of the audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Export {
    /// The export's identifier, which its manifest has too.
    pub export_id: Uuid,
    /// The format of the file.
    pub format: ExportFormat,
    /// The parts of the filter that the caller gave, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filter: BTreeMap<String, String>,
    /// The position of the log that the export ends at.
    pub up_to: i64,
}

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// JSON, one line for each entry.
    Jsonl,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// CloudEvents 1.0 in its JSON format, one line for each entry.
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
