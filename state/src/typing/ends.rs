//! Who has stopped typing, gathered for a moment: a post must not pay for a command of its own, and hardly anybody sees the difference.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use domain::ids::{ChannelId, UserId};

/// When each of them stopped, by channel, so that each channel needs one command.
type People = HashMap<ChannelId, HashMap<UserId, Instant>>;

/// Those that Redis was not told of yet.
#[derive(Default)]
pub(super) struct Ends(Mutex<People>);

impl Ends {
    /// Adds somebody; says whether nobody was there before, so that somebody must tell Redis.
    pub(super) fn add(&self, channel_id: ChannelId, user_id: UserId) -> bool {
        let mut ends = self.lock();
        let is_first = ends.is_empty();
        ends.entry(channel_id).or_default().insert(user_id, Instant::now());
        is_first
    }

    /// They type again.
    pub(super) fn take_back(&self, channel_id: ChannelId, user_id: UserId) {
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
    fn the_first_of_each_gathering_has_to_tell_and_who_types_again_is_left_out() {
        let (ends, channel) = (Ends::default(), ChannelId(Uuid::now_v7()));
        let (ann, ben) = (UserId(Uuid::now_v7()), UserId(Uuid::now_v7()));
        assert!(ends.add(channel, ann));
        assert!(!ends.add(channel, ben) && !ends.add(channel, ann));
        ends.take_back(channel, ben);
        assert_eq!(ends.take_all()[&channel].keys().collect::<Vec<_>>(), [&ann]);
        assert!(ends.add(channel, ben));
    }
}
