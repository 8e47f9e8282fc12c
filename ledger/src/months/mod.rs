//! Closed months of the log as files: written, checked without a database, and put back into an empty one.
//!
//! A month is a file of JSON lines in order of position, compressed with gzip, and a manifest beside it. A month is closed when it is over:
//! `recorded_at` only increases, so nothing is added to it any more.

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

/// What a manifest begins with.
const FORMAT: &str = "backscroll log export v1";

/// A month, as `2025-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    month: u32,
}

/// What a file holds, so that it can be checked without the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always the same.
    pub format: String,
    /// The month, in UTC.
    pub month: String,
    /// The file with the events, beside the manifest.
    pub file: String,
    /// SHA-256 over that file, in hexadecimal digits.
    pub sha256: String,
    /// How many events it has.
    pub events: i64,
    /// The position of the first.
    pub first_position: i64,
    /// The position of the last.
    pub last_position: i64,
    /// The last head of the log's proof that was signed of no more than this month and those before it, where there is one: a signed note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// A row of the log, as a line. Payload and metadata are texts, so that they stay as they are stored, to the byte.
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

/// Why a month was not exported, checked or restored.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It is no month.
    #[error("{0:?} is no month: write it as 2025-01")]
    NoMonth(String),
    /// It is not over.
    #[error("the month {0} is not over: only closed months are exported")]
    NotClosed(String),
    /// Nothing was recorded in it.
    #[error("nothing was recorded in {0}")]
    Empty(String),
    /// A file cannot be read or written.
    #[error("{path} cannot be used", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is in a file is not what must be there.
    #[error("{path}: {what}", path = path.display())]
    Wrong {
        /// Which.
        path: PathBuf,
        /// What is wrong, and where.
        what: String,
    },
    /// What is in a file is not JSON of the form that must be there.
    #[error("{path}: {what}", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What cannot be read.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The database's log does not end where the month begins.
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
