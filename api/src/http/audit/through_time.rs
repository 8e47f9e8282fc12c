//! One aggregate through time: its history, its state at a moment, and the difference between two moments.

use actix_web::get;
use actix_web::web::Path;
use chrono::{DateTime, Utc};
use domain::audit::Question;
use domain::ids::{ChannelId, WorkspaceId};
use domain::{AggregateType, StreamId};
use ledger::audit::{AsOf, AuditLog, Difference, Filter, HistoryEntry, MessageThen, Moment, Order, TextAccess};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::noted::{admit, present};
use super::query::{aggregate_type, reject_unless_position};
use super::{Audits, text_access};
use crate::extract::{Cursor, Page, Query, QueryAnswer, Reading, page_limit, reject_unless_moment};
use crate::http::headers::QueryHeaders;
use crate::problem::Problem;

/// An aggregate in a workspace.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct AggregatePath {
    /// The workspace.
    #[param(value_type = Uuid)]
    pub workspace_id: WorkspaceId,
    /// The aggregate's type, such as `channel`.
    #[param(example = "channel")]
    pub aggregate_type: String,
    /// The aggregate.
    pub aggregate_id: Uuid,
}

impl AggregatePath {
    fn stream(&self) -> Result<StreamId, Problem> {
        Ok(StreamId { aggregate: aggregate_type(&self.aggregate_type)?, id: self.aggregate_id })
    }
}

/// The part of a history to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// The `next` cursor of the previous page.
    after: Option<String>,
    /// The number of entries, at most 100. The default is 50.
    #[param(minimum = 1)]
    limit: Option<u16>,
}

/// A page of a history.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryPage {
    /// The events, oldest first, each with the state after it.
    items: Vec<HistoryEntry>,
    /// The cursor of the next page (`after`). Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List an aggregate's events, oldest first, with its state after each
///
/// Requires the permission `audit.read`. A channel or a workspace with very many people shows only those that the event
/// names (`state_is_part`). Each reading is an entry of the audit.
#[utoipa::path(tag = "audit", params(AggregatePath, HistoryQuery, QueryHeaders),
    responses((status = 200, description = "The history.", body = HistoryPage)))]
#[get("/workspaces/{workspace_id}/audit/aggregates/{aggregate_type}/{aggregate_id}/history")]
pub async fn read_history(
    path: Path<AggregatePath>,
    query: Query<HistoryQuery>,
    reading: Reading,
    audits: Audits,
) -> Result<QueryAnswer<HistoryPage>, Problem> {
    let (stream, limit) = (path.stream()?, page_limit(query.limit)?);
    let after = Cursor::<i64>::read("after", query.after.as_deref())?;
    admit(&audits, &reading, path.workspace_id, Question::History, of_stream(stream)).await?;
    if stream.aggregate == AggregateType::Installation {
        return Err(no_such_aggregate());
    }
    let filter = Filter {
        workspace_id: Some(path.workspace_id),
        aggregate_type: Some(stream.aggregate),
        aggregate_id: Some(stream.id),
        after,
        order: Order::OldestFirst,
        limit: limit + 1,
        ..Filter::default()
    };
    let found = audits.audit_log.history(&filter).await?;
    if found.is_empty() && after.is_none() {
        return Err(no_such_aggregate());
    }
    let text_access = text_access(&reading.access.renewed().await?, path.workspace_id, &found.channels()).await?;
    let Page { items, next } = Page::cut(found.history(&text_access), limit, |item| item.entry.position);
    Ok(reading.answer(HistoryPage { items, next }))
}

/// The moment. Without any, now.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AsOfQuery {
    /// The state after the event at that position.
    #[param(minimum = 0)]
    position: Option<i64>,
    /// The state at that time. An imported event counts from its original time.
    time: Option<DateTime<Utc>>,
    /// For a channel: the cursor `next_messages` of the previous page.
    messages_after: Option<String>,
    /// For a channel: the number of messages, at most 100. The default is 50.
    #[param(minimum = 1)]
    limit: Option<u16>,
}

/// An aggregate as it was. A channel comes with its messages.
#[derive(Debug, Serialize, ToSchema)]
pub struct AsOfAnswer {
    /// The aggregate.
    #[serde(flatten)]
    aggregate: AsOf,
    /// For a channel: its messages as they were, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<MessageThen>>,
    /// The cursor of the next messages. Absent if there are no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_messages: Option<String>,
}

/// Get an aggregate as it was at a position or time
///
/// Requires the permission `audit.read`. A channel comes with its members and its messages as they were. Texts that the
/// caller may not read are withheld. Each reading is an entry of the audit.
#[utoipa::path(tag = "audit", params(AggregatePath, AsOfQuery, QueryHeaders),
    responses((status = 200, description = "The state.", body = AsOfAnswer)))]
#[get("/workspaces/{workspace_id}/audit/aggregates/{aggregate_type}/{aggregate_id}/as-of")]
pub async fn read_as_of(
    path: Path<AggregatePath>,
    query: Query<AsOfQuery>,
    reading: Reading,
    audits: Audits,
) -> Result<QueryAnswer<AsOfAnswer>, Problem> {
    let (stream, limit) = (path.stream()?, page_limit(query.limit)?);
    let moment = moment("time", query.position, query.time)?;
    let after = Cursor::<(DateTime<Utc>, i64)>::read("messages_after", query.messages_after.as_deref())?;
    after.map_or(Ok(()), |(at, _)| reject_unless_moment("messages_after", at))?;
    let mut filter = of_stream(stream);
    filter.extend(present([("moment", moment_text(moment))]));
    admit(&audits, &reading, path.workspace_id, Question::AsOf, filter).await?;
    let found = audits.audit_log.as_of(Some(path.workspace_id), stream, moment).await?.ok_or_else(no_such_aggregate)?;
    let is_channel = stream.aggregate == AggregateType::Channel;
    let channels = found.channel().into_iter().chain(is_channel.then_some(ChannelId(stream.id))).collect::<Vec<_>>();
    let text_access = text_access(&reading.access.renewed().await?, path.workspace_id, &channels).await?;
    let (messages, next) =
        if is_channel { messages(&audits.audit_log, stream, moment, after, limit, &text_access).await? } else { (None, None) };
    Ok(reading.answer(AsOfAnswer { aggregate: found.shown(&text_access), messages, next_messages: next }))
}

type ThenPage = (Option<Vec<MessageThen>>, Option<String>);

async fn messages(
    audit_log: &AuditLog,
    stream: StreamId,
    moment: Moment,
    after: Option<(DateTime<Utc>, i64)>,
    limit: u16,
    text_access: &TextAccess,
) -> Result<ThenPage, Problem> {
    let page = audit_log.messages_as_of(ChannelId(stream.id), moment, after, limit, text_access).await?;
    Ok((Some(page.items), page.next.map(|place| Cursor(place).to_string())))
}

/// The two moments to compare.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DifferenceQuery {
    /// The first moment: a position or a time (RFC 3339). The default is before the first event.
    #[param(max_length = 40, example = "2026-11-01T00:00:00Z")]
    from: Option<String>,
    /// The second moment: a position or a time. The default is now.
    #[param(max_length = 40, example = "4711")]
    to: Option<String>,
}

/// Compare an aggregate at two positions or times
///
/// Requires the permission `audit.read`. The changes are a JSON Patch with the former values, and the same in words.
/// Each reading is an entry of the audit.
#[utoipa::path(tag = "audit", params(AggregatePath, DifferenceQuery, QueryHeaders),
    responses((status = 200, description = "The difference.", body = Difference)))]
#[get("/workspaces/{workspace_id}/audit/aggregates/{aggregate_type}/{aggregate_id}/diff")]
pub async fn read_difference(
    path: Path<AggregatePath>,
    query: Query<DifferenceQuery>,
    reading: Reading,
    audits: Audits,
) -> Result<QueryAnswer<Difference>, Problem> {
    let stream = path.stream()?;
    let from = query.from.as_deref().map_or(Ok(Moment::Position(0)), |text| parse_moment("from", text))?;
    let to = query.to.as_deref().map_or(Ok(Moment::Now), |text| parse_moment("to", text))?;
    let mut filter = of_stream(stream);
    filter.extend(present([("from", moment_text(from)), ("to", moment_text(to))]));
    admit(&audits, &reading, path.workspace_id, Question::Difference, filter).await?;
    let moments = audits.audit_log.between(Some(path.workspace_id), stream, from, to).await?.ok_or_else(no_such_aggregate)?;
    let channels = moments.channel().into_iter().collect::<Vec<_>>();
    let text_access = text_access(&reading.access.renewed().await?, path.workspace_id, &channels).await?;
    Ok(reading.answer(audits.audit_log.difference(&moments, &text_access).await?))
}

fn no_such_aggregate() -> Problem {
    Problem::not_found("audit.aggregate_not_found", "this workspace's audit has no events of such an aggregate")
}

fn of_stream(stream: StreamId) -> std::collections::BTreeMap<String, String> {
    present([("aggregate_type", Some(stream.aggregate.as_str().to_owned())), ("aggregate_id", Some(stream.id.to_string()))])
}

fn moment(field: &'static str, position: Option<i64>, time: Option<DateTime<Utc>>) -> Result<Moment, Problem> {
    match (position, time) {
        (Some(_), Some(_)) => Err(Problem::malformed("request.query_invalid", Some(field.into()), "send a position or a time, not both")),
        (Some(position), None) => {
            reject_unless_position("position", position)?;
            Ok(Moment::Position(position))
        }
        (None, Some(at)) => {
            reject_unless_moment(field, at)?;
            Ok(Moment::Time(at))
        }
        (None, None) => Ok(Moment::Now),
    }
}

fn parse_moment(field: &'static str, text: &str) -> Result<Moment, Problem> {
    if let Ok(position) = text.parse::<i64>() {
        reject_unless_position(field, position)?;
        return Ok(Moment::Position(position));
    }
    let refused = || {
        let detail = format!("{field} must be a position, or a time such as 2026-11-01T00:00:00Z");
        Problem::malformed("request.query_invalid", Some(field.into()), detail)
    };
    let at = text.parse::<DateTime<Utc>>().map_err(|_| refused())?;
    reject_unless_moment(field, at)?;
    Ok(Moment::Time(at))
}

fn moment_text(moment: Moment) -> Option<String> {
    match moment {
        Moment::Position(position) => Some(position.to_string()),
        Moment::Time(at) => Some(at.to_rfc3339()),
        Moment::Now => None,
    }
}
