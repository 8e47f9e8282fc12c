//! The filter arguments that several commands share.

use chrono::{DateTime, Utc};
use clap::Args;
use domain::ids::{SessionId, UserId, WorkspaceId};
use domain::{AggregateType, StreamId};
use ledger::audit::{Filter, Moment};
use uuid::Uuid;

#[derive(Clone, Debug, Args)]
pub(super) struct FilterArguments {
    /// Only events by that user, with the user's sign-ins and refused sign-ins.
    #[arg(long, value_name = "ID")]
    actor: Option<UserId>,
    /// Only events of that aggregate type, such as channel.
    #[arg(long, value_name = "TYPE", value_parser = aggregate_type)]
    aggregate_type: Option<AggregateType>,
    /// Only events of that aggregate.
    #[arg(long, value_name = "ID")]
    aggregate_id: Option<Uuid>,
    /// Only events of that type, such as channel.archived.
    #[arg(long = "type", value_name = "NAME")]
    event_type: Option<String>,
    /// Only events of commands with that text in their name.
    #[arg(long, value_name = "TEXT")]
    command: Option<String>,
    /// Only events of that session.
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
    /// Only events from that address.
    #[arg(long, value_name = "IP")]
    address: Option<String>,
    /// Only events with that correlation identifier.
    #[arg(long, value_name = "ID")]
    correlation: Option<Uuid>,
    /// Only events recorded at that time or later (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// Only events recorded before that time (RFC 3339).
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

/// An aggregate.
#[derive(Clone, Debug, Args)]
pub(super) struct AggregateArguments {
    /// The aggregate's type, such as channel.
    #[arg(value_name = "TYPE", value_parser = aggregate_type)]
    aggregate_type: AggregateType,
    /// The aggregate's identifier.
    #[arg(value_name = "ID")]
    aggregate_id: Uuid,
}

impl AggregateArguments {
    pub(super) fn stream(&self) -> StreamId {
        StreamId { aggregate: self.aggregate_type, id: self.aggregate_id }
    }
}

pub(super) fn aggregate_type(name: &str) -> Result<AggregateType, String> {
    AggregateType::named(name).ok_or_else(|| format!("must be one of {}", AggregateType::ALL.map(AggregateType::as_str).join(", ")))
}

/// Parses a moment: a position or a time.
pub(super) fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(position) = text.parse::<i64>() {
        return Ok(Moment::Position(position));
    }
    let at = text.parse::<DateTime<Utc>>();
    at.map(Moment::Time).map_err(|_| "must be a position, or a time such as 2026-11-01T00:00:00Z".to_owned())
}
