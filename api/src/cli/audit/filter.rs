//! Which events: the arguments that several verbs share.

use chrono::{DateTime, Utc};
use clap::Args;
use domain::ids::{SessionId, UserId, WorkspaceId};
use domain::{AggregateType, StreamId};
use ledger::audit::{Filter, Moment};
use uuid::Uuid;

#[derive(Clone, Debug, Args)]
pub(super) struct FilterArguments {
    /// Done by that user; of sign-ins, theirs, refused ones too.
    #[arg(long, value_name = "ID")]
    actor: Option<UserId>,
    /// Happened to a thing of that kind, such as channel.
    #[arg(long, value_name = "TYPE", value_parser = aggregate_type)]
    aggregate_type: Option<AggregateType>,
    /// Happened to that thing.
    #[arg(long, value_name = "ID")]
    aggregate_id: Option<Uuid>,
    /// Of that name, such as channel.archived.
    #[arg(long = "type", value_name = "NAME")]
    event_type: Option<String>,
    /// Came of a command with that text in its name.
    #[arg(long, value_name = "TEXT")]
    command: Option<String>,
    /// In that session.
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
    /// From that address.
    #[arg(long, value_name = "IP")]
    address: Option<String>,
    /// Of that correlation.
    #[arg(long, value_name = "ID")]
    correlation: Option<Uuid>,
    /// Recorded then or later (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// Recorded before then (RFC 3339).
    #[arg(long, value_name = "TIME")]
    to: Option<DateTime<Utc>>,
}

impl FilterArguments {
    pub(super) fn filter(self, workspace_id: Option<WorkspaceId>) -> Filter {
        Filter {
            workspace_id,
            actor: self.actor,
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            event_type: self.event_type,
            command: self.command,
            session: self.session,
            address: self.address,
            correlation_id: self.correlation,
            from: self.from,
            to: self.to,
            ..Filter::default()
        }
    }
}

/// A thing.
#[derive(Clone, Debug, Args)]
pub(super) struct ThingArguments {
    /// The kind of thing, such as channel.
    #[arg(value_name = "TYPE", value_parser = aggregate_type)]
    aggregate_type: AggregateType,
    /// The thing.
    #[arg(value_name = "ID")]
    aggregate_id: Uuid,
}

impl ThingArguments {
    pub(super) fn stream(&self) -> StreamId {
        StreamId { aggregate: self.aggregate_type, id: self.aggregate_id }
    }
}

pub(super) fn aggregate_type(name: &str) -> Result<AggregateType, String> {
    AggregateType::named(name).ok_or_else(|| format!("one of {}", AggregateType::ALL.map(AggregateType::as_str).join(", ")))
}

/// A moment: a position, or a time.
pub(super) fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(position) = text.parse::<i64>() {
        return Ok(Moment::Position(position));
    }
    let at = text.parse::<DateTime<Utc>>();
    at.map(Moment::Time).map_err(|_| "a position, or a time such as 2026-11-01T00:00:00Z".to_owned())
}
