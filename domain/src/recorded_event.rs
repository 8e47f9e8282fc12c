//! The envelope that both sides of the house share: an event, with its place in the log.

use std::fmt;

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::audit::{Audit, AuditEvent};
use crate::channel::{Channel, ChannelEvent};
use crate::context::Metadata;
use crate::ids::{EventId, WorkspaceId};
use crate::installation::{Installation, InstallationEvent};
use crate::message::{Message, MessageEvent};
use crate::personal::{self, Keys, Place, SealError};
use crate::retention::{Retention, RetentionEvent};
use crate::session::{Session, SessionEvent};
use crate::upcast::{self, UpcastError};
use crate::user::{User, UserEvent};
use crate::workspace::{Workspace, WorkspaceEvent};

/// What an event happened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AggregateType {
    /// A user.
    User,
    /// A workspace.
    Workspace,
    /// A channel.
    Channel,
    /// A message.
    Message,
    /// What retention has done to the messages of a month of a channel.
    Retention,
    /// The server as a whole.
    Installation,
    /// A session: signing in and out.
    Session,
    /// The audit of a workspace: who reads it.
    Audit,
}

impl AggregateType {
    /// Every type.
    pub const ALL: [AggregateType; 8] =
        [Self::User, Self::Workspace, Self::Channel, Self::Message, Self::Retention, Self::Session, Self::Audit, Self::Installation];

    /// Its name on the wire and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => User::TYPE,
            Self::Workspace => Workspace::TYPE,
            Self::Channel => Channel::TYPE,
            Self::Message => Message::TYPE,
            Self::Retention => Retention::TYPE,
            Self::Installation => Installation::TYPE,
            Self::Session => Session::TYPE,
            Self::Audit => Audit::TYPE,
        }
    }

    /// The type of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == name)
    }
}

/// One aggregate's stream of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId {
    /// What kind of thing.
    pub aggregate: AggregateType,
    /// Which one.
    pub id: Uuid,
}

impl StreamId {
    /// The stream of the server as a whole.
    pub const INSTALLATION: Self = Self { aggregate: AggregateType::Installation, id: Uuid::nil() };

    /// The stream of that user.
    #[must_use]
    pub fn user(id: impl Into<Uuid>) -> Self {
        Self { aggregate: AggregateType::User, id: id.into() }
    }

    /// The stream of that workspace.
    #[must_use]
    pub fn workspace(id: impl Into<Uuid>) -> Self {
        Self { aggregate: AggregateType::Workspace, id: id.into() }
    }

    /// The stream of that channel.
    #[must_use]
    pub fn channel(id: impl Into<Uuid>) -> Self {
        Self { aggregate: AggregateType::Channel, id: id.into() }
    }

    /// The stream of that message.
    #[must_use]
    pub fn message(id: impl Into<Uuid>) -> Self {
        Self { aggregate: AggregateType::Message, id: id.into() }
    }

    /// The stream of what retention has done to the messages of a month of a channel.
    #[must_use]
    pub fn retention(id: impl Into<Uuid>) -> Self {
        Self { aggregate: AggregateType::Retention, id: id.into() }
    }

    /// The stream of that session.
    #[must_use]
    pub fn session(id: impl Into<Uuid>) -> Self {
        Self { aggregate: AggregateType::Session, id: id.into() }
    }

    /// The stream of the audit of that workspace.
    #[must_use]
    pub fn audit(workspace_id: impl Into<Uuid>) -> Self {
        Self { aggregate: AggregateType::Audit, id: workspace_id.into() }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.aggregate.as_str(), self.id)
    }
}

/// Any event of any aggregate.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// Of a user.
    User(UserEvent),
    /// Of a workspace.
    Workspace(WorkspaceEvent),
    /// Of a channel.
    Channel(ChannelEvent),
    /// Of a message.
    Message(MessageEvent),
    /// Of retention.
    Retention(RetentionEvent),
    /// Of the server as a whole.
    Installation(InstallationEvent),
    /// Of a session.
    Session(SessionEvent),
    /// Of an audit.
    Audit(AuditEvent),
}

impl Event {
    /// The name on the wire.
    #[must_use]
    pub fn wire_name(&self) -> &'static str {
        match self {
            Self::User(event) => event.wire_name(),
            Self::Workspace(event) => event.wire_name(),
            Self::Channel(event) => event.wire_name(),
            Self::Message(event) => event.wire_name(),
            Self::Retention(event) => event.wire_name(),
            Self::Installation(event) => event.wire_name(),
            Self::Session(event) => event.wire_name(),
            Self::Audit(event) => event.wire_name(),
        }
    }

    /// The version of the payload.
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self {
            Self::User(event) => event.version(),
            Self::Workspace(event) => event.version(),
            Self::Channel(event) => event.version(),
            Self::Message(event) => event.version(),
            Self::Retention(event) => event.version(),
            Self::Installation(event) => event.version(),
            Self::Session(event) => event.version(),
            Self::Audit(event) => event.version(),
        }
    }

    /// What it happened to.
    #[must_use]
    pub fn aggregate(&self) -> AggregateType {
        match self {
            Self::User(_) => AggregateType::User,
            Self::Workspace(_) => AggregateType::Workspace,
            Self::Channel(_) => AggregateType::Channel,
            Self::Message(_) => AggregateType::Message,
            Self::Retention(_) => AggregateType::Retention,
            Self::Installation(_) => AggregateType::Installation,
            Self::Session(_) => AggregateType::Session,
            Self::Audit(_) => AggregateType::Audit,
        }
    }

    /// Reads the stored payload of the event at that place: `{"channel.archived": {…}}`, unsealed where it is sealed, upcast where it is of
    /// an older version. What is erased, or has lost its key, is read as a tombstone ([`personal`]).
    ///
    /// # Errors
    /// The payload is of a version that nobody knows, or is not what its version should be; its key is not in memory.
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

impl From<UserEvent> for Event {
    fn from(event: UserEvent) -> Self {
        Self::User(event)
    }
}

impl From<WorkspaceEvent> for Event {
    fn from(event: WorkspaceEvent) -> Self {
        Self::Workspace(event)
    }
}

impl From<ChannelEvent> for Event {
    fn from(event: ChannelEvent) -> Self {
        Self::Channel(event)
    }
}

impl From<MessageEvent> for Event {
    fn from(event: MessageEvent) -> Self {
        Self::Message(event)
    }
}

impl From<RetentionEvent> for Event {
    fn from(event: RetentionEvent) -> Self {
        Self::Retention(event)
    }
}

impl From<InstallationEvent> for Event {
    fn from(event: InstallationEvent) -> Self {
        Self::Installation(event)
    }
}

impl From<SessionEvent> for Event {
    fn from(event: SessionEvent) -> Self {
        Self::Session(event)
    }
}

impl From<AuditEvent> for Event {
    fn from(event: AuditEvent) -> Self {
        Self::Audit(event)
    }
}

/// A stored payload that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The payload is not what its type and version say.
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
    /// No upcaster leads from the version to today's.
    #[error(transparent)]
    Upcast(#[from] UpcastError),
    /// The aggregate is of no known type.
    #[error("there is no aggregate of the type {0:?}")]
    Aggregate(String),
    /// The aggregate's identifier is not a UUID.
    #[error("{id:?} is not an identifier")]
    Identifier {
        /// What stands there.
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

    /// The personal part of an event of that name cannot be read.
    #[must_use]
    pub fn sealed(event_type: &str, source: SealError) -> Self {
        Self::Sealed { event_type: event_type.into(), source }
    }

    /// The key that must be fetched before the event can be read, where that is all that is wrong.
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

/// An event, with its place in the log. `E` is [`Event`], or the events of one aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded<E = Event> {
    /// Its place in the log: gapless, in order of commit, from 1.
    pub position: i64,
    /// Its identifier.
    pub event_id: EventId,
    /// What it happened to.
    pub stream: StreamId,
    /// Its place in the stream: gapless, from 1.
    pub sequence: i64,
    /// The workspace that it belongs to, where it belongs to one.
    pub workspace_id: Option<WorkspaceId>,
    /// When it was recorded: strictly increasing with the position.
    pub recorded_at: DateTime<Utc>,
    /// Who did it, and under which circumstances.
    pub metadata: Metadata,
    /// What happened.
    pub event: E,
}

impl<E> Recorded<E> {
    /// When it happened: the original time of what was imported, else when it was recorded.
    #[must_use]
    pub fn happened_at(&self) -> DateTime<Utc> {
        self.metadata.occurred_at.unwrap_or(self.recorded_at)
    }

    /// The same place in the log, with another view of what happened.
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
