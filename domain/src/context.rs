//! The context of a command: the actor, the time, and the correlation. Callers pass it in, and nothing here reads a
//! clock.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{EventId, SessionId, UserId};

/// The actor of a command, the time, and the origin of the request.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// The user who runs the command.
    pub actor: UserId,
    /// The time at which the command arrived.
    pub at: DateTime<Utc>,
    /// The session that sent the request.
    pub session: Option<SessionId>,
    /// The network address that the request came from.
    pub address: Option<String>,
    /// The name and version that the client gives itself.
    pub user_agent: Option<String>,
    /// The request's identifier, which is in every log line that belongs to the request.
    pub request_id: Option<String>,
    /// The identifier that all commands and events of one request share.
    pub correlation_id: Uuid,
    /// The event that caused this command, if one did.
    pub causation_id: Option<EventId>,
}

impl Context {
    /// The context of `actor` at `at`, for a command that no request asked for.
    #[must_use]
    pub fn of(actor: UserId, at: DateTime<Utc>, correlation_id: Uuid) -> Self {
        Self { actor, at, session: None, address: None, user_agent: None, request_id: None, correlation_id, causation_id: None }
    }

    /// The metadata that are stored with each event of a command of that name.
    #[must_use]
    pub fn metadata(&self, command: &'static str) -> Metadata {
        Metadata {
            actor: self.actor,
            command: command.into(),
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            session: self.session,
            address: self.address.clone(),
            user_agent: self.user_agent.clone(),
            request_id: self.request_id.clone(),
            occurred_at: None,
        }
    }
}

/// The metadata of an event: the actor, the session, the origin, the request and the command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The user who ran the command.
    pub actor: UserId,
    /// The command that the event follows from.
    pub command: String,
    /// The identifier that all commands and events of one request share.
    pub correlation_id: Uuid,
    /// The event that caused the command, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<EventId>,
    /// The session that sent the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The network address that the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The name and version that the client gives itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The request's identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// When it happened, if that differs from when it was recorded. An import keeps the original times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<DateTime<Utc>>,
}
