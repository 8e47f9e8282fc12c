//! Message counts by channel, person and time, and the growth of a workspace. Counts only. They require the permission
//! `analytics.read`.
//!
//! The counts include private channels and conversations. A channel that the caller may not read has no row of its own:
//! there is one row for each type of such channels. So the caller learns neither their names nor their number.

use projections::ReadModels;
use std::collections::{BTreeMap, HashMap};

use actix_web::get;
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use commands::{ReadAccess, Sight};
use domain::ids::WorkspaceId;
use domain::permission::Permission;
use projections::search::{AnalyticsQuery, BackendName, Bucket, BucketKey, CountedBy, RoomRow, Search, Span};
use serde::{Deserialize, Serialize};
use shapes::Person;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::headers::QueryHeaders;
use super::path::WorkspacePath;
use super::search::{Room, readable_rooms};
use super::sight::sight_of;
use crate::extract::{Query, QueryAnswer, Reading, ReadingNow, reject_unless_moment, row_limit};
use crate::problem::Problem;

/// The default number of rows of an answer.
const ROWS: u16 = 100;
/// The most rows of an answer: enough days for years.
const ROWS_MAX: u16 = 1_000;
/// The most channels to count. All are needed, because those that the caller may not read are summed up.
const CHANNELS_MAX: u16 = u16::MAX;

/// The messages to count.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MessageCountQuery {
    /// The grouping.
    #[param(inline, required = true, value_type = CountedBy)]
    by: Option<CountedBy>,
    /// Only messages that were sent at that time or later.
    from: Option<DateTime<Utc>>,
    /// Only messages that were sent before that time.
    to: Option<DateTime<Utc>>,
    /// The number of rows, at most 1000. The default is 100.
    #[param(minimum = 1)]
    limit: Option<u16>,
}

/// Counts of messages.
#[derive(Serialize, ToSchema)]
pub struct MessageCounts {
    /// The backend that counted.
    backend: BackendName,
    /// The groups. Channels and people: most messages first. Days and hours: in their order, without empty ones.
    items: Vec<MessageCount>,
}

/// The messages of one group.
#[derive(Default, Serialize, ToSchema)]
pub struct MessageCount {
    /// The group's channel, if the caller may read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<Room>,
    /// The type of the channels that the caller may not read. The row counts all messages of these channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_channels: Option<String>,
    /// The group's author.
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<Person>,
    /// The group's day, as its first moment in UTC.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    day: Option<DateTime<Utc>>,
    /// The group's hour of the day in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 23)]
    hour: Option<u8>,
    /// The number of messages.
    messages: u64,
    /// The number of authors. For a day, this is the number of its active members.
    #[serde(skip_serializing_if = "Option::is_none")]
    authors: Option<u64>,
}

/// Count a workspace's messages by channel, person, day or hour
///
/// Requires the permission `analytics.read`. Messages of private channels and direct conversations count too, but a
/// channel that the caller may not read has no row of its own: there is one row for each type of such channels.
#[utoipa::path(tag = "analytics", params(WorkspacePath, MessageCountQuery, QueryHeaders),
    responses((status = 200, description = "The counts.", body = MessageCounts)))]
#[get("/workspaces/{workspace_id}/analytics/messages")]
pub async fn count_messages(
    path: Path<WorkspacePath>,
    query: Query<MessageCountQuery>,
    ReadingNow(reading): ReadingNow,
    search: Data<Search>,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<MessageCounts>, Problem> {
    reading.access.may(path.workspace_id, Permission::AnalyticsRead).await?;
    let (during, rows) = (span(query.from, query.to)?, row_limit(query.limit, ROWS, ROWS_MAX)?);
    let by = query
        .by
        .ok_or_else(|| Problem::malformed("request.query_invalid", Some("by".into()), "by must be channel, person, day or hour"))?;
    let limit = if by == CountedBy::Channel { CHANNELS_MAX } else { rows };
    let asked = AnalyticsQuery { workspace_id: path.workspace_id, by, during, limit, min_position: reading.requested_position() };
    let counted = search.analytics(&asked).await?;
    let mut items = match by {
        CountedBy::Channel => by_channel(&read_models, path.workspace_id, &reading.access, &counted.answer).await?,
        CountedBy::Person => {
            let sight = sight_of(&read_models, &reading.access, path.workspace_id).await?;
            by_person(&read_models, &sight, &counted.answer).await?
        }
        CountedBy::Day | CountedBy::Hour => counted.answer.iter().map(by_time).collect(),
    };
    items.truncate(usize::from(rows));
    Ok(reading.answer(MessageCounts { backend: counted.backend, items }))
}

async fn by_channel(
    read_models: &ReadModels,
    workspace_id: WorkspaceId,
    access: &ReadAccess,
    buckets: &[Bucket],
) -> Result<Vec<MessageCount>, Problem> {
    let rooms = readable_rooms(read_models, workspace_id, access).await?;
    let readable = rooms.iter().map(|room| (room.channel_id, room)).collect::<HashMap<_, &RoomRow>>();
    let others = buckets.iter().filter_map(|bucket| channel(bucket).filter(|id| !readable.contains_key(id)));
    let types = read_models.channel_types(&others.collect::<Vec<_>>()).await?;
    let (mut items, mut sums) = (Vec::new(), BTreeMap::<&str, u64>::new());
    for (bucket, id) in buckets.iter().filter_map(|bucket| Some((bucket, channel(bucket)?))) {
        match readable.get(&id) {
            Some(room) => items.push(MessageCount { channel: Some(Room::from(*room)), authors: Some(bucket.authors), ..counted(bucket) }),
            None => *sums.entry(types.get(&id).map_or("private", String::as_str)).or_default() += bucket.messages,
        }
    }
    items.extend(sums.into_iter().map(|(kind, messages)| MessageCount {
        other_channels: Some(kind.to_owned()),
        messages,
        ..MessageCount::default()
    }));
    items.sort_by_key(|item| std::cmp::Reverse(item.messages));
    Ok(items)
}

async fn by_person(read_models: &ReadModels, sight: &Sight, buckets: &[Bucket]) -> Result<Vec<MessageCount>, Problem> {
    let person = |bucket: &Bucket| match bucket.key {
        BucketKey::Person(user_id) => Some(user_id).filter(|user_id| sight.sees(*user_id)),
        BucketKey::Channel(_) | BucketKey::Day(_) | BucketKey::Hour(_) => None,
    };
    let ids = buckets.iter().filter_map(person).collect::<Vec<_>>();
    let mut users = read_models.users(&ids).await?.into_iter().map(|user| (user.user_id, user)).collect::<HashMap<_, _>>();
    let items = buckets.iter().filter_map(|bucket| {
        let user_id = person(bucket)?.0;
        let unknown = || Person { user_id, username: None, display_name: None, avatar_url: None, is_erased: false };
        let person = users.remove(&user_id).map_or_else(unknown, |user| user.person());
        Some(MessageCount { person: Some(person), ..counted(bucket) })
    });
    Ok(items.collect())
}

fn by_time(bucket: &Bucket) -> MessageCount {
    let (day, hour) = match bucket.key {
        BucketKey::Day(day) => (Some(day), None),
        BucketKey::Hour(hour) => (None, Some(hour)),
        BucketKey::Channel(_) | BucketKey::Person(_) => (None, None),
    };
    MessageCount { day, hour, authors: Some(bucket.authors), ..counted(bucket) }
}

fn counted(bucket: &Bucket) -> MessageCount {
    MessageCount { messages: bucket.messages, ..MessageCount::default() }
}

fn channel(bucket: &Bucket) -> Option<Uuid> {
    match bucket.key {
        BucketKey::Channel(channel_id) => Some(channel_id.0),
        BucketKey::Person(_) | BucketKey::Day(_) | BucketKey::Hour(_) => None,
    }
}

/// The days to count.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MemberCountQuery {
    /// Only that day and later days.
    from: Option<DateTime<Utc>>,
    /// Only days before that day.
    to: Option<DateTime<Utc>>,
    /// The number of days, at most 1000. The default is 100.
    #[param(minimum = 1)]
    limit: Option<u16>,
}

/// The growth of a workspace.
#[derive(Serialize, ToSchema)]
pub struct MemberCounts {
    /// The days on which members joined, in order.
    items: Vec<MemberCount>,
}

/// A day on which at least one member joined.
#[derive(Serialize, ToSchema)]
pub struct MemberCount {
    /// The day's first moment, in UTC.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    day: DateTime<Utc>,
    /// The number of members who joined on that day.
    joined: i64,
    /// The number of members who had joined by the end of the day. Members who are deactivated now count too.
    members: i64,
}

/// Count a workspace's members and its new members, day by day
///
/// Requires the permission `analytics.read`. Members who are deactivated now count on the day on which they joined.
#[utoipa::path(tag = "analytics", params(WorkspacePath, MemberCountQuery, QueryHeaders),
    responses((status = 200, description = "The counts.", body = MemberCounts)))]
#[get("/workspaces/{workspace_id}/analytics/members")]
pub async fn count_members(
    path: Path<WorkspacePath>,
    query: Query<MemberCountQuery>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<MemberCounts>, Problem> {
    reading.access.may(path.workspace_id, Permission::AnalyticsRead).await?;
    let (during, limit) = (span(query.from, query.to)?, row_limit(query.limit, ROWS, ROWS_MAX)?);
    let growth = read_models.growth(path.workspace_id, during, limit).await?;
    let items = growth.into_iter().map(|row| MemberCount { day: row.day, joined: row.joined, members: row.members });
    Ok(reading.answer(MemberCounts { items: items.collect() }))
}

fn span(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Result<Span, Problem> {
    from.map_or(Ok(()), |from| reject_unless_moment("from", from))?;
    to.map_or(Ok(()), |to| reject_unless_moment("to", to))?;
    Ok(Span { from, to })
}
