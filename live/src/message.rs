//! A message as it is now, folded from its events in the log. The read model folds the same events into the same row: the
//! test `live::law` compares them.
//!
//! The log has no texts that may not be shown: a purge empties events in place, and an erasure destroys the key. A
//! deleted message has its text in the log, and is shown without it.

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use domain::ids::{ChannelId, MessageId};
use domain::message::Posting;
use domain::{Event, Message, MessageEvent, Recorded, User};
use serde_json::{Value, json};
use shapes::{Person, Reaction, add_reaction, remove_reaction};
use uuid::Uuid;

use crate::content::{FrameMessage, person};

/// A message, with the times of its events.
#[derive(Clone, Debug, Default)]
pub(crate) struct FoldedMessage {
    state: Message,
    created_at: DateTime<Utc>,
    edited: Option<(DateTime<Utc>, Option<Uuid>)>,
    pinned: Option<(DateTime<Utc>, Uuid)>,
    deleted_at: Option<DateTime<Utc>>,
    reactions: Vec<Reaction>,
}

impl FoldedMessage {
    /// Folds in the next event of the message.
    pub(crate) fn apply(&mut self, recorded: &Recorded<Event>) {
        let Event::Message(event) = &recorded.event else { return };
        let at = to_micros(recorded.happened_at());
        match event {
            MessageEvent::Posted(posting) => {
                self.created_at = to_micros(posting.created_at(recorded.recorded_at));
                self.edited = posting.edited_at.map(|edited_at| (to_micros(edited_at), None));
            }
            MessageEvent::Edited { by, .. } => self.edited = Some((at, Some(by.0))),
            MessageEvent::Deleted { .. } => (self.deleted_at, self.pinned) = (Some(at), None),
            MessageEvent::Pinned { by } => self.pinned = Some((at, by.0)),
            MessageEvent::Unpinned { by: _ } => self.pinned = None,
            MessageEvent::Reacted { user_id, emoji } => drop(add_reaction(&mut self.reactions, emoji.as_str(), user_id.0)),
            MessageEvent::ReactionRemoved { user_id, emoji } => {
                remove_reaction(&mut self.reactions, emoji.as_str(), user_id.0);
            }
            MessageEvent::Purged { .. } => {
                self.deleted_at = self.deleted_at.or(Some(at));
                self.pinned = None;
                self.reactions.clear();
            }
        }
        self.state.apply(event.clone());
    }

    /// The first event of the message, with its present text.
    pub(crate) fn posting(&self) -> Option<&Posting> {
        self.state.posting.as_ref()
    }

    /// The channel.
    pub(crate) fn channel_id(&self) -> Option<ChannelId> {
        self.posting().map(|posting| posting.channel_id)
    }

    /// The message, as a frame shows it. `author` is the author now.
    pub(crate) fn shown(&self, message_id: MessageId, author: Option<&User>) -> Option<FrameMessage> {
        let posting = self.posting()?;
        let Person { user_id, username, display_name, avatar_url, is_erased } = person(posting.author, author);
        // The events may have been read just before the author was erased.
        let is_text_erased = posting.erased || is_erased;
        let is_deleted = self.state.deleted;
        Some(FrameMessage {
            message_id: message_id.0,
            channel_id: posting.channel_id.0,
            workspace_id: posting.workspace_id.0,
            user_id,
            username,
            display_name,
            avatar_url,
            is_erased,
            content: if is_deleted || is_text_erased { String::new() } else { posting.content.to_string() },
            message_type: posting.kind.as_str().into(),
            formatted_content: formatted(posting, is_deleted, is_text_erased),
            thread_id: posting.thread_id.map(|id| id.0),
            is_pinned: self.pinned.is_some(),
            pinned_at: self.pinned.map(|(at, _)| at),
            pinned_by: self.pinned.map(|(_, by)| by),
            is_deleted,
            deleted_at: self.deleted_at,
            reactions: self.reactions.clone(),
            edited_at: self.edited.map(|(at, _)| at),
            edited_by: self.edited.and_then(|(_, by)| by),
            created_at: self.created_at,
        })
    }
}

/// The references in the text. Those of an erased text say that it was erased.
fn formatted(posting: &Posting, is_deleted: bool, is_erased: bool) -> Option<Value> {
    if is_deleted {
        return None;
    }
    if is_erased {
        return Some(json!({"erased": true}));
    }
    let formatted = &posting.formatted;
    (!formatted.is_empty()).then(|| serde_json::to_value(formatted).unwrap_or(Value::Null))
}

/// Cuts a time to microseconds, as the read tables do.
fn to_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}
