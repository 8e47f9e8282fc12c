//! Append requests, and their outcomes.

use chrono::{DateTime, Utc};
use domain::format::EventFormat;
use domain::ids::{UserId, WorkspaceId};
use domain::{Event, Metadata, StreamId};
use uuid::Uuid;

use super::claim::{Claim, ClaimChange};
use super::idempotency::{Fingerprints, Idempotency, Remembered};

/// The events of one decision, and all conditions that must hold when they are appended.
#[derive(Clone, Debug)]
pub struct Append {
    /// The events, stream by stream, in this order.
    pub writes: Vec<StreamWrite>,
    /// The streams that the decision depends on, with the versions that it read. They must still have these versions.
    pub guards: Vec<(StreamId, i64)>,
    /// The names to take and to release.
    pub claims: Vec<ClaimChange>,
    /// The key under which the request takes effect once.
    pub idempotency: Option<Idempotency>,
    /// The identifier of the thing that the request creates or changes. A repetition with the same key gets it in its
    /// answer.
    pub subject: Uuid,
    /// The actor, and the circumstances of the command.
    pub metadata: Metadata,
}

impl Append {
    /// The newest format of its events.
    pub(super) fn format(&self) -> EventFormat {
        let events = self.writes.iter().flat_map(|write| &write.events);
        let formats = events.map(|pending| EventFormat::of(pending.event.wire_name(), pending.event.version()));
        formats.max().unwrap_or(EventFormat::FIRST)
    }
}

/// Events of one stream.
#[derive(Clone, Debug)]
pub struct StreamWrite {
    /// The stream.
    pub stream: StreamId,
    /// The workspace that the stream belongs to, if there is one.
    pub workspace_id: Option<WorkspaceId>,
    /// The version that the decision read. It is 0 for a new stream.
    pub expected: i64,
    /// The stream whose last event in this request causes these events. That write must come before this one in the
    /// request.
    pub caused_by: Option<StreamId>,
    /// The events, in order.
    pub events: Vec<PendingEvent>,
}

/// An event to record.
#[derive(Clone, Debug)]
pub struct PendingEvent {
    /// The event itself.
    pub event: Event,
    /// The original actor and time of an imported event.
    pub original: Option<(UserId, DateTime<Utc>)>,
}

impl<E: Into<Event>> From<E> for PendingEvent {
    fn from(event: E) -> Self {
        Self { event: event.into(), original: None }
    }
}

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The request is in the log.
    Appended {
        /// The position of its last event.
        position: i64,
        /// When its last event was recorded.
        recorded_at: DateTime<Utc>,
    },
    /// The same request was made before with the same key. Nothing was appended now.
    Replayed {
        /// The position of the last event of the first request.
        position: i64,
        /// When that event was recorded.
        recorded_at: DateTime<Utc>,
        /// The identifier of the thing that the first request created or changed.
        subject: Uuid,
    },
    /// A different request was made before with the same key. Nothing was appended.
    KeyReused,
    /// The decision read a version of this stream that is outdated. Nothing was appended.
    Stale(StreamId),
    /// A message would be recorded more than ten minutes before or after its identifier was drawn, and no lookup would
    /// find it. Nothing was appended. The caller draws another identifier at the given time, and tries again.
    Untimely {
        /// When the message would have been recorded.
        recorded_at: DateTime<Utc>,
    },
    /// The claim is held already. Nothing was appended.
    ClaimTaken {
        /// The claim.
        claim: Claim,
        /// Its holder.
        holder: Uuid,
    },
}

impl Outcome {
    /// The outcome of a request whose key an earlier one has used.
    pub(super) fn of_used_key(remembered: &Remembered, fingerprints: Option<&Fingerprints>) -> Self {
        if fingerprints.is_some_and(|fingerprints| fingerprints.is(&remembered.fingerprint)) {
            Self::Replayed { position: remembered.position, recorded_at: remembered.recorded_at, subject: remembered.subject }
        } else {
            Self::KeyReused
        }
    }
}
