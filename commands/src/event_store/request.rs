//! What a caller wants appended, and what comes of it.

use chrono::{DateTime, Utc};
use domain::format::EventFormat;
use domain::ids::{UserId, WorkspaceId};
use domain::{Event, Metadata, StreamId};
use uuid::Uuid;

use super::claim::{Claim, ClaimChange};
use super::idempotency::Idempotency;

/// Events of one decision, and everything that must be true at the instant of the append.
#[derive(Clone, Debug)]
pub struct Append {
    /// What goes in, stream by stream, in this order.
    pub writes: Vec<StreamWrite>,
    /// Streams that the decision rested on, with the versions that it saw: they must still stand.
    pub guards: Vec<(StreamId, i64)>,
    /// Names taken and released.
    pub claims: Vec<ClaimChange>,
    /// The key under which the request counts once.
    pub idempotency: Option<Idempotency>,
    /// What the request creates, or acts on: who asks again under the same key is told this.
    pub subject: Uuid,
    /// Who, and under which circumstances.
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
    /// The workspace that it belongs to, where it belongs to one.
    pub workspace_id: Option<WorkspaceId>,
    /// The version that the decision saw: 0 for a new stream.
    pub expected: i64,
    /// What set these events off, where that is another write of the same request, before this one: its last event is their cause.
    pub caused_by: Option<StreamId>,
    /// What happened, in order.
    pub events: Vec<PendingEvent>,
}

/// An event that is to be recorded.
#[derive(Clone, Debug)]
pub struct PendingEvent {
    /// What happened.
    pub event: Event,
    /// Who did it and when, where that is not the request's actor now: an import.
    pub original: Option<(UserId, DateTime<Utc>)>,
}

impl<E: Into<Event>> From<E> for PendingEvent {
    fn from(event: E) -> Self {
        Self { event: event.into(), original: None }
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the log.
    Appended {
        /// The position of its last event.
        position: i64,
    },
    /// The same request was made before under the same key; nothing was appended now.
    Replayed {
        /// The position of the last event of the first time.
        position: i64,
        /// What the first time created, or acted on.
        subject: Uuid,
    },
    /// Another request was made before under the same key; nothing was appended.
    KeyReused,
    /// The decision rested on a version of this stream that does not stand any more; nothing was appended.
    Stale(StreamId),
    /// Somebody holds a claim already; nothing was appended.
    ClaimTaken {
        /// Which.
        claim: Claim,
        /// Who.
        holder: Uuid,
    },
}
