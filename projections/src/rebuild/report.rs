//! The options of a rebuild, its progress, and its report.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use stores::log::LogError;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::past::LeftOut;
use crate::engine::batch::BatchError;
use crate::engine::projector::ApplyError;

/// The options of a rebuild.
#[derive(Clone, Debug)]
pub struct RebuildOptions {
    /// Switch even if the new model differs from the live one.
    pub accept_differences: bool,
    /// Stop before the switch, and leave nothing behind.
    pub dry_run: bool,
    /// Do not compare. A newer version of a projection is expected to differ.
    pub skip_comparing: bool,
    /// Cancels the rebuild up to the switch. Nothing is left behind then.
    pub cancel: CancellationToken,
    /// How many messages are kept in memory while folding. An event about an earlier message is applied once the
    /// indexes exist.
    pub kept_messages: usize,
}

/// About 40 MB of messages of usual length. More would save little, because most changes to a message come soon after
/// it.
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

/// The phases of a rebuild, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Folding events in memory, and copying rows. Progress counts events.
    Folding,
    /// Building indexes. Progress counts indexes.
    Indexing,
    /// Applying the events that were appended meanwhile. Progress counts events.
    CatchingUp,
    /// Comparing with the live model at the same position. Progress counts tables.
    Comparing,
    /// Switching.
    Switching,
    /// Dropping the old tables, once no query reads them any more.
    Dropping,
}

/// The progress of a rebuild.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RebuildProgress {
    /// The current phase.
    pub phase: Phase,
    /// How much of the phase is done.
    pub done: u64,
    /// How much the phase has in total.
    pub total: u64,
}

/// The result of a rebuild.
#[derive(Clone, Debug, PartialEq)]
pub struct RebuildReport {
    /// How many events it read.
    pub events: u64,
    /// The position of the new model at the switch.
    pub position: i64,
    /// The position at which it was compared with the live model. `None` if the live model was too far behind.
    pub compared_at: Option<i64>,
    /// How many rows each table had when the two models were compared.
    pub rows: Vec<(String, i64)>,
    /// The differences between the new model and the old one. Empty unless differences were accepted, or the rebuild
    /// does not switch.
    pub differences: Vec<Difference>,
    /// Of a view of a moment: the events that could not be applied.
    pub left_out: LeftOut,
    /// Whether readers were switched to the new model. A dry run does not switch.
    pub switched: bool,
    /// How long the live projector waited during the switch.
    pub held_up: Duration,
    /// How long the rebuild took.
    pub elapsed: Duration,
    /// How long each phase took.
    pub phases: Vec<(Phase, Duration)>,
}

/// A table that differs between the models at the same position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Difference {
    /// The table, the index, or the family of keys.
    pub table: String,
    /// The number of its rows in the live model.
    pub live_rows: i64,
    /// The number of its rows in the new model.
    pub new_rows: i64,
    /// The first differing rows, in order of their keys.
    pub rows: Vec<DifferingRow>,
}

/// A row that differs between the models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DifferingRow {
    /// Its primary key.
    pub key: String,
    /// Whether the live model has it.
    pub in_live: bool,
    /// Whether the new model has it.
    pub in_new: bool,
    /// The columns that differ, or all columns if only one model has the row.
    pub columns: Vec<DifferingColumn>,
    /// The latest events of the thing that the row is about.
    pub events: Vec<MadeBy>,
}

/// A column that differs between the models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DifferingColumn {
    /// Its name.
    pub column: String,
    /// The live model's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub live: Option<Value>,
    /// The new model's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub new: Option<Value>,
}

/// An event that the row was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MadeBy {
    /// Its position.
    pub position: i64,
    /// Its name.
    pub event_type: String,
}

impl Difference {
    /// A difference in the number of rows alone.
    pub(crate) fn of_counts(table: &str, live_rows: i64, new_rows: i64) -> Self {
        Self { table: table.into(), live_rows, new_rows, rows: Vec::new() }
    }
}

/// Why a rebuild did not switch. The live model is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is no such projection.
    #[error("there is no projection {0:?}")]
    Unknown(String),
    /// Another rebuild of the projection is running.
    #[error("another rebuild of {0} is running")]
    UnderWay(String),
    /// The new model differs from the live one.
    #[error("the new model differs from the live one at position {position}: {}", list(differences))]
    Differs {
        /// The position of both models.
        position: i64,
        /// The tables that differ.
        differences: Vec<Difference>,
    },
    /// The rebuild was cancelled.
    #[error("the rebuild was cancelled: nothing was switched, and nothing is left behind")]
    Cancelled,
    /// The live model was built by a newer release.
    #[error(
        "the live model of {projection} is of version {stored}, and this release knows version {ours}: replay it with the newer release"
    )]
    Newer {
        /// The projection.
        projection: String,
        /// The live model's version.
        stored: i32,
        /// This release's version.
        ours: i32,
    },
    /// The live tables have columns that this release does not write.
    #[error(
        "the read tables have columns that a newer release added, and that this release does not write: {}; replay with the newer release",
        .0.join(", ")
    )]
    NewerColumns(Vec<String>),
    /// A view was asked for at a position that the log has not reached.
    #[error("the log ends at position {head}, before {position}")]
    BeyondLog {
        /// The position that was asked for.
        position: i64,
        /// Where the log ends.
        head: i64,
    },
    /// A view of this name exists.
    #[error("a view named {0:?} exists: choose another name, or drop it first")]
    ViewExists(String),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The new model cannot be written.
    #[error("the new model cannot be written")]
    Write(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The view is dropped, but Elasticsearch is unreachable and still has its indices.
    #[error("the tables of the view are removed; its indices will be removed once Elasticsearch is reachable again")]
    IndicesLeft(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The log grows faster than the new model catches up.
    #[error("the log grows faster than the new model catches up")]
    LogTooFast,
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
    /// The name of the phase.
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
