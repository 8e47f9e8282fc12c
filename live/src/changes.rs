//! A page of what changed in a workspace behind a cursor.
//!
//! The log is the queue: nothing is kept for a client. A page reads the events of the workspace and of people, leaves out
//! those that the caller may not see, and makes the frames of the others. Its cost is bounded by the events that it looks
//! at, not by those that the caller sees.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use commands::{Audience, CommandError, Past, ReadAccess};
use domain::ids::{LogId, MessageId, UserId, WorkspaceId};
use domain::{AggregateType, Event, Recorded, StreamId, User, UserEvent};
use keyring::Keyring;
use serde::Serialize;
use shapes::CustomStatus;
use sqlx::PgPool;
use stores::log::{LogError, read};
use tracing::error;
use utoipa::ToSchema;

use crate::audience::audience;
use crate::cursor::Cursor;
use crate::frame::EventFrame;
use crate::make::{Known, people};
use crate::message::FoldedMessage;

/// The most events that one page looks at. A page of a caller who may see few of them has fewer frames than were asked
/// for, and its cursor is behind the last event that was looked at.
pub const LOOKED_AT_MAX: usize = 2_000;

/// How many events are read at first. If the caller may see few of them, more are read at a time.
const FIRST_READ: usize = 128;

/// The pages of what changed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Changes {
    pool: PgPool,
    /// The keys that unseal the log.
    keys: Keyring,
    log_id: LogId,
    /// The most events of the workspace behind a cursor. If there are more, the client must read the state instead.
    behind_max: u32,
}

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// The caller is not a member of the workspace, or the write side failed.
    #[error(transparent)]
    Commands(#[from] CommandError),
    /// The database did not answer.
    #[error("what changed cannot be read")]
    Store(#[from] sqlx::Error),
    /// The log could not be read.
    #[error("the log cannot be read")]
    Log(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<LogError> for ChangesError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Unavailable(error) => Self::Store(error),
            LogError::Gap { .. } | LogError::Malformed(_) | LogError::Keys(_) | LogError::OfLaterRelease { .. } => {
                Self::Log(Box::new(error))
            }
        }
    }
}

/// What changed behind a cursor.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChangesPage {
    /// The life of the log. Positions are true within one life only.
    pub log_id: uuid::Uuid,
    /// The events that the caller sees, in the order of their positions.
    pub items: Vec<EventFrame>,
    /// The cursor of the next page. Every page has one: later events come behind it.
    pub next: String,
    /// Whether the next page can be read at once. Otherwise, this page ends where the log ended.
    pub has_more: bool,
    /// What the client has is not connected with this log. It must read the state again, at the position of `next` or
    /// later, and go on from `next`. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset: Option<Reset>,
    /// The position of `next`.
    #[serde(skip)]
    pub position: i64,
}

/// The client must read the state again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reset {
    /// Why.
    #[schema(inline)]
    pub reason: ResetReason,
}

/// Why a client must read the state again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// The cursor is of another life of the log: the database was restored from a backup.
    LogChanged,
    /// The cursor is ahead of the log.
    AheadOfLog,
    /// More events lie behind the cursor than the server's setting allows.
    TooFarBehind,
}

/// A part of the log, and where it ends.
struct Part {
    events: Vec<Recorded<Event>>,
    /// The position up to which everything was looked at.
    to: i64,
    looked_at: usize,
}

impl Changes {
    /// Reads through this pool. `behind_max` is the most events of a workspace that a client may have missed.
    #[must_use]
    pub fn new(pool: PgPool, keys: Keyring, log_id: LogId, behind_max: u32) -> Self {
        Self { pool, keys, log_id, behind_max }
    }

    /// The life of the log.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.log_id
    }

    /// The cursor of a position of this log.
    #[must_use]
    pub fn cursor(&self, position: i64) -> Cursor {
        Cursor { log_id: self.log_id, position }
    }

    /// Returns the page behind `after`, with at most `limit` frames. Without a cursor, an empty page that ends where the
    /// log ends. A page reaches the position of `access` at most.
    ///
    /// # Errors
    /// The caller is not a member of the workspace, or a store failed.
    pub async fn page(
        &self,
        access: &ReadAccess,
        workspace_id: WorkspaceId,
        after: Option<Cursor>,
        limit: u16,
    ) -> Result<ChangesPage, ChangesError> {
        access.active_member(workspace_id).await?;
        let end = access.position();
        let Some(after) = after else { return Ok(self.ends_at(end, Vec::new(), end, None)) };
        if let Some(reason) = self.reset(workspace_id, after, end).await? {
            return Ok(self.ends_at(end, Vec::new(), end, Some(Reset { reason })));
        }
        let (mut frames, mut reached, mut looked_at, mut read) = (Vec::new(), after.position, 0, FIRST_READ);
        let limit = usize::from(limit);
        while reached < end && frames.len() < limit && looked_at < LOOKED_AT_MAX {
            let part = self.part(workspace_id, reached, end, read.min(LOOKED_AT_MAX - looked_at)).await?;
            let more = self.frames(access, workspace_id, reached, &part.events).await?;
            let (is_over, room) = (more.len() > limit - frames.len(), limit - frames.len());
            frames.extend(more.into_iter().take(room));
            reached = if is_over { frames.last().map_or(part.to, EventFrame::position) } else { part.to };
            looked_at += part.looked_at;
            read *= 4;
        }
        Ok(self.ends_at(reached, frames, end, None))
    }

    fn ends_at(&self, position: i64, items: Vec<EventFrame>, end: i64, reset: Option<Reset>) -> ChangesPage {
        let next = self.cursor(position).to_string();
        ChangesPage { log_id: self.log_id.0, items, next, has_more: position < end, reset, position }
    }

    /// Why a client with this cursor must begin anew.
    async fn reset(&self, workspace_id: WorkspaceId, after: Cursor, end: i64) -> Result<Option<ResetReason>, ChangesError> {
        if after.log_id != self.log_id {
            return Ok(Some(ResetReason::LogChanged));
        }
        if after.position > end {
            return Ok(Some(ResetReason::AheadOfLog));
        }
        let is_near = end - after.position <= i64::from(self.behind_max);
        let is_far = !is_near && stores::log::has_more_than(&self.pool, workspace_id, after.position, self.behind_max).await?;
        Ok(is_far.then_some(ResetReason::TooFarBehind))
    }

    /// Reads the next events of the workspace and of people.
    async fn part(&self, workspace_id: WorkspaceId, after: i64, end: i64, limit: usize) -> Result<Part, ChangesError> {
        let found = read::read_of_workspace(&self.pool, &self.keys, workspace_id, after, end, limit).await?;
        let to = found.last().filter(|_| found.len() >= limit).map_or(end, |last| last.position);
        let looked_at = found.len();
        let read = |delivery: stores::log::Delivery| match delivery.event {
            Ok(recorded) => Some(recorded),
            // An operator decides on it: every projection parks it. A client must not wait for that.
            Err(error) => {
                error!(position = delivery.position, %error, "an event cannot be read, and nobody is told of it");
                None
            }
        };
        Ok(Part { events: found.into_iter().filter_map(read).collect(), to, looked_at })
    }

    /// The frames of those events that the caller may see.
    async fn frames(
        &self,
        access: &ReadAccess,
        workspace_id: WorkspaceId,
        after: i64,
        events: &[Recorded<Event>],
    ) -> Result<Vec<EventFrame>, ChangesError> {
        let messages = self.messages(events).await?;
        let channel_of = |message_id: MessageId| messages.get(&message_id).and_then(FoldedMessage::channel_id);
        let told = events.iter().filter_map(|event| Some((event, audience(event, channel_of).ok()?))).collect::<Vec<_>>();
        if told.is_empty() {
            return Ok(Vec::new());
        }
        let audiences = told.iter().map(|(_, audience)| audience.clone()).collect::<Vec<Audience>>();
        let mut past = access.past(workspace_id, after, &audiences).await?;
        let seen = told.into_iter().filter(|(event, audience)| past.may_see(event.position, audience));
        let mut seen = seen.map(|(event, _)| event).collect::<Vec<_>>();
        let gone = self.gone(access, &seen, &messages).await?;
        seen.retain(|event| !gone.contains(&message_of(event)));
        self.make(access, workspace_id, &past, &seen, &messages).await
    }

    async fn make(
        &self,
        access: &ReadAccess,
        workspace_id: WorkspaceId,
        past: &Past,
        seen: &[&Recorded<Event>],
        messages: &HashMap<MessageId, FoldedMessage>,
    ) -> Result<Vec<EventFrame>, ChangesError> {
        let shown = seen.iter().flat_map(|event| people(event, messages, past)).collect::<BTreeSet<_>>();
        let users = access.users(&shown).await?;
        let statuses = self.statuses(seen, &users).await?;
        let known = Known { workspace_id, past, users: &users, messages, statuses: &statuses };
        Ok(seen.iter().filter_map(|event| known.frame(event)).collect())
    }

    /// The messages that the events are about, as they are now.
    async fn messages(&self, events: &[Recorded<Event>]) -> Result<HashMap<MessageId, FoldedMessage>, ChangesError> {
        let streams = events.iter().map(|event| event.stream).filter(|stream| stream.aggregate == AggregateType::Message);
        let mut messages = HashMap::<MessageId, FoldedMessage>::new();
        for event in self.streams(streams.collect()).await? {
            messages.entry(event.stream.id.into()).or_default().apply(&event);
        }
        Ok(messages)
    }

    /// Those of the messages that retention has removed from their channels. Nobody is told of what happened to them
    /// before, but for the removal itself.
    async fn gone(
        &self,
        access: &ReadAccess,
        seen: &[&Recorded<Event>],
        messages: &HashMap<MessageId, FoldedMessage>,
    ) -> Result<HashSet<Option<MessageId>>, ChangesError> {
        let ids = seen.iter().filter_map(|event| message_of(event)).collect::<BTreeSet<_>>();
        let place = |message_id: MessageId| {
            let posting = messages.get(&message_id)?.posting()?;
            Some((message_id, posting.channel_id, posting.sent_at))
        };
        let gone = access.gone_among(&ids.into_iter().filter_map(place).collect::<Vec<_>>()).await?;
        Ok(gone.into_iter().map(Some).collect())
    }

    /// What users say about themselves now. The write side does not keep it.
    async fn statuses(
        &self,
        seen: &[&Recorded<Event>],
        users: &HashMap<UserId, Arc<User>>,
    ) -> Result<HashMap<UserId, CustomStatus>, ChangesError> {
        let is_status = |event: &&&Recorded<Event>| matches!(event.event, Event::User(UserEvent::StatusChanged { .. }));
        let mut statuses = BTreeMap::<UserId, Option<CustomStatus>>::new();
        for event in self.streams(seen.iter().filter(is_status).map(|event| event.stream).collect()).await? {
            if let Event::User(UserEvent::StatusChanged { text, emoji, expires_at }) = event.event {
                let (text, emoji) = (text.map(|text| text.to_string()), emoji.map(|emoji| emoji.to_string()));
                statuses.insert(event.stream.id.into(), CustomStatus::now(text, emoji, expires_at));
            }
        }
        let is_erased = |user_id: &UserId| users.get(user_id).is_none_or(|user| user.erased);
        Ok(statuses.into_iter().filter(|(user_id, _)| !is_erased(user_id)).filter_map(|(id, status)| Some((id, status?))).collect())
    }

    /// All events of these streams, which are of one type.
    async fn streams(&self, streams: BTreeSet<StreamId>) -> Result<Vec<Recorded<Event>>, ChangesError> {
        let Some(first) = streams.first() else { return Ok(Vec::new()) };
        let ids = streams.iter().map(|stream| stream.id.to_string()).collect::<Vec<_>>().join(",");
        let condition = format!("aggregate_type = '{}' AND aggregate_id = ANY ('{{{ids}}}')", first.aggregate.as_str());
        let found = read::read_where(&self.pool, &self.keys, &condition).await?;
        Ok(found.into_iter().filter_map(|delivery| delivery.event.ok()).collect())
    }
}

/// The message that an event is about.
fn message_of(event: &Recorded<Event>) -> Option<MessageId> {
    matches!(event.event, Event::Message(_)).then(|| event.stream.id.into())
}
