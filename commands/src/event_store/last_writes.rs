//! The last write of each user: the position of the last event that the user caused, on any node. A query of the
//! user waits for it, so users read their own writes.
//!
//! The writer's task reads every event of the log before any reader depends on it. So a process that has caught up with
//! the log knows the last write of every user, although another process may have made it. Nothing is stored for it, and
//! a command does no more work.
//!
//! Memory is limited. The users that wrote longest ago are forgotten, and the latest of their positions is kept for all
//! of them (the floor). An unknown user wrote at the floor or before. So it is always right to wait for the floor, and it
//! lies so far back that the wait takes no time. When a process starts, the floor is the end of the log.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use uuid::Uuid;

use super::cache::at_least_one;

/// How many users are remembered. Each takes about 80 bytes.
const USERS_MAX: NonZeroUsize = at_least_one(100_000);

/// The position of each user's last event.
pub(super) struct LastWrites(Mutex<Inner>);

struct Inner {
    positions: LruCache<Uuid, i64>,
    /// The users that are not in `positions` wrote here or before.
    floor: i64,
}

impl LastWrites {
    /// Nobody is known yet. The log ends at `head`.
    pub(super) fn from(head: i64) -> Self {
        Self::with(head, USERS_MAX)
    }

    fn with(head: i64, users_max: NonZeroUsize) -> Self {
        Self(Mutex::new(Inner { positions: LruCache::new(users_max), floor: head }))
    }

    /// Records that the log has an event of the user at this position.
    pub(super) fn record(&self, user: Uuid, position: i64) {
        let mut inner = self.lock();
        let last = inner.positions.peek(&user).map_or(position, |known| position.max(*known));
        if let Some((forgotten, at)) = inner.positions.push(user, last)
            && forgotten != user
        {
            inner.floor = inner.floor.max(at);
        }
    }

    /// The position of the user's last event, or a later one.
    pub(super) fn of(&self, user: Uuid) -> i64 {
        let inner = self.lock();
        // A query is no write, so it does not change which user is forgotten next.
        inner.positions.peek(&user).copied().unwrap_or(inner.floor)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    #[test]
    fn a_user_who_has_not_written_since_the_start_waits_for_what_the_log_had_then() {
        let last = LastWrites::from(7);
        assert_eq!(last.of(user(1)), 7);
        last.record(user(1), 9);
        assert_eq!((last.of(user(1)), last.of(user(2))), (9, 7));
    }

    #[test]
    fn positions_never_go_back() {
        let last = LastWrites::from(0);
        last.record(user(1), 9);
        last.record(user(1), 8);
        assert_eq!(last.of(user(1)), 9);
    }

    #[test]
    fn of_a_forgotten_user_a_position_is_known_that_is_late_enough() {
        let last = LastWrites::with(0, at_least_one(2));
        for (n, position) in [(1, 1), (2, 2), (1, 3), (3, 4)] {
            last.record(user(n), position);
        }
        // The second user wrote longest ago. Questions about users do not change that.
        assert_eq!([1, 2, 3, 4].map(|n| last.of(user(n))), [3, 2, 4, 2]);
        last.record(user(4), 5);
        assert_eq!([1, 2, 3, 4].map(|n| last.of(user(n))), [3, 3, 4, 5]);
    }
}
