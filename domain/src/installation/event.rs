//! What has happened to the installation.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::WorkspaceId;
use crate::text::Reason;

/// What has happened to the installation. The wire name of each is its `rename`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum InstallationEvent {
    /// A projection began to be built anew.
    #[serde(rename = "installation.replay_started")]
    ReplayStarted(Box<ReplayStart>),
    /// What came of it.
    #[serde(rename = "installation.replay_ended")]
    ReplayEnded(Box<ReplayEnd>),
    /// The new model was switched to although it differs from the one before: whoever started the replay had accepted that.
    #[serde(rename = "installation.replay_switched_with_differences")]
    ReplaySwitchedWithDifferences {
        /// The replay.
        replay_id: Uuid,
        /// The projection.
        projection: String,
        /// Where both models stood.
        position: Option<i64>,
        /// What differs, table by table.
        differences: Vec<String>,
    },
    /// A projection leaves out an event that it cannot apply, now and in every replay.
    #[serde(rename = "installation.event_skipped")]
    EventSkipped(SkippedEvent),
    /// What waited behind an event that could not be applied was applied after all.
    #[serde(rename = "installation.event_retried")]
    EventRetried {
        /// The projection.
        projection: String,
        /// What waited, such as `workspace:…`.
        park_key: String,
        /// The position of the event that could not be applied.
        position: i64,
        /// How many events were applied.
        events: u64,
    },
    /// Another key signs the heads of the log from the next one on.
    #[serde(rename = "installation.proof_key_rotated")]
    ProofKeyRotated {
        /// The public key, as it is published.
        vkey: String,
    },
}

/// A replay, as it begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplayStart {
    /// The replay.
    pub replay_id: Uuid,
    /// The projection.
    pub projection: String,
    /// What of it.
    pub scope: ReplayScope,
    /// Whether it stops before the switch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Whether it switches even where the new model differs from the live one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accepts_differences: bool,
}

/// What of a projection is built anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayScope {
    /// All of it.
    Whole,
    /// All of it, because the release has a newer version of it.
    Upgrade {
        /// The version that it gets.
        version: i32,
    },
    /// The rows of one workspace, in place.
    Workspace(WorkspaceId),
    /// A model as of then, under a name of its own, to look at.
    View {
        /// The name.
        name: String,
        /// Up to and with that event.
        position: i64,
    },
}

/// A replay, as it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplayEnd {
    /// The replay.
    pub replay_id: Uuid,
    /// The projection.
    pub projection: String,
    /// What came of it.
    pub outcome: ReplayOutcome,
    /// The position that the new model stood at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// How many rows, or documents, it has; nothing where they were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// What differs from the model before, table by table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What came of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayOutcome {
    /// The new model is the live one.
    Switched,
    /// It would have switched: it was a dry run.
    Checked,
    /// One workspace's rows are mended.
    Repaired,
    /// The model as of then is there.
    Built,
    /// It differs from the live one, which stays.
    Differs,
    /// It failed, and the live one stays.
    Failed,
    /// Somebody cancelled it, and the live one stays.
    Cancelled,
    /// Its process died. The live one stays, unless it had been switched just before.
    CutOff,
}

/// An event that a projection leaves out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkippedEvent {
    /// The projection.
    pub projection: String,
    /// The event's position.
    pub position: i64,
    /// Why.
    pub reason: Reason,
}

impl ReplayEnd {
    /// The end of that replay, with nothing more to say.
    #[must_use]
    pub fn of(replay_id: Uuid, projection: String, outcome: ReplayOutcome) -> Self {
        Self { replay_id, projection, outcome, position: None, rows: None, differences: Vec::new(), error: None }
    }
}

impl ReplayOutcome {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Switched => "switched",
            Self::Checked => "checked",
            Self::Repaired => "repaired",
            Self::Built => "built",
            Self::Differs => "differs",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::CutOff => "cut_off",
        }
    }
}

impl InstallationEvent {
    /// The name on the wire.
    #[must_use]
    pub fn wire_name(&self) -> &'static str {
        match self {
            Self::ReplayStarted(_) => "installation.replay_started",
            Self::ReplayEnded(_) => "installation.replay_ended",
            Self::ReplaySwitchedWithDifferences { .. } => "installation.replay_switched_with_differences",
            Self::EventSkipped(_) => "installation.event_skipped",
            Self::EventRetried { .. } => "installation.event_retried",
            Self::ProofKeyRotated { .. } => "installation.proof_key_rotated",
        }
    }

    /// The version of the payload; see [`crate::upcast`].
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self {
            Self::ReplayStarted(_)
            | Self::ReplayEnded(_)
            | Self::ReplaySwitchedWithDifferences { .. }
            | Self::EventSkipped(_)
            | Self::EventRetried { .. }
            | Self::ProofKeyRotated { .. } => "1",
        }
    }
}

impl DomainEvent for InstallationEvent {
    fn event_type(&self) -> String {
        self.wire_name().into()
    }

    fn event_version(&self) -> String {
        self.version().into()
    }
}
