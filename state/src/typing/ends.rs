//! Users who have stopped typing, collected for a short time. So a post does not need a command to Redis of its own,
//! and the delay is hardly visible.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use domain::ids::{ChannelId, UserId};

/// The users who stopped typing in each channel, and the time of each. With this, each channel needs one command.
type People = HashMap<ChannelId, HashMap<UserId, Instant>>;

/// The stops that Redis does not have yet.
#[derive(Default)]
pub(super) struct Ends(Mutex<People>);

impl Ends {
    /// Adds a user. Returns whether the collection was empty, so that the caller must start sending it to Redis.
    pub(super) fn add(&self, channel_id: ChannelId, user_id: UserId) -> bool {
        let mut ends = self.lock();
        let is_first = ends.is_empty();
        ends.entry(channel_id).or_default().insert(user_id, Instant::now());
        is_first
    }

    /// Removes a user who types again.
    pub(super) fn remove(&self, channel_id: ChannelId, user_id: UserId) {
        if let Some(people) = self.lock().get_mut(&channel_id) {
            people.remove(&user_id);
        }
    }

    pub(super) fn take_all(&self) -> People {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, People> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_first_stop_starts_the_sending_and_a_user_who_types_again_is_left_out() {
        let (ends, channel) = (Ends::default(), ChannelId(Uuid::now_v7()));
        let (ann, ben) = (UserId(Uuid::now_v7()), UserId(Uuid::now_v7()));
        assert!(ends.add(channel, ann));
        assert!(!ends.add(channel, ben) && !ends.add(channel, ann));
        ends.remove(channel, ben);
        assert_eq!(ends.take_all()[&channel].keys().collect::<Vec<_>>(), [&ann]);
        assert!(ends.add(channel, ben));
    }
}
