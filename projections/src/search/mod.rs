//! Search: one interface, with several backends. A backend gets identifiers only: [`query`] parses what people type,
//! and names are looked up before a backend is asked. Hits are turned into relational rows, so that all backends give
//! the same answers.
//!
//! This module does not decide who may read a message. The caller gives the channels that the user may read at this
//! moment ([`MessageQuery::channels`]), and a backend searches and counts in no other channel.
//!
//! Rules that all backends share stand in one place: what a word is (`words`), which messages can be found, and what
//! `has:link` and similar filters mean (`searchable`).

pub mod elasticsearch;
mod files;
mod highlight;
mod names;
mod postgres;
pub mod query;
mod resolve;
mod searchable;
mod service;
pub(crate) mod vector;
pub mod words;

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use domain::text::Emoji;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::relational::messages::Cursor;
pub use files::FoundFile;
pub(crate) use files::words_of_name;
pub use highlight::{Fragment, highlight};
pub use postgres::PostgresSearch;
pub use query::Text;
pub use resolve::{Paging, ResolveError, RoomRow, Searcher};
pub use service::{Answered, FoundMessage, FoundMessages, GrowthRow, Search};

/// A total is exact up to this number in every backend; beyond it, the answer is "more than". Postgres ranks no more
/// hits than this.
pub const TOTAL_MAX: u64 = 1_000;

/// A search backend. All backends find the same messages, each up to its own position.
pub trait SearchBackend: Send + Sync {
    /// Its name, as answers and settings spell it.
    fn name(&self) -> BackendName;

    /// Finds the messages of a workspace that match a query.
    fn messages<'a>(&'a self, query: &'a MessageQuery) -> BoxFuture<'a, Result<Hits, SearchError>>;

    /// Finds the people of a workspace whose names begin with a text, or nearly so.
    fn people<'a>(&'a self, query: &'a PeopleQuery) -> BoxFuture<'a, Result<Vec<PersonHit>, SearchError>>;

    /// Counts messages of a workspace.
    fn analytics<'a>(&'a self, query: &'a AnalyticsQuery) -> BoxFuture<'a, Result<Vec<Bucket>, SearchError>>;
}

/// The name of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackendName {
    /// The full text search of Postgres.
    Postgres,
    /// Elasticsearch.
    Elasticsearch,
}

/// Why a backend has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The backend cannot be reached, or is not ready. Another one may answer.
    #[error("the search backend cannot answer at the moment")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The page came from another backend, whose scores have another meaning.
    #[error("the page came from another search backend: search again")]
    ForeignPage,
    /// The read tables cannot be read.
    #[error("the read models cannot be read")]
    Store(#[from] sqlx::Error),
}

/// A query on messages. All conditions must hold. Deleted messages and system messages are never found.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageQuery {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The channels that are searched: those that the user may read at this moment, reduced by `in:`. If empty, nothing
    /// is found.
    pub channels: Vec<ChannelId>,
    /// Whether `in:` has left few channels, so that searching by channel comes first.
    pub is_narrowed: bool,
    /// Words and phrases.
    pub text: Vec<TextTerm>,
    /// The message has one of these authors. `None` allows all.
    pub authors: Option<Vec<UserId>>,
    /// The message has none of these authors.
    pub not_authors: Vec<UserId>,
    /// The message is to all of these.
    pub to: Vec<Addressee>,
    /// The message is to none of these.
    pub not_to: Vec<Addressee>,
    /// The message was sent within this time.
    pub during: Span,
    /// The message was sent in none of these times.
    pub not_during: Vec<Span>,
    /// What a message must have or be, and what it must not.
    pub properties: Vec<(Property, Requirement)>,
    /// The order of the hits.
    pub order: Order,
    /// The end of the page before.
    pub after: Option<PageKey>,
    /// The most hits.
    pub limit: u16,
    /// The answer must include all events up to this position: the user's own changes.
    pub min_position: Option<i64>,
}

/// Whether a condition must hold or must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Requirement {
    /// It must hold.
    Must,
    /// It must not hold.
    MustNot,
}

/// Words that a text must contain, or must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextTerm {
    /// The words.
    pub text: Text,
    /// Whether the text must contain them.
    pub wanted: Requirement,
}

/// The user that a message is to: it mentions the user, or another user wrote it in one of the conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// The user.
    pub user_id: UserId,
    /// The user's direct and group conversations that the searching user is in too.
    pub conversations: Vec<ChannelId>,
}

/// A span of time without its end. A missing bound is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: Option<DateTime<Utc>>,
    /// The first moment after it.
    pub to: Option<DateTime<Utc>>,
}

/// A property of a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Property {
    /// Its text contains a link.
    Link,
    /// It has files.
    File,
    /// Its files' names contain these words, in lower case. The last word may be a prefix.
    FileNamed {
        /// The words, split as in [`words`]. Never empty.
        words: Vec<String>,
        /// Whether the last word is a prefix.
        is_beginning: bool,
    },
    /// It has a reaction.
    Reaction,
    /// It has a reaction with this emoji. An emoji without a skin tone stands for every skin tone.
    Emoji(Emoji),
    /// It is pinned.
    Pinned,
    /// It is an answer in a thread, or has answers.
    Thread,
}

/// The order of hits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The best match first. Of equal matches, the newer one comes first.
    #[default]
    Relevance,
    /// The newest first.
    Newest,
}

/// The end of a page, where the next one begins. Opaque to clients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageKey {
    /// The backend of the page. Places by time mean the same to all backends; scores do not.
    pub backend: BackendName,
    /// The order of the hits.
    pub order: Order,
    /// The last hit's score.
    pub score: f32,
    /// The last hit's place in time.
    pub place: Cursor,
    /// The newest hit when the first page was asked for. Later messages do not shift the pages.
    pub newest: Cursor,
    /// The total of the first page.
    pub total: u64,
    /// Whether that was exact.
    pub total_is_exact: bool,
}

/// The hits of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    /// The total number of hits.
    pub total: u64,
    /// Whether the total is exact. If not, there are more hits.
    pub total_is_exact: bool,
    /// The hits of this page.
    pub hits: Vec<Hit>,
    /// The end of this page, if there is another.
    pub next: Option<PageKey>,
}

/// A message that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// The message.
    pub message_id: MessageId,
    /// The message's channel.
    pub channel_id: ChannelId,
    /// When it was sent.
    pub created_at: DateTime<Utc>,
    /// The score. Scores are comparable within one answer only.
    pub score: f32,
}

/// A search for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeopleQuery {
    /// The workspace. Only its active members are found.
    pub workspace_id: WorkspaceId,
    /// The channels whose people are searched, if the user is a guest. `None` means all members of the workspace.
    pub in_channels: Option<Vec<ChannelId>>,
    /// The beginning of a part of a name, or nearly the beginning.
    pub text: String,
    /// The end of the page before.
    pub after: Option<PersonKey>,
    /// The most hits.
    pub limit: u16,
    /// The answer must include all events up to this position: the user's own changes.
    pub min_position: Option<i64>,
}

/// A person that was found. The best match comes first; equal matches are in order of the identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonHit {
    /// The person.
    pub user_id: UserId,
    /// The distance of the name from the text. 0 means that it begins with the text.
    pub distance: u16,
}

/// The end of a page of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PersonKey {
    /// The distance of the last person.
    pub distance: u16,
    /// The last person.
    pub user_id: UserId,
}

/// A count of messages. Deleted messages and system messages are not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalyticsQuery {
    /// The workspace, with all its channels.
    pub workspace_id: WorkspaceId,
    /// How to group the messages.
    pub by: CountedBy,
    /// Sent within this time.
    pub during: Span,
    /// The most buckets: for channels and people those with the most messages, for days and hours the first ones.
    pub limit: u16,
    /// The answer must include all events up to this position: the user's own changes.
    pub min_position: Option<i64>,
}

/// How messages are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CountedBy {
    /// By channel and conversation.
    Channel,
    /// By author.
    Person,
    /// By day in UTC, with the number of authors.
    Day,
    /// By hour of the day in UTC, with the number of authors.
    Hour,
}

/// The count of one group of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The group.
    pub key: BucketKey,
    /// The number of messages.
    pub messages: u64,
    /// The number of authors.
    pub authors: u64,
}

/// A group of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BucketKey {
    /// Their channel.
    Channel(ChannelId),
    /// Their author.
    Person(UserId),
    /// Their day, as its first moment in UTC.
    Day(DateTime<Utc>),
    /// Their hour of the day in UTC, 0 to 23.
    Hour(u8),
}

impl MessageQuery {
    /// Narrows the query to messages within one of the spans. They are in order and apart.
    fn only_during(&mut self, spans: &[Span]) {
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
            self.during = Span::NEVER;
            return;
        };
        self.during = self.during.and(Span { from: first.from, to: last.to });
        self.not_during.extend(spans.windows(2).map(|pair| Span { from: pair[0].to, to: pair[1].from }));
    }
}

impl Span {
    /// The span that has no moment.
    const NEVER: Self = Self { from: Some(DateTime::<Utc>::UNIX_EPOCH), to: Some(DateTime::<Utc>::UNIX_EPOCH) };

    /// Whether a time is within the span.
    #[must_use]
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }

    /// The time that is in both spans.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: [self.to, other.to].into_iter().flatten().min() }
    }
}

impl BackendName {
    /// The name in requests, answers and settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Elasticsearch => "elasticsearch",
        }
    }
}
