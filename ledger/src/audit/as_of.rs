//! One aggregate as it was at a moment; for a channel, with its messages at that moment.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, WorkspaceId};
use domain::{AggregateType, Event, MessageEvent, Recorded, StreamId};
use serde::Serialize;
use serde_json::Value;
use sqlx::query_file;
use utoipa::ToSchema;
use uuid::Uuid;

use super::AuditLog;
use super::entry::{conversation, is_withheld};
use super::moment::{Moment, StateAt};
use super::state::{State, withhold_text};
use super::{AuditError, TextAccess};
use projections::rows;
use shapes::{Reaction, add_reaction, remove_reaction};

/// An aggregate as it was at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AsOf {
    /// The aggregate's type.
    pub aggregate_type: String,
    /// The aggregate's identifier.
    pub aggregate_id: Uuid,
    /// How many events it had.
    pub version: i64,
    /// The position of the last of them. Absent if it had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// When that event happened.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub happened_at: Option<DateTime<Utc>>,
    /// The state.
    pub state: Value,
    /// Whether a text is left out that the caller may not read.
    pub withheld: bool,
}

/// A message as it was at a moment. If it was deleted by then, its text is missing.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MessageThen {
    /// The message.
    pub message_id: Uuid,
    /// The author.
    pub author_id: Uuid,
    /// When it was sent.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub sent_at: DateTime<Utc>,
    /// The text. Absent if the message was deleted, or the caller may not read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The message that began the thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<Uuid>,
    /// Whether it had been edited.
    pub is_edited: bool,
    /// Whether it had been deleted.
    pub is_deleted: bool,
    /// Whether it was pinned.
    pub is_pinned: bool,
    /// The reactions that it had, in the order of the first of each emoji.
    pub reactions: Vec<Reaction>,
    /// Whether a text is left out that the caller may not read.
    pub withheld: bool,
}

/// Messages of a channel as they were at a moment, the newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessagesAsOf {
    /// The messages.
    pub items: Vec<MessageThen>,
    /// The place of the last message, where the next page begins.
    pub next: Option<(DateTime<Utc>, i64)>,
}

impl AuditLog {
    /// Returns an aggregate as it was at a moment, with the channel whose texts its state may contain. `None` if the
    /// audit of the workspace (or of the whole server) has no event of it.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn as_of(
        &self,
        workspace_id: Option<WorkspaceId>,
        stream: StreamId,
        moment: Moment,
    ) -> Result<Option<FoundAsOf>, AuditError> {
        let Some(events) = self.stream_in(workspace_id, stream).await? else { return Ok(None) };
        let channel = conversation(&events);
        Ok(Some(FoundAsOf { stream, channel, then: StateAt::of(stream, &events, moment) }))
    }

    /// Returns the messages of a channel as they were at a moment, the newest first, behind that place.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn messages_as_of(
        &self,
        channel_id: ChannelId,
        moment: Moment,
        behind: Option<(DateTime<Utc>, i64)>,
        limit: u16,
        access: &TextAccess,
    ) -> Result<MessagesAsOf, AuditError> {
        let (position, at) = moment.bounds();
        let at = storable(at);
        let (before, before_position) = behind.map_or((at, i64::MAX), |(before, position)| (storable(before), position));
        let file = query_file!("src/audit/sql/messages_begun.sql", channel_id.0, position, at, before, before_position, rows(limit) + 1);
        let mut begun = file.fetch_all(&self.pool).await?;
        let is_more = begun.len() > usize::from(limit);
        begun.truncate(usize::from(limit));
        let next = begun.last().filter(|_| is_more).map(|last| (last.happened_at, last.position));
        let streams = begun.iter().map(|row| StreamId::message(row.message_id)).collect::<Vec<_>>();
        let mut events = HashMap::<StreamId, Vec<Recorded<Event>>>::new();
        for event in self.whole_streams(&streams).await? {
            events.entry(event.stream).or_default().push(event);
        }
        let then = |stream: &StreamId| message_then(*stream, events.get(stream)?, moment, access.reads(Some(channel_id)));
        Ok(MessagesAsOf { items: streams.iter().filter_map(then).collect(), next })
    }

    /// Counts the messages of a channel that were posted between two moments.
    pub(super) async fn messages_begun_between(&self, channel_id: ChannelId, from: Moment, to: Moment) -> Result<i64, AuditError> {
        let count = |moment: Moment| {
            let (position, at) = moment.bounds();
            sqlx::query_scalar!(
                r#"SELECT count(*) AS "count!" FROM audit_log WHERE channel_id = $1 AND position <= $2 AND happened_at <= $3"#,
                channel_id.0,
                position,
                storable(at),
            )
            .fetch_one(&self.pool)
        };
        Ok(count(to).await? - count(from).await?)
    }
}

/// An aggregate at a moment, before texts are withheld.
#[derive(Debug)]
pub struct FoundAsOf {
    stream: StreamId,
    channel: Option<ChannelId>,
    then: StateAt,
}

impl FoundAsOf {
    /// The channel of a message.
    #[must_use]
    pub fn channel(&self) -> Option<ChannelId> {
        self.channel
    }

    /// The aggregate, with the texts that the caller may read.
    #[must_use]
    pub fn shown(&self, access: &TextAccess) -> AsOf {
        let mut state = self.then.state.whole();
        let withheld = is_withheld(self.channel, self.stream, access) && withhold_text(&mut state);
        AsOf {
            aggregate_type: self.stream.aggregate.as_str().into(),
            aggregate_id: self.stream.id,
            version: self.then.version,
            position: self.then.last.as_ref().map(|event| event.position),
            happened_at: self.then.last.as_ref().map(Recorded::happened_at),
            state,
            withheld,
        }
    }

    /// The aggregate's type.
    #[must_use]
    pub fn aggregate(&self) -> AggregateType {
        self.stream.aggregate
    }
}

fn message_then(stream: StreamId, events: &[Recorded<Event>], moment: Moment, reads: bool) -> Option<MessageThen> {
    let then = StateAt::of(stream, events, moment);
    let State::Message(message) = &then.state else { return None };
    let posting = message.posting.as_ref()?;
    let is_edited = events.iter().filter(|event| moment.includes(event)).any(|event| event.event.wire_name() == "message.edited");
    let has_text = !message.deleted;
    Some(MessageThen {
        message_id: stream.id,
        author_id: posting.author.0,
        sent_at: posting.sent_at,
        content: (has_text && reads).then(|| posting.content.to_string()),
        thread_id: posting.thread_id.map(|id| id.0),
        is_edited: is_edited || posting.edited_at.is_some(),
        is_deleted: message.deleted,
        is_pinned: message.pinned,
        reactions: reactions(events, moment),
        withheld: has_text && !reads,
    })
}

/// The reactions that a message had. The aggregate's state has no order of the emojis, and the events have.
fn reactions(events: &[Recorded<Event>], moment: Moment) -> Vec<Reaction> {
    let mut reactions = Vec::new();
    for event in events.iter().filter(|event| moment.includes(event)) {
        match &event.event {
            Event::Message(MessageEvent::Reacted { user_id, emoji }) => {
                add_reaction(&mut reactions, emoji.as_str(), user_id.0);
            }
            Event::Message(MessageEvent::ReactionRemoved { user_id, emoji }) => {
                remove_reaction(&mut reactions, emoji.as_str(), user_id.0);
            }
            Event::Message(MessageEvent::Purged { .. }) => reactions.clear(),
            _ => {}
        }
    }
    reactions
}

/// Limits a time to Postgres' calendar, which ends before chrono's.
fn storable(at: DateTime<Utc>) -> DateTime<Utc> {
    let last = DateTime::from_timestamp(253_402_300_799, 0).unwrap_or(DateTime::UNIX_EPOCH);
    at.min(last)
}
