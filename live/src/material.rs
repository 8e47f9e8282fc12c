//! Reads the contents of frames: messages, people and custom statuses, as they are now.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use commands::Shown;
use domain::ids::{MessageId, UserId, WorkspaceId};
use domain::{AggregateType, Event, Recorded, StreamId, User, UserEvent};
use keyring::Keyring;
use shapes::CustomStatus;
use sqlx::PgPool;
use stores::log::{Delivery, read};
use tracing::error;

use crate::error::ChangesError;
use crate::frame::EventFrame;
use crate::make::{Known, Present, people};
use crate::message::FoldedMessage;

/// Reads the contents of frames. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Material {
    pub(crate) pool: PgPool,
    /// The keys that unseal the log.
    pub(crate) keys: Keyring,
}

impl Material {
    /// The frames of events of a workspace, or of people in it.
    pub(crate) async fn make(
        &self,
        shown: &Shown,
        workspace_id: WorkspaceId,
        present: &dyn Present,
        seen: &[&Recorded<Event>],
        messages: &HashMap<MessageId, FoldedMessage>,
    ) -> Result<Vec<EventFrame>, ChangesError> {
        let about = seen.iter().flat_map(|event| people(event, messages, present)).collect::<BTreeSet<_>>();
        let users = shown.users(&about).await?;
        let statuses = self.statuses(seen, &users).await?;
        let known = Known { workspace_id, present, users: &users, messages, statuses: &statuses };
        Ok(seen.iter().filter_map(|event| known.frame(event)).collect())
    }

    /// The messages that the events are about, as they are now: with the events up to `now`, and perhaps with later ones. In
    /// `events`, an event of a message is followed by all later ones up to position `to`.
    pub(crate) async fn messages(
        &self,
        events: &[&Recorded<Event>],
        to: i64,
        now: i64,
    ) -> Result<HashMap<MessageId, FoldedMessage>, ChangesError> {
        let mut messages = HashMap::<MessageId, FoldedMessage>::new();
        let (mut earlier, mut known) = (BTreeSet::new(), BTreeSet::new());
        for event in events.iter().filter(|event| event.stream.aggregate == AggregateType::Message) {
            if event.sequence == 1 {
                known.insert(event.stream);
            } else if !known.contains(&event.stream) {
                earlier.insert(event.stream);
            }
            if known.contains(&event.stream) {
                messages.entry(event.stream.id.into()).or_default().apply(event);
            }
        }
        let later = if now > to { self.streams(known, &format!(" AND sequence > 1 AND position > {to}")).await? } else { Vec::new() };
        for event in later.into_iter().chain(self.streams(earlier, "").await?) {
            messages.entry(event.stream.id.into()).or_default().apply(&event);
        }
        Ok(messages)
    }

    /// Those of the messages that retention has removed from their channels. Their earlier events have no
    /// frames. The removal itself has one.
    pub(crate) async fn gone(
        &self,
        shown: &Shown,
        seen: &[&Recorded<Event>],
        messages: &HashMap<MessageId, FoldedMessage>,
    ) -> Result<HashSet<Option<MessageId>>, ChangesError> {
        let ids = seen.iter().filter_map(|event| message_of(event)).collect::<BTreeSet<_>>();
        let place = |message_id: MessageId| {
            let posting = messages.get(&message_id)?.posting()?;
            Some((message_id, posting.channel_id, posting.sent_at))
        };
        let gone = shown.gone_among(&ids.into_iter().filter_map(place).collect::<Vec<_>>()).await?;
        Ok(gone.into_iter().map(Some).collect())
    }

    /// The present custom statuses of users. The write side does not keep them.
    async fn statuses(
        &self,
        seen: &[&Recorded<Event>],
        users: &HashMap<UserId, Arc<User>>,
    ) -> Result<HashMap<UserId, CustomStatus>, ChangesError> {
        let is_status = |event: &&&Recorded<Event>| matches!(event.event, Event::User(UserEvent::StatusChanged { .. }));
        let mut statuses = BTreeMap::<UserId, Option<CustomStatus>>::new();
        for event in self.streams(seen.iter().filter(is_status).map(|event| event.stream).collect(), "").await? {
            if let Event::User(UserEvent::StatusChanged { text, emoji, expires_at }) = event.event {
                let (text, emoji) = (text.map(|text| text.to_string()), emoji.map(|emoji| emoji.to_string()));
                statuses.insert(event.stream.id.into(), CustomStatus::now(text, emoji, expires_at));
            }
        }
        let is_erased = |user_id: &UserId| users.get(user_id).is_none_or(|user| user.erased);
        Ok(statuses.into_iter().filter(|(user_id, _)| !is_erased(user_id)).filter_map(|(id, status)| Some((id, status?))).collect())
    }

    /// The events of these streams, which are of one type: all, or those that fulfil `and`.
    async fn streams(&self, streams: BTreeSet<StreamId>, and: &str) -> Result<Vec<Recorded<Event>>, ChangesError> {
        let Some(first) = streams.first() else { return Ok(Vec::new()) };
        let ids = streams.iter().map(|stream| stream.id.to_string()).collect::<Vec<_>>().join(",");
        let condition = format!("aggregate_type = '{}' AND aggregate_id = ANY ('{{{ids}}}'){and}", first.aggregate.as_str());
        let found = read::read_where(&self.pool, &self.keys, &condition).await?;
        Ok(found.into_iter().filter_map(|delivery| delivery.event.ok()).collect())
    }
}

/// The message that an event is about.
pub(crate) fn message_of(event: &Recorded<Event>) -> Option<MessageId> {
    matches!(event.event, Event::Message(_)).then(|| event.stream.id.into())
}

/// The event, if it can be read. Otherwise, an operator decides on it: every projection parks it. A client must not wait
/// for that.
pub(crate) fn readable(delivery: Delivery) -> Option<Recorded<Event>> {
    let position = delivery.position;
    delivery.event.map_err(|error| error!(position, %error, "an event cannot be read, and no connection gets it")).ok()
}
