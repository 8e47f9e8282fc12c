//! Applies an event to messages: to its own message, and to the message that began the thread.

use domain::MessageEvent;
use domain::ids::{MessageId, UserId};
use domain::retention::{Application, RetentionAction};
use uuid::Uuid;

use super::record::MessageRecord;
use crate::engine::projector::ApplyError;
use crate::relational::rows::{Arrival, Row, Rows};
use crate::relational::stamp::EventStamp;

/// The rows that an event changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effects {
    /// Whether the event's own message changes.
    pub(crate) own: bool,
    /// Whether the message that began the thread changes, if there is a thread.
    pub(crate) root: bool,
}

impl Effects {
    /// Both rows.
    pub(crate) const ALL: Self = Self { own: true, root: true };
    /// No row.
    pub(crate) const NONE: Self = Self { own: false, root: false };
}

/// The message that must be loaded before the event can be applied. For a deletion, the root is known only after that.
pub(crate) fn affected(id: Uuid, event: &MessageEvent) -> Option<Uuid> {
    match event {
        MessageEvent::Posted(posting) => posting.thread_id.map(|root| root.0),
        MessageEvent::Edited { .. }
        | MessageEvent::Deleted { .. }
        | MessageEvent::Pinned { .. }
        | MessageEvent::Unpinned { .. }
        | MessageEvent::Reacted { .. }
        | MessageEvent::ReactionRemoved { .. }
        | MessageEvent::Purged { .. } => Some(id),
    }
}

/// The message that began the thread of a new message.
pub(crate) fn root_of_new(event: &MessageEvent) -> Option<Uuid> {
    match event {
        MessageEvent::Posted(posting) => posting.thread_id.map(|root| root.0),
        MessageEvent::Edited { .. }
        | MessageEvent::Deleted { .. }
        | MessageEvent::Pinned { .. }
        | MessageEvent::Unpinned { .. }
        | MessageEvent::Reacted { .. }
        | MessageEvent::ReactionRemoved { .. }
        | MessageEvent::Purged { .. } => None,
    }
}

/// The message that began the thread, as far as the loaded rows show it.
pub(crate) fn root(messages: &Rows<MessageRecord>, id: Uuid, event: &MessageEvent) -> Option<Uuid> {
    root_of_new(event).or_else(|| Some(messages.get(id)?.root()?.0))
}

/// Applies the `wanted` effects of an event. Returns those that could not be applied because the row is missing.
pub(crate) fn apply(
    messages: &mut Rows<MessageRecord>,
    id: Uuid,
    stamp: EventStamp,
    event: &MessageEvent,
    wanted: Effects,
    arrival: Arrival,
) -> Result<Effects, ApplyError> {
    let mut missing = Effects::NONE;
    if wanted.own {
        missing.own = !apply_to_own(messages, id, stamp, event)?;
    }
    if wanted.root {
        missing.root = !apply_to_root(messages, id, stamp.position, event, arrival);
    }
    Ok(missing)
}

/// Applies an event to its own message. Returns whether the row existed.
fn apply_to_own(messages: &mut Rows<MessageRecord>, id: Uuid, stamp: EventStamp, event: &MessageEvent) -> Result<bool, ApplyError> {
    let outcome = match event {
        MessageEvent::Posted(posting) => {
            let message = MessageRecord::posted(id, stamp, posting);
            check_moment(id, &message)?;
            messages.insert(message);
            Ok(())
        }
        MessageEvent::Edited { content, formatted, by, erased: false } => {
            messages.change(id, stamp, |row| row.edit(content.as_str(), formatted, *by, stamp))
        }
        MessageEvent::Edited { by, erased: true, .. } => messages.change(id, stamp, |row| row.edit_erased(*by, stamp.at)),
        MessageEvent::Deleted { by } => messages.change(id, stamp, |row| row.delete(*by, stamp.at)),
        MessageEvent::Pinned { by } => messages.change(id, stamp, |row| row.pinned = Some((stamp.at, by.0))),
        MessageEvent::Unpinned { by: _ } => messages.change(id, stamp, |row| row.pinned = None),
        MessageEvent::Reacted { user_id, emoji } => messages.change(id, stamp, |row| row.reactions.add(user_id.0, emoji.as_str(), stamp)),
        MessageEvent::ReactionRemoved { user_id, emoji } => {
            messages.change(id, stamp, |row| row.reactions.remove(user_id.0, emoji.as_str()))
        }
        MessageEvent::Purged { by, reason: _ } => messages.change(id, stamp, |row| row.purge(*by, stamp.at)),
    };
    Ok(outcome.is_ok())
}

/// Removes messages from their channel. Returns those that are missing. The reply counts of threads do not change,
/// because a thread leaves as a whole.
pub(crate) fn leave(messages: &mut Rows<MessageRecord>, stamp: EventStamp, applied: &Application, by: UserId, named: &[Uuid]) -> Vec<Uuid> {
    let leaves = |row: &mut MessageRecord| {
        row.archive();
        match applied.action {
            RetentionAction::Archive => {}
            RetentionAction::Purge => row.purge(by, stamp.at),
        }
    };
    named.iter().copied().filter(|id| messages.change(*id, stamp, leaves).is_err()).collect()
}

/// Counts an answer that was added or removed. Returns `false` only if a row was needed and is missing.
fn apply_to_root(messages: &mut Rows<MessageRecord>, id: Uuid, position: i64, event: &MessageEvent, arrival: Arrival) -> bool {
    let (root, difference) = match event {
        MessageEvent::Posted(posting) => (posting.thread_id, 1),
        MessageEvent::Deleted { .. } => match messages.get(id) {
            Some(own) => (own.root(), -1),
            None => return false,
        },
        // A message that was deleted before is no longer counted.
        MessageEvent::Purged { .. } => match messages.get(id) {
            Some(own) => (own.root().filter(|_| own.existed_until_purged()), -1),
            None => return false,
        },
        MessageEvent::Edited { .. }
        | MessageEvent::Pinned { .. }
        | MessageEvent::Unpinned { .. }
        | MessageEvent::Reacted { .. }
        | MessageEvent::ReactionRemoved { .. } => return true,
    };
    root.is_none_or(|root| messages.count(root.0, position, arrival, |row| row.reply_count += difference).is_ok())
}

/// Checks the message's moment. A lookup by identifier finds the partition by the time in the identifier, so the moment
/// must be near it.
fn check_moment(id: Uuid, message: &MessageRecord) -> Result<(), ApplyError> {
    if MessageId(id).allows(message.created_at()) {
        Ok(())
    } else {
        Err(ApplyError::WrongMoment { message_id: id, table: MessageRecord::TABLE })
    }
}
