//! The parts of events that frames show: people, and messages that are still there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::User;
use domain::ids::{ChannelId, MessageId, RetentionId, UserId};

use super::ReadAccess;
use crate::event_store::EventStore;
use crate::messages::REMOVED_AFTER_HOURS;
use crate::reader::Reader;
use crate::{CommandError, Commands};

/// Reads the parts of events that frames show. The caller decides who may see them.
#[derive(Clone)]
pub struct Shown {
    store: EventStore,
}

impl Commands {
    /// The parts of events that frames show.
    #[must_use]
    pub fn shown(&self) -> Shown {
        Shown { store: self.store.clone() }
    }
}

impl ReadAccess {
    /// The parts of events that frames show. The caller decides which of them the user may see.
    #[must_use]
    pub fn shown(&self) -> Shown {
        Shown { store: self.store.clone() }
    }
}

impl Shown {
    /// Returns the present states of users.
    ///
    /// # Errors
    /// The store failed.
    pub async fn users(&self, ids: &BTreeSet<UserId>) -> Result<HashMap<UserId, Arc<User>>, CommandError> {
        let ids = ids.iter().map(|id| id.0).collect::<Vec<_>>();
        let loaded = self.store.load_all::<User>(&ids).await?.into_iter();
        Ok(loaded.map(|(id, user)| (id.into(), user.state)).collect())
    }

    /// Returns those of the messages that retention has archived or purged. Each comes with its channel, and when it was
    /// sent.
    ///
    /// # Errors
    /// The store failed.
    pub async fn gone_among(&self, messages: &[(MessageId, ChannelId, DateTime<Utc>)]) -> Result<HashSet<MessageId>, CommandError> {
        let now = Utc::now();
        let mut months = BTreeMap::<RetentionId, Vec<MessageId>>::new();
        for (message_id, channel_id, sent_at) in messages {
            if now - *sent_at >= TimeDelta::hours(REMOVED_AFTER_HOURS) {
                months.entry(RetentionId::of(*channel_id, *sent_at)).or_default().push(*message_id);
            }
        }
        let (mut reader, mut gone) = (Reader::new(&self.store), HashSet::new());
        for (month, messages) in months {
            let removed = reader.retention(month).await?;
            gone.extend(messages.into_iter().filter(|message_id| removed.gone.contains_key(message_id)));
        }
        Ok(gone)
    }
}
