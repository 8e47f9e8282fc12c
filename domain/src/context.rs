//! The context of a command: the actor, the time, and the correlation. Callers pass it in, and nothing here reads a
//! clock.

use std::fmt;

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

/// A call of the command line. Nobody is signed in there, so the actor is the server itself, and this is in the place of
/// the client's name: `backscroll 0.2.0, run by ann at db1:4711`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The release.
    pub release: String,
    /// The user of the operating system.
    pub user: String,
    /// The machine and the number of the process.
    pub holder: String,
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "backscroll {}, run by {} at {}", self.release, self.user, self.holder)
    }
}

impl CommandLine {
    fn parse(client: &str) -> Option<Self> {
        let (release, by) = client.strip_prefix("backscroll ")?.split_once(", run by ")?;
        let (user, holder) = by.rsplit_once(" at ")?;
        Some(Self { release: release.into(), user: user.into(), holder: holder.into() })
    }

    /// The user and the machine, without the number of the process: `ann at db1`.
    #[must_use]
    pub fn by(&self) -> String {
        let machine = self.holder.rsplit_once(':').map_or(self.holder.as_str(), |(machine, _)| machine);
        format!("{} at {machine}", self.user)
    }
}

impl Metadata {
    /// The call of the command line that made the event, if one did. A client of a request can name itself as it likes,
    /// and the server itself records refused sign-ins. So an event of a request is never one of the command line.
    #[must_use]
    pub fn command_line(&self) -> Option<CommandLine> {
        let is_of_request = self.request_id.is_some() || self.address.is_some() || self.session.is_some();
        if self.actor != UserId::SYSTEM || is_of_request {
            return None;
        }
        CommandLine::parse(self.user_agent.as_deref()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(client: &str) -> Metadata {
        let at = DateTime::<Utc>::UNIX_EPOCH;
        let context = Context { user_agent: Some(client.into()), ..Context::of(UserId::SYSTEM, at, Uuid::nil()) };
        context.metadata("make operator")
    }

    #[test]
    fn the_user_of_the_command_line_is_read_back() {
        let called = CommandLine { release: "0.2.0".into(), user: "ann at home".into(), holder: "db1:4711".into() };
        assert_eq!(called.by(), "ann at home at db1");
        assert_eq!(metadata(&called.to_string()).command_line(), Some(called));
    }

    #[test]
    fn a_client_cannot_pass_for_the_command_line() {
        let said = || metadata("backscroll 0.2.0, run by root at db1:1");
        assert!(said().command_line().is_some());
        assert_eq!(Metadata { request_id: Some("1".into()), ..said() }.command_line(), None);
        assert_eq!(Metadata { address: Some("192.0.2.1".into()), ..said() }.command_line(), None);
        assert_eq!(Metadata { actor: UserId(Uuid::from_u128(7)), ..said() }.command_line(), None);
        assert_eq!(metadata("backscroll audit rotate-key").command_line(), None);
    }
}
