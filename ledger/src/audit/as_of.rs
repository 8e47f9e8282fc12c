//! One thing as it was: of a channel, with its messages as they were.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, WorkspaceId};
use domain::{AggregateType, Event, Message, Recorded, StreamId};
use serde::Serialize;
use serde_json::Value;
use sqlx::query_file;
use utoipa::ToSchema;
use uuid::Uuid;

use super::AuditLog;
use super::entry::{conversation, is_withheld};
use super::moment::{Moment, Then};
use super::state::{State, withhold_text};
use super::{AuditError, Sight};
use projections::rows;

/// A thing as it was.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AsOf {
    /// The kind of thing.
    pub aggregate_type: String,
    /// The thing.
    pub aggregate_id: Uuid,
    /// How many events had happened to it.
    pub version: i64,
    /// Where the last of them stands in the log; absent where none had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// When that one happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub happened_at: Option<DateTime<Utc>>,
    /// What it was.
    pub state: Value,
    /// Whether a text is left out that the asker may not read.
    pub withheld: bool,
}

/// A message as it was. What was deleted by then is a tombstone, without its text.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MessageThen {
    /// The message.
    pub message_id: Uuid,
    /// Who wrote it.
    pub author_id: Uuid,
    /// When it was sent.
    pub sent_at: DateTime<Utc>,
    /// Its text; absent where it was deleted, or may not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<Uuid>,
    /// Whether it was edited by then.
    pub is_edited: bool,
    /// Whether it was deleted by then.
    pub is_deleted: bool,
    /// Whether it was pinned.
    pub is_pinned: bool,
    /// Who had reacted, by emoji.
    pub reactions: Value,
    /// Whether a text is left out that the asker may not read.
    pub withheld: bool,
}

/// Messages of a channel as they were, the last one first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessagesThen {
    /// The messages.
    pub items: Vec<MessageThen>,
    /// The place of the last, to go on behind it.
    pub next: Option<(DateTime<Utc>, i64)>,
}

impl AuditLog {
    /// A thing as it was, where the audit of that workspace, or of the whole server, shows anything of it; with the channel whose texts its state can hold.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn as_of(
        &self,
        workspace_id: Option<WorkspaceId>,
        stream: StreamId,
        moment: Moment,
    ) -> Result<Option<ThenFound>, AuditError> {
        let Some(events) = self.stream_in(workspace_id, stream).await? else { return Ok(None) };
        let channel = conversation(&events);
        Ok(Some(ThenFound { stream, channel, then: Then::of(stream, &events, moment) }))
    }

    /// The messages of a channel as they were, the last one first, behind that place.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn messages_as_of(
        &self,
        channel_id: ChannelId,
        moment: Moment,
        behind: Option<(DateTime<Utc>, i64)>,
        limit: u16,
        sight: &Sight,
    ) -> Result<MessagesThen, AuditError> {
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
        let then = |stream: &StreamId| message_then(*stream, events.get(stream)?, moment, sight.reads(Some(channel_id)));
        Ok(MessagesThen { items: streams.iter().filter_map(then).collect(), next })
    }

    /// How many messages of a channel were begun between two moments.
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

/// A thing as it was, before it is said who may read of it what.
#[derive(Debug)]
pub struct ThenFound {
    stream: StreamId,
    channel: Option<ChannelId>,
    then: Then,
}

impl ThenFound {
    /// The channel of a message.
    #[must_use]
    pub fn channel(&self) -> Option<ChannelId> {
        self.channel
    }

    /// The thing, for who may read that.
    #[must_use]
    pub fn shown(&self, sight: &Sight) -> AsOf {
        let mut state = self.then.state.whole();
        let withheld = is_withheld(self.channel, self.stream, sight) && withhold_text(&mut state);
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

    /// The kind of thing.
    #[must_use]
    pub fn aggregate(&self) -> AggregateType {
        self.stream.aggregate
    }
}

fn message_then(stream: StreamId, events: &[Recorded<Event>], moment: Moment, reads: bool) -> Option<MessageThen> {
    let then = Then::of(stream, events, moment);
    let State::Message(message) = &then.state else { return None };
    let posting = message.posting.as_ref()?;
    let is_edited = events.iter().filter(|event| moment.has_seen(event)).any(|event| event.event.wire_name() == "message.edited");
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
        reactions: reactions(message),
        withheld: has_text && !reads,
    })
}

fn reactions(message: &Message) -> Value {
    serde_json::to_value(&message.reactions).unwrap_or(Value::Null)
}

/// Postgres' calendar ends before chrono's.
fn storable(at: DateTime<Utc>) -> DateTime<Utc> {
    let last = DateTime::from_timestamp(253_402_300_799, 0).unwrap_or(DateTime::UNIX_EPOCH);
    at.min(last)
}
