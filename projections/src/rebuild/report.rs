//! What a rebuild is asked, what it says on the way, and what it says at the end.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use stores::log::LogError;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::engine::batch::BatchError;
use crate::engine::projector::ApplyError;

/// How a rebuild is to go.
#[derive(Clone, Debug)]
pub struct RebuildOptions {
    /// Switch even where the new model differs from the live one.
    pub accept_differences: bool,
    /// Stop before the switch, and leave nothing behind.
    pub dry_run: bool,
    /// Do not compare: a newer version of a projection is not to be the same.
    pub skip_comparing: bool,
    /// Stops it, up to the switch, and leaves nothing behind.
    pub cancel: CancellationToken,
    /// How many messages are kept in memory while folding. An event about an earlier one is applied once the indexes are there.
    pub kept_messages: usize,
}

/// About 40 MB of messages of usual length. More would save little: nearly all that happens to a message happens soon.
const KEPT_MESSAGES: usize = 80_000;

impl Default for RebuildOptions {
    fn default() -> Self {
        Self {
            accept_differences: false,
            dry_run: false,
            skip_comparing: false,
            cancel: CancellationToken::new(),
            kept_messages: KEPT_MESSAGES,
        }
    }
}

/// What a rebuild is doing, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Folding events in memory, and copying rows. Counts events.
    Folding,
    /// Building indexes. Counts indexes.
    Indexing,
    /// Applying what came in meanwhile. Counts events.
    CatchingUp,
    /// Comparing with the live model at the same position. Counts tables.
    Comparing,
    /// Switching.
    Switching,
    /// Dropping the old tables, once nobody reads them any more.
    Dropping,
}

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RebuildProgress {
    /// What it is doing.
    pub phase: Phase,
    /// How much of that is done.
    pub done: u64,
    /// How much there is.
    pub total: u64,
}

/// What a rebuild has done.
#[derive(Clone, Debug, PartialEq)]
pub struct RebuildReport {
    /// How many events it read.
    pub events: u64,
    /// The position that the new model stood at when it was switched to.
    pub position: i64,
    /// The position at which it was compared with the live model; nothing where the live one was too far behind for that.
    pub compared_at: Option<i64>,
    /// How many rows each table had when the two models were compared.
    pub rows: Vec<(String, i64)>,
    /// Where the new model differs from the old one: empty unless differences were accepted, or nothing was to be switched.
    pub differences: Vec<Difference>,
    /// Whether it was switched to: not in a dry run.
    pub switched: bool,
    /// How long the live projector was held up by the switch.
    pub held_up: Duration,
    /// How long it took.
    pub elapsed: Duration,
    /// How long each phase took.
    pub phases: Vec<(Phase, Duration)>,
}

/// A table that is not the same in both models at the same position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Difference {
    /// The table, the index, or the family of keys.
    pub table: String,
    /// Its rows in the live model.
    pub live_rows: i64,
    /// Its rows in the new one.
    pub new_rows: i64,
    /// The first rows that are not the same, in order of their keys.
    pub rows: Vec<DifferingRow>,
}

/// A row that is not the same in both models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DifferingRow {
    /// Its primary key.
    pub key: String,
    /// Whether the live model has it.
    pub in_live: bool,
    /// Whether the new model has it.
    pub in_new: bool,
    /// The columns that are not the same; all, where only one model has the row.
    pub columns: Vec<DifferingColumn>,
    /// The latest events of what the row is about.
    pub events: Vec<MadeBy>,
}

/// A column that is not the same in both models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DifferingColumn {
    /// Its name.
    pub column: String,
    /// What the live model has.
    #[schema(value_type = Option<Object>)]
    pub live: Option<Value>,
    /// What the new model has.
    #[schema(value_type = Option<Object>)]
    pub new: Option<Value>,
}

/// An event that a row came of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MadeBy {
    /// Its position.
    pub position: i64,
    /// Its name.
    pub event_type: String,
}

impl Difference {
    /// Of counts alone.
    pub(crate) fn of_counts(table: &str, live_rows: i64, new_rows: i64) -> Self {
        Self { table: table.into(), live_rows, new_rows, rows: Vec::new() }
    }
}

/// A rebuild that did not switch. The live model is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is no such projection.
    #[error("there is no projection {0:?}")]
    Unknown(String),
    /// Another rebuild of it is under way.
    #[error("another rebuild of {0} is under way")]
    UnderWay(String),
    /// The new model differs from the live one.
    #[error("the new model differs from the live one at position {position}: {}", list(differences))]
    Differs {
        /// Where both stood.
        position: i64,
        /// Where they differ.
        differences: Vec<Difference>,
    },
    /// It was cancelled.
    #[error("it was cancelled: nothing was switched, and nothing is left behind")]
    Cancelled,
    /// The live model is of a newer release.
    #[error(
        "the live model of {projection} is of version {stored}, and this release knows version {ours}: replay it with the newer release"
    )]
    Newer {
        /// The projection.
        projection: String,
        /// The live model's version.
        stored: i32,
        /// This release's.
        ours: i32,
    },
    /// The live tables have columns that this release does not write.
    #[error(
        "the read tables have columns that a newer release added, and that this release does not write: {}; replay with the newer release",
        .0.join(", ")
    )]
    NewerColumns(Vec<String>),
    /// A view of a position that the log has not reached.
    #[error("the log ends at position {head}, before {position}")]
    Beyond {
        /// What was asked for.
        position: i64,
        /// Where the log ends.
        head: i64,
    },
    /// There is a view of that name.
    #[error("there is a view of the name {0:?} already: choose another name, or drop it first")]
    ViewThere(String),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The new model cannot be written.
    #[error("the new model cannot be written")]
    Write(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The indices of a view that is dropped are out of reach.
    #[error("the tables of the view are gone; its indices go once Elasticsearch is back")]
    IndicesLeft(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The log grows faster than the new model catches up.
    #[error("the log grows faster than the new model catches up")]
    Outrun,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<LogError> for RebuildError {
    fn from(error: LogError) -> Self {
        Self::Log(Box::new(error))
    }
}

impl From<BatchError> for RebuildError {
    fn from(error: BatchError) -> Self {
        Self::Write(Box::new(error))
    }
}

impl From<ApplyError> for RebuildError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Store(error) => Self::Database(error),
            other => Self::Write(Box::new(other)),
        }
    }
}

impl Phase {
    /// What it is called.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Folding => "folding",
            Self::Indexing => "indexing",
            Self::CatchingUp => "catching up",
            Self::Comparing => "comparing",
            Self::Switching => "switching",
            Self::Dropping => "dropping",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.live_rows == self.new_rows {
            write!(f, "{} has {} rows in both, not all alike", self.table, self.live_rows)
        } else {
            write!(f, "{} has {} rows, the new one {}", self.table, self.live_rows, self.new_rows)
        }
    }
}

fn list(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
