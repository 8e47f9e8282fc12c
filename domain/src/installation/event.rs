//! The events of the installation.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::WorkspaceId;
use crate::text::Reason;

/// The events of the installation. The `rename` of each is its name on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum InstallationEvent {
    /// A projection's rebuild started.
    #[serde(rename = "installation.replay_started")]
    ReplayStarted(Box<ReplayStart>),
    /// The replay ended.
    #[serde(rename = "installation.replay_ended")]
    ReplayEnded(Box<ReplayEnd>),
    /// The replay switched to the new model although it differs from the old one, because the caller had accepted
    /// differences.
    #[serde(rename = "installation.replay_switched_with_differences")]
    ReplaySwitchedWithDifferences {
        /// The replay.
        replay_id: Uuid,
        /// The projection.
        projection: String,
        /// The position of both models.
        position: Option<i64>,
        /// The differences, by table.
        differences: Vec<String>,
    },
    /// A projection skips an event that it cannot apply, now and in every replay.
    #[serde(rename = "installation.event_skipped")]
    EventSkipped(SkippedEvent),
    /// A parked event, and the events that waited behind it, were applied.
    #[serde(rename = "installation.event_retried")]
    EventRetried {
        /// The projection.
        projection: String,
        /// The parked key, such as `workspace:…`.
        park_key: String,
        /// The position of the event that could not be applied.
        position: i64,
        /// How many events were applied.
        events: u64,
    },
    /// A new key signs the heads of the log from the next head on.
    #[serde(rename = "installation.proof_key_rotated")]
    ProofKeyRotated {
        /// The public key, as it is published.
        vkey: String,
        /// How it follows the key before it.
        #[serde(default, skip_serializing_if = "KeyChange::is_rotation")]
        change: KeyChange,
    },
    /// The identifiers that clients had given to messages are removed from all earlier `message.posted`. Earlier
    /// releases kept them in clear.
    #[serde(rename = "installation.client_ids_removed")]
    ClientIdsRemoved {
        /// How many idempotency keys that were made of them are replaced by keyed hashes.
        keys: u64,
    },
}

/// How a signing key follows the key before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyChange {
    /// The key before it signs one more head together with it, or was in a file.
    #[default]
    Rotation,
    /// It is the first key of the log.
    First,
    /// The key before it is lost, or the heads that it signed are. An operator has decided for the new key.
    NewTrust,
}

impl KeyChange {
    fn is_rotation(&self) -> bool {
        *self == Self::Rotation
    }
}

/// The start of a replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplayStart {
    /// The replay.
    pub replay_id: Uuid,
    /// The projection.
    pub projection: String,
    /// The part of the projection that is rebuilt.
    pub scope: ReplayScope,
    /// Whether it stops before the switch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Whether it switches even if the new model differs from the live one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accepts_differences: bool,
}

/// The part of a projection that is rebuilt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayScope {
    /// All of it.
    Whole,
    /// All of it, because the release has a newer version of it.
    Upgrade {
        /// The version that the rebuilt model has.
        version: i32,
    },
    /// The rows of one workspace, in place.
    Workspace(WorkspaceId),
    /// A model of an earlier moment, under a name of its own, for inspection.
    View {
        /// The name.
        name: String,
        /// The position of the last event that was read for it.
        position: i64,
        /// The moment that it shows: of the events up to the position, it contains those that had happened by then.
        /// `None` if it contains all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        moment: Option<DateTime<Utc>>,
    },
}

/// The end of a replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplayEnd {
    /// The replay.
    pub replay_id: Uuid,
    /// The projection.
    pub projection: String,
    /// The outcome.
    pub outcome: ReplayOutcome,
    /// The position of the new model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// How many rows or documents it has. `None` if they were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The differences from the old model, by table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The outcome of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayOutcome {
    /// The new model is the live one.
    Switched,
    /// The new model could be switched to, but this was a dry run.
    Checked,
    /// The rows of one workspace are repaired.
    Repaired,
    /// The model of the earlier moment is built.
    Built,
    /// The new model differs from the live one, which stays in use.
    Differs,
    /// The replay failed, and the live model stays in use.
    Failed,
    /// A user cancelled the replay, and the live model stays in use.
    Cancelled,
    /// Its process died. The live model stays in use, unless the switch had happened just before.
    CutOff,
}

/// An event that a projection skips.
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
    /// The end of a replay with this outcome, and without any other detail.
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
            Self::ClientIdsRemoved { .. } => "installation.client_ids_removed",
        }
    }

    /// The version of the payload; see [`crate::upcast`].
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self {
            Self::ReplayStarted(start) if matches!(start.scope, ReplayScope::View { moment: Some(_), .. }) => "2",
            Self::ReplayStarted(_)
            | Self::ReplayEnded(_)
            | Self::ReplaySwitchedWithDifferences { .. }
            | Self::EventSkipped(_)
            | Self::EventRetried { .. }
            | Self::ProofKeyRotated { .. }
            | Self::ClientIdsRemoved { .. } => "1",
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
