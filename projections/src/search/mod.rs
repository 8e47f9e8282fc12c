//! Search: one contract, and backends that keep it. A backend sees identifiers only; what people type is parsed in [`query`], and what it
//! names is looked up before a backend is asked. Hits are the relational rows, whichever backend found them, so that all answer with the same body.
//!
//! Who may read what is not decided here: the caller says which channels the asker may read at this moment ([`MessageQuery::channels`]), and
//! a backend looks nowhere else, not for a total either.
//!
//! What every backend must agree on stands in one place: what a word is (`words`), which messages can be found, and what `has:link` and its
//! like mean (`searchable`).

pub mod elasticsearch;
mod files;
mod highlight;
mod names;
mod postgres;
pub mod query;
mod resolve;
mod searchable;
mod service;
pub mod words;

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::relational::messages::Cursor;
pub use files::FoundFile;
pub use highlight::{Fragment, highlight};
pub use postgres::PostgresSearch;
pub use query::Text;
pub use resolve::{Asker, Paging, ResolveError, RoomRow};
pub use service::{Answered, FoundMessage, FoundMessages, GrowthRow, Search};

/// Up to here a total is exact, whichever backend counts; beyond, it is "more than". Postgres looks at no more hits than that to rank them.
pub const TOTAL_MAX: u64 = 1_000;

/// What answers questions. Each sees the same messages, as far as it has come.
pub trait SearchBackend: Send + Sync {
    /// Its name, as answers and settings spell it.
    fn name(&self) -> BackendName;

    /// The messages of a workspace that a query asks for.
    fn messages<'a>(&'a self, query: &'a MessageQuery) -> BoxFuture<'a, Result<Hits, SearchError>>;

    /// The people of a workspace whose names begin like a text, or nearly so.
    fn people<'a>(&'a self, query: &'a PeopleQuery) -> BoxFuture<'a, Result<Vec<PersonHit>, SearchError>>;

    /// Messages of a workspace, counted.
    fn analytics<'a>(&'a self, query: &'a AnalyticsQuery) -> BoxFuture<'a, Result<Vec<Bucket>, SearchError>>;
}

/// Which backend.
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
    /// It cannot be reached, or is not ready: another one may answer.
    #[error("the search backend cannot answer just now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The place of the page is one of another backend, whose scores mean something else.
    #[error("the page is one of another search backend: search again")]
    ForeignPage,
    /// The read tables cannot be read.
    #[error("the read models cannot be read")]
    Store(#[from] sqlx::Error),
}

/// What is asked of messages. Everything must hold; deleted messages and what the system says are never found.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageQuery {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// In one of these: the asker's channels at this moment, less what `in:` leaves out. None: nothing is found.
    pub channels: Vec<ChannelId>,
    /// Whether `in:` has left few of the asker's channels: where to look first.
    pub is_narrowed: bool,
    /// Words and phrases.
    pub text: Vec<TextTerm>,
    /// By one of these, where there are any.
    pub authors: Option<Vec<UserId>>,
    /// By none of these.
    pub not_authors: Vec<UserId>,
    /// To all of these.
    pub to: Vec<Addressee>,
    /// To none of these.
    pub not_to: Vec<Addressee>,
    /// Sent within this time.
    pub during: Span,
    /// Not sent within one of these.
    pub not_during: Vec<Span>,
    /// What they have or are, and have not or are not.
    pub marks: Vec<(Mark, Wanted)>,
    /// Which first.
    pub order: Order,
    /// The end of the page before.
    pub after: Option<PageKey>,
    /// The most hits.
    pub limit: u16,
    /// What the asker has done must be seen up to here.
    pub min_position: Option<i64>,
}

/// Whether something is to be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// It must be so.
    Yes,
    /// It must not be so.
    No,
}

/// Words that a text has, or has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextTerm {
    /// What is looked for.
    pub text: Text,
    /// Whether it must be there.
    pub wanted: Wanted,
}

/// Whom a message is to: it mentions them, or somebody else wrote it in one of the conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// Who.
    pub user_id: UserId,
    /// Direct and group conversations of theirs that the asker is in too.
    pub conversations: Vec<ChannelId>,
}

/// A stretch of time, its end left out. What says nothing is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: Option<DateTime<Utc>>,
    /// The first moment after it.
    pub to: Option<DateTime<Utc>>,
}

/// What a message has or is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// A link is in its text.
    Link,
    /// It names files.
    File,
    /// The names of its files have these words, in lower case; the last one may go on where it says so.
    FileNamed {
        /// The words, as [`words`] parts them. Never none.
        words: Vec<String>,
        /// Whether the last one is a beginning.
        is_beginning: bool,
    },
    /// Somebody reacted to it.
    Reaction,
    /// Somebody reacted to it with this.
    Emoji(String),
    /// It is pinned.
    Pinned,
    /// It is an answer in a thread, or has answers.
    Thread,
}

/// Which hits come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// What fits best; the newer ones among those that fit alike.
    #[default]
    Relevance,
    /// The newest.
    Newest,
}

/// The end of a page: what the next one begins behind. Opaque to clients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageKey {
    /// Whose page it was. Places by time mean the same to all; scores do not.
    pub backend: BackendName,
    /// By what it was ordered.
    pub order: Order,
    /// The last hit's score.
    pub score: f32,
    /// The last hit's place in time.
    pub place: Cursor,
    /// The newest hit when the first page was asked for: what comes later does not move the pages.
    pub newest: Cursor,
    /// The total, as the first page said it.
    pub total: u64,
    /// Whether that was exact.
    pub total_is_exact: bool,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    /// How many there are in all.
    pub total: u64,
    /// Whether there are no more than that.
    pub total_is_exact: bool,
    /// This page of them.
    pub hits: Vec<Hit>,
    /// The end of this page, where there is more.
    pub next: Option<PageKey>,
}

/// A message that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// The message.
    pub message_id: MessageId,
    /// Where it is.
    pub channel_id: ChannelId,
    /// When it was sent.
    pub created_at: DateTime<Utc>,
    /// How well it fits: comparable within one answer only.
    pub score: f32,
}

/// Whom to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeopleQuery {
    /// Active members of this workspace.
    pub workspace_id: WorkspaceId,
    /// How a part of their names begins, or nearly so.
    pub text: String,
    /// The end of the page before.
    pub after: Option<PersonKey>,
    /// The most hits.
    pub limit: u16,
    /// What the asker has done must be seen up to here.
    pub min_position: Option<i64>,
}

/// Somebody who was found. Those who fit best come first; among equals, in order of the identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonHit {
    /// Who.
    pub user_id: UserId,
    /// How far their name is from what was looked for: 0 where it begins so.
    pub distance: u16,
}

/// The end of a page of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PersonKey {
    /// The last one's distance.
    pub distance: u16,
    /// The last one.
    pub user_id: UserId,
}

/// What is counted: messages that stand, without what the system says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalyticsQuery {
    /// Of this workspace, all its channels.
    pub workspace_id: WorkspaceId,
    /// By what.
    pub by: CountedBy,
    /// Sent within this time.
    pub during: Span,
    /// The most buckets: those with the most messages of channels and people, the first ones of days and hours.
    pub limit: u16,
    /// What the asker has done must be seen up to here.
    pub min_position: Option<i64>,
}

/// By what messages are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CountedBy {
    /// By channel and conversation.
    Channel,
    /// By who wrote them.
    Person,
    /// By day, in UTC; with how many people wrote.
    Day,
    /// By hour of the day, in UTC; with how many people wrote.
    Hour,
}

/// Some messages, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// What they have in common.
    pub key: BucketKey,
    /// How many.
    pub messages: u64,
    /// How many people wrote them.
    pub authors: u64,
}

/// What the messages of a bucket have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BucketKey {
    /// Their channel.
    Channel(ChannelId),
    /// Who wrote them.
    Person(UserId),
    /// Their day, as its first moment in UTC.
    Day(DateTime<Utc>),
    /// Their hour of the day in UTC, 0 to 23.
    Hour(u8),
}

impl Span {
    /// Whether that moment is in it.
    #[must_use]
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }

    /// What is in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: [self.to, other.to].into_iter().flatten().min() }
    }
}

impl BackendName {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Elasticsearch => "elasticsearch",
        }
    }
}
