//! The limit for frames about typing. A client says every few seconds that its user is typing, and all readers of the
//! channel get a frame. So one user counts once in two seconds, and a channel has a limit: after ten people, one more is
//! no useful information.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::ids::{ChannelId, UserId};
use lru::LruCache;

/// The time in which one user's typing in a channel is sent once.
pub const ONCE_IN: Duration = Duration::from_secs(2);
/// How often typing in one channel is sent in a second, at one node.
pub const CHANNEL_PER_SECOND_MAX: u32 = 10;
/// The most users and channels that are remembered, about 100 bytes each.
const REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// The users and channels about which frames were sent lately.
pub struct TypingRate(Mutex<Recent>);

struct Recent {
    users: LruCache<(ChannelId, UserId), Instant>,
    /// The beginning of the channel's second, and the number of frames in it.
    channels: LruCache<ChannelId, (Instant, u32)>,
}

impl Default for TypingRate {
    fn default() -> Self {
        Self(Mutex::new(Recent { users: LruCache::new(REMEMBERED_MAX), channels: LruCache::new(REMEMBERED_MAX) }))
    }
}

impl TypingRate {
    /// Whether others get a frame at `now` that the user is typing. If so, it counts.
    pub fn admit_user(&self, channel_id: ChannelId, user_id: UserId, now: Instant) -> bool {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_soon = |at: &Instant| now.saturating_duration_since(*at) < ONCE_IN;
        if recent.users.get(&(channel_id, user_id)).is_some_and(is_soon) {
            return false;
        }
        recent.users.put((channel_id, user_id), now);
        true
    }

    /// Whether others got a frame about the user's typing so shortly before `now` that there is nothing to do.
    pub fn was_told(&self, channel_id: ChannelId, user_id: UserId, now: Instant) -> bool {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.users.get(&(channel_id, user_id)).is_some_and(|at| now.saturating_duration_since(*at) < ONCE_IN)
    }

    /// Whether the readers of the channel get a frame at `now` that somebody is typing. If so, it counts.
    pub fn admit_channel(&self, channel_id: ChannelId, now: Instant) -> bool {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = recent.channels.get(&channel_id).copied().unwrap_or((now, 0));
        let (since, count) = if now.saturating_duration_since(since) < Duration::from_secs(1) { (since, count) } else { (now, 0) };
        if count >= CHANNEL_PER_SECOND_MAX {
            return false;
        }
        recent.channels.put(channel_id, (since, count + 1));
        true
    }

    /// The user has posted: the next typing is sent at once.
    pub fn ended(&self, channel_id: ChannelId, user_id: UserId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).users.pop(&(channel_id, user_id));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_user_is_told_once_in_two_seconds_and_at_once_after_a_post() {
        let (rate, now) = (TypingRate::default(), Instant::now());
        let (channel, ann, ben) = (ChannelId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)), UserId(Uuid::from_u128(3)));
        assert!(rate.admit_user(channel, ann, now) && rate.admit_user(channel, ben, now));
        assert!(rate.was_told(channel, ann, now) && !rate.was_told(channel, ann, now + ONCE_IN));
        assert!(!rate.admit_user(channel, ann, now + Duration::from_millis(1_999)));
        assert!(rate.admit_user(channel, ann, now + ONCE_IN));
        rate.ended(channel, ann);
        assert!(rate.admit_user(channel, ann, now + ONCE_IN));
    }

    #[test]
    fn a_channel_in_which_a_thousand_type_is_told_of_ten_in_a_second() {
        let (rate, now) = (TypingRate::default(), Instant::now());
        let channel = |n| ChannelId(Uuid::from_u128(n));
        let admitted = |at| (0..1_000).filter(|_| rate.admit_channel(channel(1), at)).count();
        assert_eq!(admitted(now), 10);
        assert_eq!(admitted(now + Duration::from_millis(999)), 0);
        assert_eq!(admitted(now + Duration::from_secs(1)), 10);
        assert!(rate.admit_channel(channel(2), now), "another channel has its own bound");
    }
}
