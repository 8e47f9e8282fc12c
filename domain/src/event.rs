//! Any event of any aggregate, the type of its aggregate, and the identifier of its stream.
//!
//! Not here: the event's place in the log, and how a stored event is decoded (`recorded_event`); its personal fields
//! (`personal`).

use std::fmt;

use cqrs_es::Aggregate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::audit::{Audit, AuditEvent};
use crate::channel::{Channel, ChannelEvent};
use crate::installation::{Installation, InstallationEvent};
use crate::message::{Message, MessageEvent};
use crate::retention::{Retention, RetentionEvent};
use crate::session::{Session, SessionEvent};
use crate::user::{User, UserEvent};
use crate::workspace::{Workspace, WorkspaceEvent};

/// The type of an aggregate.
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
    /// The messages of one month of a channel that the retention policy has removed.
    Retention,
    /// The server as a whole.
    Installation,
    /// A session: a sign-in, and its end.
    Session,
    /// The use of a workspace's audit: readings and exports.
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

    /// Finds the type by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == name)
    }
}

/// The identifier of an aggregate's stream of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId {
    /// The type of the aggregate.
    pub aggregate: AggregateType,
    /// The identifier of the aggregate.
    pub id: Uuid,
}

impl StreamId {
    /// The stream of the server as a whole.
    pub const INSTALLATION: Self = Self { aggregate: AggregateType::Installation, id: Uuid::nil() };

    /// The stream of a user.
    #[must_use]
    pub fn user(id: impl Into<Uuid>) -> Self {
        Self { aggregate: AggregateType::User, id: id.into() }
    }

    /// The stream of a workspace.
    #[must_use]
    pub fn workspace(id: impl Into<Uuid>) -> Self {
        Self { aggregate: AggregateType::Workspace, id: id.into() }
    }

    /// The stream of a channel.
    #[must_use]
    pub fn channel(id: impl Into<Uuid>) -> Self {
        Self { aggregate: AggregateType::Channel, id: id.into() }
    }

    /// The stream of a message.
    #[must_use]
    pub fn message(id: impl Into<Uuid>) -> Self {
        Self { aggregate: AggregateType::Message, id: id.into() }
    }

    /// The stream of the messages of one month of a channel that the retention policy has removed.
    #[must_use]
    pub fn retention(id: impl Into<Uuid>) -> Self {
        Self { aggregate: AggregateType::Retention, id: id.into() }
    }

    /// The stream of a session.
    #[must_use]
    pub fn session(id: impl Into<Uuid>) -> Self {
        Self { aggregate: AggregateType::Session, id: id.into() }
    }

    /// The stream of a workspace's audit.
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
    /// An event of a user.
    User(UserEvent),
    /// An event of a workspace.
    Workspace(WorkspaceEvent),
    /// An event of a channel.
    Channel(ChannelEvent),
    /// An event of a message.
    Message(MessageEvent),
    /// An event of retention.
    Retention(RetentionEvent),
    /// An event of the server as a whole.
    Installation(InstallationEvent),
    /// An event of a session.
    Session(SessionEvent),
    /// An event of an audit.
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

    /// The type of its aggregate.
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
