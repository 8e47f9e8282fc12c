//! The query string: the filter of the audit's entries.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::AggregateType;
use domain::ids::{SessionId, UserId};
use ledger::audit::{Filter, Order};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::noted::present;
use crate::extract::{Checks, Cursor, reject_unless_line, reject_unless_moment};
use crate::problem::Problem;

/// The most characters of an event's or a command's name, and of an address.
pub(in crate::http) const NAME_CHARS_MAX: usize = 100;

/// The events to list. An absent filter excludes nothing.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only events of that user, with the user's sign-ins and refused sign-ins.
    #[param(value_type = Option<Uuid>)]
    actor: Option<UserId>,
    /// Only events of that aggregate type, such as `channel`.
    #[param(example = "channel")]
    aggregate_type: Option<String>,
    /// Only events of that aggregate.
    aggregate_id: Option<Uuid>,
    /// Only events of that type.
    #[serde(rename = "type")]
    #[param(min_length = 1, max_length = 100, example = "channel.archived")]
    event_type: Option<String>,
    /// Only events of commands whose name contains that text; case does not matter.
    #[param(min_length = 1, max_length = 100, example = "archive")]
    command: Option<String>,
    /// Only events of that session.
    #[param(value_type = Option<Uuid>)]
    session: Option<SessionId>,
    /// Only events from that address.
    #[param(min_length = 1, max_length = 100, example = "203.0.113.9")]
    address: Option<String>,
    /// Only events with that correlation identifier: all events of one request.
    correlation_id: Option<Uuid>,
    /// Only events that were recorded at that time or later.
    from: Option<DateTime<Utc>>,
    /// Only events that were recorded before that time.
    to: Option<DateTime<Utc>>,
    /// Only events after that position.
    #[param(minimum = 0)]
    after_position: Option<i64>,
    /// Only events before that position.
    #[param(minimum = 0)]
    before_position: Option<i64>,
    /// The `next` cursor of the previous page, which had the same order.
    after: Option<String>,
    /// `newest` or `oldest` first. The default is `newest`.
    #[param(inline)]
    order: Option<AuditOrder>,
    /// The number of entries, at most 100. The default is 50.
    #[param(minimum = 1)]
    pub(super) limit: Option<u16>,
}

/// The order of the entries.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditOrder {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
}

/// The format of an export.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// JSON Lines: one line for each entry.
    #[default]
    Jsonl,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// CloudEvents 1.0 in its JSON format: one line for each event.
    Cloudevents,
}

/// The entries to export, all of them, oldest first. An absent filter excludes nothing.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// `jsonl`, `csv` or `cloudevents`. The default is `jsonl`.
    #[param(inline)]
    format: Option<Format>,
    /// Only events of that user, with the user's sign-ins and refused sign-ins.
    #[param(value_type = Option<Uuid>)]
    actor: Option<UserId>,
    /// Only events of that aggregate type, such as `channel`.
    #[param(example = "channel")]
    aggregate_type: Option<String>,
    /// Only events of that aggregate.
    aggregate_id: Option<Uuid>,
    /// Only events of that type.
    #[serde(rename = "type")]
    #[param(min_length = 1, max_length = 100, example = "channel.archived")]
    event_type: Option<String>,
    /// Only events of commands whose name contains that text; case does not matter.
    #[param(min_length = 1, max_length = 100, example = "archive")]
    command: Option<String>,
    /// Only events of that session.
    #[param(value_type = Option<Uuid>)]
    session: Option<SessionId>,
    /// Only events from that address.
    #[param(min_length = 1, max_length = 100, example = "203.0.113.9")]
    address: Option<String>,
    /// Only events with that correlation identifier: all events of one request.
    correlation_id: Option<Uuid>,
    /// Only events that were recorded at that time or later.
    from: Option<DateTime<Utc>>,
    /// Only events that were recorded before that time.
    to: Option<DateTime<Utc>>,
    /// Only events after that position.
    #[param(minimum = 0)]
    after_position: Option<i64>,
    /// Only events before that position.
    #[param(minimum = 0)]
    before_position: Option<i64>,
}

impl ExportQuery {
    /// The format, and the filter.
    pub(super) fn parts(self) -> (Format, AuditQuery) {
        let filter = AuditQuery {
            actor: self.actor,
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            event_type: self.event_type,
            command: self.command,
            session: self.session,
            address: self.address,
            correlation_id: self.correlation_id,
            from: self.from,
            to: self.to,
            after_position: self.after_position,
            before_position: self.before_position,
            after: None,
            order: None,
            limit: None,
        };
        (self.format.unwrap_or_default(), filter)
    }
}

impl AuditQuery {
    pub(super) fn parse(&self, limit: u16) -> Result<Filter, Problem> {
        let mut checks = Checks::default();
        for (field, text) in [("type", &self.event_type), ("command", &self.command), ("address", &self.address)] {
            checks.note(text.as_deref().map_or(Ok(()), |text| reject_unless_line(field, text, NAME_CHARS_MAX)));
        }
        for (field, moment) in [("from", self.from), ("to", self.to)] {
            checks.note(moment.map_or(Ok(()), |moment| reject_unless_moment(field, moment)));
        }
        for (field, position) in [("after_position", self.after_position), ("before_position", self.before_position)] {
            checks.note(position.map_or(Ok(()), |position| reject_unless_position(field, position)));
        }
        let aggregate_type = checks.note(self.aggregate_type.as_deref().map(aggregate_type).transpose());
        let cursor = checks.note(Cursor::<i64>::read("after", self.after.as_deref()));
        checks.pass()?;
        let order = match self.order.unwrap_or_default() {
            AuditOrder::Newest => Order::NewestFirst,
            AuditOrder::Oldest => Order::OldestFirst,
        };
        let (after, before) = page(order, cursor.flatten(), self.after_position, self.before_position);
        Ok(Filter {
            workspace_id: None,
            actor: self.actor,
            aggregate_type: aggregate_type.flatten(),
            aggregate_id: self.aggregate_id,
            event_type: self.event_type.clone(),
            command: self.command.clone(),
            session: self.session,
            address: self.address.clone(),
            correlation_id: self.correlation_id,
            from: self.from,
            to: self.to,
            after,
            before,
            order,
            limit,
        })
    }
}

/// The positions between which the page lies: those that the caller named, and behind the end of the previous page.
fn page(order: Order, place: Option<i64>, after: Option<i64>, before: Option<i64>) -> (Option<i64>, Option<i64>) {
    match (order, place) {
        (_, None) => (after, before),
        (Order::NewestFirst, Some(place)) => (after, Some(before.map_or(place, |before| before.min(place)))),
        (Order::OldestFirst, Some(place)) => (Some(after.map_or(place, |after| after.max(place))), before),
    }
}

/// The parts of a filter that have a value, by name, without the page.
pub(crate) fn filter_parts(filter: &Filter) -> BTreeMap<String, String> {
    present([
        ("actor", filter.actor.map(|id| id.to_string())),
        ("aggregate_type", filter.aggregate_type.map(|kind| kind.as_str().to_owned())),
        ("aggregate_id", filter.aggregate_id.map(|id| id.to_string())),
        ("type", filter.event_type.clone()),
        ("command", filter.command.clone()),
        ("session", filter.session.map(|id| id.to_string())),
        ("address", filter.address.clone()),
        ("correlation_id", filter.correlation_id.map(|id| id.to_string())),
        ("from", filter.from.map(|at| at.to_rfc3339())),
        ("to", filter.to.map(|at| at.to_rfc3339())),
    ])
}

/// The aggregate type of that name.
pub(in crate::http) fn aggregate_type(name: &str) -> Result<AggregateType, Problem> {
    let refused = || {
        let names = AggregateType::ALL.map(AggregateType::as_str).join(", ");
        Problem::malformed("request.query_invalid", Some("aggregate_type".into()), format!("aggregate_type must be one of {names}"))
    };
    AggregateType::named(name).ok_or_else(refused)
}

/// Refuses a number that cannot be a position.
pub(super) fn reject_unless_position(field: &'static str, position: i64) -> Result<(), Problem> {
    if position >= 0 {
        return Ok(());
    }
    Err(Problem::malformed("request.query_invalid", Some(field.into()), format!("{field} must be a position: a whole number from 0")))
}
