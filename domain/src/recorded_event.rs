//! The envelope that the write side and the read side share: an event with its place in the log, and how a stored event
//! is decoded.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::catalogue;
use crate::context::Metadata;
use crate::event::{AggregateType, Event, StreamId};
use crate::ids::{EventId, WorkspaceId};
use crate::personal::{self, Keys, Place, SealError};
use crate::upcast::{self, UpcastError};

impl Event {
    /// Decodes a stored payload, such as `{"channel.archived": {…}}`: unseals it if it is sealed, and upcasts it if its
    /// version is old. A payload that is erased, or whose key was destroyed, is read as a tombstone ([`personal`]).
    ///
    /// # Errors
    /// The version of the payload is not known, the payload does not match its version, or its key is not in memory.
    pub fn decode(place: &Place<'_>, version: &str, payload: &str, keys: &dyn Keys) -> Result<Self, DecodeError> {
        let (event_type, aggregate) = (place.event_type, place.stream.aggregate);
        let payload = personal::reveal(place, payload, keys).map_err(|source| DecodeError::sealed(event_type, source))?;
        if upcast::is_current(event_type, version) {
            return Self::from_json(aggregate, &payload).map_err(|source| DecodeError::new(event_type, version, source));
        }
        let old = serde_json::from_str::<Value>(&payload).map_err(|source| DecodeError::new(event_type, version, source))?;
        let today = upcast::upcast(event_type, version, old)?;
        Self::from_json(aggregate, &today.to_string()).map_err(|source| DecodeError::new(event_type, version, source))
    }

    fn from_json(aggregate: AggregateType, payload: &str) -> Result<Self, serde_json::Error> {
        match aggregate {
            AggregateType::User => serde_json::from_str(payload).map(Self::User),
            AggregateType::Workspace => serde_json::from_str(payload).map(Self::Workspace),
            AggregateType::Channel => serde_json::from_str(payload).map(Self::Channel),
            AggregateType::Message => serde_json::from_str(payload).map(Self::Message),
            AggregateType::Retention => serde_json::from_str(payload).map(Self::Retention),
            AggregateType::Installation => serde_json::from_str(payload).map(Self::Installation),
            AggregateType::Session => serde_json::from_str(payload).map(Self::Session),
            AggregateType::Audit => serde_json::from_str(payload).map(Self::Audit),
        }
    }
}

/// A stored payload that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The payload does not match its type and version.
    #[error("the payload of a {event_type} of version {version} cannot be read")]
    Payload {
        /// The event's name on the wire.
        event_type: String,
        /// The version.
        version: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The sealed part cannot be read.
    #[error("the personal part of a {event_type} cannot be read")]
    Sealed {
        /// The event's name on the wire.
        event_type: String,
        /// Why.
        source: SealError,
    },
    /// No upcaster leads from the version to the present one.
    #[error(transparent)]
    Upcast(#[from] UpcastError),
    /// The aggregate is of no known type.
    #[error("there is no aggregate of the type {0:?}")]
    Aggregate(String),
    /// The aggregate's identifier is not a UUID.
    #[error("{id:?} is not an identifier")]
    Identifier {
        /// The stored text.
        id: String,
        /// Why.
        source: uuid::Error,
    },
    /// The metadata cannot be read.
    #[error("the metadata cannot be read")]
    Metadata {
        /// Why.
        source: serde_json::Error,
    },
}

impl DecodeError {
    fn new(event_type: &str, version: &str, source: serde_json::Error) -> Self {
        Self::Payload { event_type: event_type.into(), version: version.into(), source }
    }

    /// The error that the personal part of an event of this name cannot be read.
    #[must_use]
    pub fn sealed(event_type: &str, source: SealError) -> Self {
        Self::Sealed { event_type: event_type.into(), source }
    }

    /// Whether a later release wrote the event: this release does not know its aggregate, its name or its version.
    #[must_use]
    pub fn is_of_later_release(&self) -> bool {
        match self {
            Self::Aggregate(_) => true,
            Self::Payload { event_type, .. } => !catalogue::EVENTS.iter().any(|event| event.wire_name == event_type),
            Self::Upcast(error) => error.is_of_later_release(),
            Self::Sealed { .. } | Self::Identifier { .. } | Self::Metadata { .. } => false,
        }
    }

    /// The key that must be fetched before the event can be read, if that is the only problem.
    #[must_use]
    pub fn missing_key(&self) -> Option<Uuid> {
        match self {
            Self::Sealed { source: SealError::KeyNotHeld(key_id), .. } => Some(*key_id),
            Self::Sealed { source: SealError::Wrong, .. }
            | Self::Payload { .. }
            | Self::Upcast(_)
            | Self::Aggregate(_)
            | Self::Identifier { .. }
            | Self::Metadata { .. } => None,
        }
    }
}

/// An event, with its place in the log. `E` is [`Event`], or the event type of one aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded<E = Event> {
    /// Its place in the log. Positions are gapless, start at 1, and follow the order of commits.
    pub position: i64,
    /// Its identifier.
    pub event_id: EventId,
    /// The stream of its aggregate.
    pub stream: StreamId,
    /// Its place in the stream. Sequence numbers are gapless, and start at 1.
    pub sequence: i64,
    /// The workspace that it belongs to, if there is one.
    pub workspace_id: Option<WorkspaceId>,
    /// When it was recorded. This time strictly increases with the position.
    pub recorded_at: DateTime<Utc>,
    /// The actor, and the circumstances of the command.
    pub metadata: Metadata,
    /// The event itself.
    pub event: E,
}

impl<E> Recorded<E> {
    /// When it happened: the original time of an imported event, or else when it was recorded.
    #[must_use]
    pub fn happened_at(&self) -> DateTime<Utc> {
        self.metadata.occurred_at.unwrap_or(self.recorded_at)
    }

    /// The same place in the log, with another event type.
    #[must_use]
    pub fn with<F>(self, event: F) -> Recorded<F> {
        Recorded {
            position: self.position,
            event_id: self.event_id,
            stream: self.stream,
            sequence: self.sequence,
            workspace_id: self.workspace_id,
            recorded_at: self.recorded_at,
            metadata: self.metadata,
            event,
        }
    }
}
