//! The circumstances of a command: who asks, when, and under which correlation. They are passed in, never fetched.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{EventId, SessionId, UserId};

/// Who asks, when, and from where.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// Who asks.
    pub actor: UserId,
    /// When the command arrived.
    pub at: DateTime<Utc>,
    /// The session that the actor asked in.
    pub session: Option<SessionId>,
    /// The address that the request came from.
    pub address: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The request's identifier, which is in every line of the log that belongs to it.
    pub request_id: Option<String>,
    /// What this command belongs to: shared by everything that one request set off.
    pub correlation_id: Uuid,
    /// The event that set this command off, where one did.
    pub causation_id: Option<EventId>,
}

impl Context {
    /// The context of `actor` at `at`, without a request around it.
    #[must_use]
    pub fn of(actor: UserId, at: DateTime<Utc>, correlation_id: Uuid) -> Self {
        Self { actor, at, session: None, address: None, user_agent: None, request_id: None, correlation_id, causation_id: None }
    }

    /// What is stored with each event of a command of that name.
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

/// What is stored beside each event: who, in which session, from where, for which request and command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// Who did it.
    pub actor: UserId,
    /// The command that the event came of.
    pub command: String,
    /// Shared by everything that one request set off.
    pub correlation_id: Uuid,
    /// The event that set it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<EventId>,
    /// The session that the actor asked in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The address that the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The request's identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// When it happened, where that was not when it was recorded: an import keeps the original times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<DateTime<Utc>>,
}
