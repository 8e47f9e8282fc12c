//! Search of messages, files and people. `projections/src/search/query.rs` defines the query language. To see the
//! messages around a hit, a client reads its channel's history with `around`, or its thread if the hit is a reply.

use actix_web::get;
use actix_web::web::{Data, Path};
use chrono::Utc;
use commands::{ListedChannel, ReadAccess};
use domain::ids::{UserId, WorkspaceId};
use domain::permission::{Permission, Role};
use projections::ReadModels;
use projections::relational::messages::MessageRow;
use projections::relational::users::DirectoryRow;
use projections::search::Search;
use projections::search::query::{Clock, Query as SearchQuery, Zone};
use projections::search::{
    BackendName, FoundFile, FoundMessage, FoundMessages, Fragment, MessageQuery, Order, PageKey, Paging, PeopleQuery, PersonKey, RoomRow,
    Searcher,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::headers::QueryHeaders;
use super::path::WorkspacePath;
use super::sight::{seen, sight_of};
use crate::extract::{Cursor, Query, QueryAnswer, Reading, ReadingNow, page_limit, reject_unless_line, reject_unless_moment};
use crate::problem::Problem;

/// The most characters of a search for people.
const NAME_CHARS_MAX: usize = 100;

/// The messages to search for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MessagesQuery {
    /// Words, `"exact phrases"`, `wor*`, and filters: `from:@ann`, `to:me`, `in:#general`, `before:2024-03-05`,
    /// `after:`, `on:today`, `during:march`, `has:link`, `is:pinned`. A `-` before a part excludes it. docs/SEARCH.md
    /// lists every filter.
    // An absent `q` is an empty text here. The handler refuses it like any empty search, but checks the caller's access
    // first.
    #[serde(default)]
    #[param(required = true, min_length = 1, max_length = 500, example = "from:@ann \"exact phrase\" -not")]
    q: String,
    /// The order of the hits. The default is `relevance`.
    #[serde(default)]
    #[param(inline, required = false)]
    order: Order,
    /// The `next` cursor of the previous page of the same search.
    after: Option<String>,
    /// The number of rows, at most 100. The default is 50.
    #[param(minimum = 1)]
    limit: Option<u16>,
}

/// The messages that a search found.
#[derive(Serialize, ToSchema)]
pub struct MessageHits {
    /// The number of all matches that the caller may read.
    total: u64,
    /// Whether `total` is exact. If not, there are more matches.
    total_is_exact: bool,
    /// The backend that answered. If Elasticsearch is configured but cannot answer, Postgres does.
    backend: BackendName,
    /// The page.
    items: Vec<MessageHit>,
    /// The cursor of the next page. It is absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A message that was found.
#[derive(Serialize, ToSchema)]
pub struct MessageHit {
    /// The message.
    message: MessageRow,
    /// The channel of the message.
    channel: Room,
    /// How well it matches. Compare it within one answer only.
    score: f32,
    /// Passages of its text that match. Each is a list of pieces.
    highlights: Vec<Vec<Fragment>>,
}

/// A channel that the caller may read.
#[derive(Clone, Serialize, ToSchema)]
pub struct Room {
    /// The channel.
    channel_id: Uuid,
    /// The name. Conversations have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// `public`, `private`, `dm` or `group_dm`.
    channel_type: String,
}

impl From<&RoomRow> for Room {
    fn from(row: &RoomRow) -> Self {
        Self { channel_id: row.channel_id, name: row.name.clone(), channel_type: row.channel_type.clone() }
    }
}

/// Search messages in the channels that the caller may read now
///
/// Active members may ask. docs/SEARCH.md describes the query language. The answer and its total have only messages
/// that the caller may read now. A cursor belongs to its search: send the same `q` and `order` with it.
#[utoipa::path(tag = "search", params(WorkspacePath, MessagesQuery, QueryHeaders),
    responses((status = 200, description = "The hits.", body = MessageHits)))]
#[get("/workspaces/{workspace_id}/search/messages")]
pub async fn search_messages(
    path: Path<WorkspacePath>,
    query: Query<MessagesQuery>,
    ReadingNow(reading): ReadingNow,
    search: Data<Search>,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<MessageHits>, Problem> {
    let request = SearchRequest { q: &query.q, order: query.order, after: query.after.as_deref(), limit: query.limit };
    let (question, rooms) = request.resolve(&read_models, path.workspace_id, &reading).await?;
    let found = search.messages(&question).await?;
    Ok(reading.answer(MessageHits::of(found.backend, found.answer, &rooms)))
}

/// The parameters of a search in messages, as the caller sent them.
struct SearchRequest<'a> {
    q: &'a str,
    order: Order,
    after: Option<&'a str>,
    limit: Option<u16>,
}

impl SearchRequest<'_> {
    /// Returns the query for a backend, and the channels that the caller may read.
    async fn resolve(
        self,
        read_models: &ReadModels,
        workspace_id: WorkspaceId,
        reading: &Reading,
    ) -> Result<(MessageQuery, Vec<RoomRow>), Problem> {
        let rooms = readable_rooms(read_models, workspace_id, &reading.access).await?;
        let (after, limit) = (read_page(self.after)?, page_limit(self.limit)?);
        let paging = Paging { order: self.order, after, limit, min_position: reading.requested_position() };
        let sought = SearchQuery::parse(self.q, &clock(read_models, reading.actor, self.q).await?)?;
        let is_guest = reading.access.active_member(workspace_id).await? == Role::Guest;
        let searcher = Searcher { workspace_id, user_id: reading.actor, rooms: &rooms, is_guest };
        let question = read_models.resolve(&sought, searcher, paging).await?;
        Ok((question, rooms))
    }
}

impl MessageHits {
    fn of(backend: BackendName, found: FoundMessages, rooms: &[RoomRow]) -> Self {
        let FoundMessages { total, total_is_exact, hits, next } = found;
        let items = hits.into_iter().filter_map(|FoundMessage { message, score, highlights }| {
            let channel = rooms.iter().find(|room| room.channel_id == message.channel_id)?.into();
            Some(MessageHit { message, channel, score, highlights })
        });
        Self { total, total_is_exact, backend, items: items.collect(), next: next.map(|key| Cursor(key).to_string()) }
    }
}

/// The files to search for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FilesQuery {
    /// Words of file names, `wor*`, and the filters of messages: `from:@ann`, `in:#general`, `during:march`. A `-`
    /// before a part excludes it. docs/SEARCH.md lists every filter.
    #[serde(default)]
    #[param(required = true, min_length = 1, max_length = 500, example = "plan pdf -draft")]
    q: String,
    /// The `next` cursor of the previous page of the same search.
    after: Option<String>,
    /// The number of rows, at most 100. The default is 50.
    #[param(minimum = 1)]
    limit: Option<u16>,
}

/// The files that a search found.
#[derive(Serialize, ToSchema)]
pub struct FileHits {
    /// The number of messages with such files that the caller may read.
    total: u64,
    /// Whether `total` is exact. If not, there are more matches.
    total_is_exact: bool,
    /// The backend that answered. If Elasticsearch is configured but cannot answer, Postgres does.
    backend: BackendName,
    /// The page, newest first.
    items: Vec<FileHit>,
    /// The cursor of the next page. It is absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A message with files that match.
#[derive(Serialize, ToSchema)]
pub struct FileHit {
    /// The message's files whose names match. If no single name has all the words: all files of the message.
    files: Vec<FoundFile>,
    /// The message.
    message: MessageRow,
    /// The channel of the message.
    channel: Room,
}

/// Search files by name, in the messages that the caller may read now
///
/// Active members may ask. The search finds names, and not the contents of files. The answer has only messages that the
/// caller may read now.
#[utoipa::path(tag = "search", params(WorkspacePath, FilesQuery, QueryHeaders),
    responses((status = 200, description = "The hits.", body = FileHits)))]
#[get("/workspaces/{workspace_id}/search/files")]
pub async fn search_files(
    path: Path<WorkspacePath>,
    query: Query<FilesQuery>,
    ReadingNow(reading): ReadingNow,
    search: Data<Search>,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<FileHits>, Problem> {
    let request = SearchRequest { q: &query.q, order: Order::Newest, after: query.after.as_deref(), limit: query.limit };
    let (question, rooms) = request.resolve(&read_models, path.workspace_id, &reading).await?;
    let question = question.of_file_names();
    let found = search.messages(&question).await?;
    let MessageHits { total, total_is_exact, backend, items, next } = MessageHits::of(found.backend, found.answer, &rooms);
    let items =
        items.into_iter().map(|MessageHit { message, channel, .. }| FileHit { files: question.files_of(&message), message, channel });
    Ok(reading.answer(FileHits { total, total_is_exact, backend, items: items.collect(), next }))
}

/// The channels that the caller may read. The read model gives the candidates, and the write side decides.
pub(super) async fn readable_rooms(
    read_models: &ReadModels,
    workspace_id: WorkspaceId,
    access: &ReadAccess,
) -> Result<Vec<RoomRow>, Problem> {
    let mut rooms = read_models.rooms_of(workspace_id, access.user_id()).await?;
    let listed = rooms.iter().map(|room| ListedChannel {
        channel_id: room.channel_id.into(),
        is_public: room.channel_type == "public",
        is_member: room.is_member,
    });
    let (listed, read_at) = (listed.collect::<Vec<_>>(), rooms.first().and_then(|room| room.read_at));
    let readable = access.recent().await?.readable_among(workspace_id, &listed, read_at).await?;
    rooms.retain(|room| readable.contains(&room.channel_id.into()));
    Ok(rooms)
}

/// The current time in the caller's time zone. Only filters need the time zone, so other searches do not read the user.
async fn clock(read_models: &ReadModels, caller: UserId, query: &str) -> Result<Clock, Problem> {
    let user = if query.contains(':') { read_models.user(caller).await? } else { None };
    let zone = user.and_then(|user| user.timezone.parse::<Zone>().ok()).unwrap_or(Zone::UTC);
    Ok(Clock { now: Utc::now(), zone })
}

/// Reads the cursor of a page.
fn read_page(text: Option<&str>) -> Result<Option<PageKey>, Problem> {
    let page = Cursor::<PageKey>::read("after", text)?;
    if let Some(PageKey { place, newest, .. }) = page {
        reject_unless_moment("after", place.created_at)?;
        reject_unless_moment("after", newest.created_at)?;
    }
    Ok(page)
}

/// The people to search for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PeopleSearchQuery {
    /// The beginning of a part of the name. In longer beginnings, one or two typing errors are allowed.
    #[serde(default)]
    #[param(required = true, min_length = 1, max_length = 100, example = "ann")]
    q: String,
    /// The `next` cursor of the previous page of the same search.
    after: Option<String>,
    /// The number of rows, at most 100. The default is 50.
    #[param(minimum = 1)]
    limit: Option<u16>,
}

/// The people that a search found.
#[derive(Serialize, ToSchema)]
pub struct PeopleHits {
    /// The backend that answered.
    backend: BackendName,
    /// The people, best match first.
    items: Vec<DirectoryRow>,
    /// The cursor of the next page. It is absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Search active members by the beginning of their names, with typing errors allowed
///
/// Requires the permission `member.list`. A guest finds the people of the guest's channels, without addresses. The best
/// match comes first.
#[utoipa::path(tag = "search", params(WorkspacePath, PeopleSearchQuery, QueryHeaders),
    responses((status = 200, description = "The members that match.", body = PeopleHits)))]
#[get("/workspaces/{workspace_id}/search/people")]
pub async fn search_people(
    path: Path<WorkspacePath>,
    query: Query<PeopleSearchQuery>,
    ReadingNow(reading): ReadingNow,
    search: Data<Search>,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<PeopleHits>, Problem> {
    reading.access.may(path.workspace_id, Permission::MemberList).await?;
    reject_unless_line("q", &query.q, NAME_CHARS_MAX)?;
    let (after, limit) = (Cursor::<PersonKey>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    let sight = sight_of(&read_models, &reading.access, path.workspace_id).await?;
    let sought = PeopleQuery {
        workspace_id: path.workspace_id,
        in_channels: sight.channels(),
        text: query.q.clone(),
        after,
        limit,
        min_position: reading.requested_position(),
    };
    let mut found = search.people(&sought).await?;
    let more = found.answer.len() > usize::from(limit);
    found.answer.truncate(usize::from(limit));
    let last = found.answer.last().filter(|_| more).map(|hit| PersonKey { distance: hit.distance, user_id: hit.user_id });
    let ids = found.answer.iter().map(|hit| hit.user_id).collect::<Vec<_>>();
    let items = seen(&sight, read_models.directory_of(path.workspace_id, &ids).await?);
    Ok(reading.answer(PeopleHits { backend: found.backend, items, next: last.map(|key| Cursor(key).to_string()) }))
}
