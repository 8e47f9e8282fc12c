//! Closed months of the log as files: they are written, checked without a database, and restored into an empty one.
//!
//! A month is a file of JSON lines in order of position, compressed with gzip, and a manifest beside it. A month is
//! closed when it is over: `recorded_at` only increases, so no event is added to it later.

mod file;
mod restore;
mod write;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use file::{Verified, read_manifest, verify};
pub use restore::restore;
pub use write::{export, positions};

/// The format that a manifest names.
const FORMAT: &str = "backscroll log export v1";

/// A month, as `2025-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    month: u32,
}

/// The manifest of a month's file. The file can be checked with it without a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format, always the same.
    pub format: String,
    /// The month, in UTC.
    pub month: String,
    /// The file with the events, beside the manifest.
    pub file: String,
    /// SHA-256 of that file, in hexadecimal digits.
    pub sha256: String,
    /// The number of events.
    pub events: i64,
    /// The position of the first event.
    pub first_position: i64,
    /// The position of the last event.
    pub last_position: i64,
    /// The last signed head of the log's proof that covers only this month and earlier ones, if there is one: a signed
    /// note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// A row of the log, as a line. Payload and metadata are texts, so that they stay exactly as they are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    position: i64,
    event_id: Uuid,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    workspace_id: Option<Uuid>,
    recorded_at: DateTime<Utc>,
    event_type: String,
    event_version: String,
    payload: String,
    metadata: String,
    digest: String,
}

/// Why a month could not be exported, checked or restored.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The text is not a month.
    #[error("{0:?} is not a month: write it as 2025-01")]
    NoMonth(String),
    /// The month is not over.
    #[error("the month {0} is not over: only closed months are exported")]
    NotClosed(String),
    /// No event was recorded in the month.
    #[error("nothing was recorded in {0}")]
    Empty(String),
    /// A file cannot be read or written.
    #[error("{path} cannot be used", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The content of a file is not valid.
    #[error("{path}: {what}", path = path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        what: String,
    },
    /// The content of a file is not JSON of the expected form.
    #[error("{path}: {what}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The part that cannot be read.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The month does not follow the end of the database's log.
    #[error("the log ends at {head}, and this month begins at {first}: restore the months in order, into an empty database")]
    NotNext {
        /// Where the log ends.
        head: i64,
        /// Where the month begins.
        first: i64,
    },
    /// The database cannot be used.
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
}

impl std::str::FromStr for Month {
    type Err = ExportError;

    fn from_str(text: &str) -> Result<Self, ExportError> {
        let parts = text.split_once('-').and_then(|(year, month)| Some((year.parse().ok()?, month.parse().ok()?)));
        let found = parts.map(|(year, month)| Self { year, month }).filter(|month| month.begin().is_some());
        found.ok_or_else(|| ExportError::NoMonth(text.to_owned()))
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl Month {
    fn begin(self) -> Option<DateTime<Utc>> {
        Some(chrono::NaiveDate::from_ymd_opt(self.year, self.month, 1)?.and_time(chrono::NaiveTime::MIN).and_utc())
    }

    fn end(self) -> Option<DateTime<Utc>> {
        self.begin()?.checked_add_months(chrono::Months::new(1))
    }
}
