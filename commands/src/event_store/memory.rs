//! The writer's memory of the log, which lets it check a request without a query. Only the writer's task uses it.
//!
//! Invariant: the remembered version of a stream is its version at `head` or later. The call that appends passes
//! `head`. If the log has another end, nothing is appended, and the writer reads the new events. The primary keys
//! protect everything that is not remembered, such as an old idempotency key or an unknown stream.

use std::num::NonZeroUsize;

use chrono::{DateTime, Duration, Utc};
use domain::StreamId;
use lru::LruCache;
use uuid::Uuid;

use super::cache::at_least_one;
use super::idempotency::Remembered;

/// How many streams' versions are remembered. Each takes about 100 bytes.
const STREAMS_MAX: NonZeroUsize = at_least_one(200_000);
/// How many idempotency keys are remembered. Each takes about 200 bytes.
const KEYS_MAX: NonZeroUsize = at_least_one(50_000);

/// The time between two events: the precision of Postgres.
const TICK: Duration = Duration::microseconds(1);

pub(super) type Key = (Uuid, String);

pub(super) struct Memory {
    /// The last known position.
    pub head: i64,
    /// When the event at this position was recorded.
    recorded_at: DateTime<Utc>,
    versions: LruCache<StreamId, i64>,
    keys: LruCache<Key, Remembered>,
}

impl Memory {
    pub(super) fn new(head: i64, recorded_at: DateTime<Utc>) -> Self {
        Self { head, recorded_at, versions: LruCache::new(STREAMS_MAX), keys: LruCache::new(KEYS_MAX) }
    }

    pub(super) fn version(&mut self, stream: StreamId) -> Option<i64> {
        self.versions.get(&stream).copied()
    }

    /// Records a version. It never decreases, because two sources may report the same stream in any order.
    pub(super) fn record_version(&mut self, stream: StreamId, version: i64) {
        let known = self.versions.get_or_insert_mut(stream, || version);
        *known = version.max(*known);
    }

    pub(super) fn key(&mut self, key: &Key) -> Option<&Remembered> {
        self.keys.get(key)
    }

    pub(super) fn record_key(&mut self, key: Key, remembered: Remembered) {
        self.keys.put(key, remembered);
    }

    pub(super) fn advance(&mut self, head: i64, recorded_at: DateTime<Utc>) {
        if head > self.head {
            self.head = head;
            self.recorded_at = recorded_at;
        }
    }

    /// The recording times of the next events: a microsecond apart, after the last event, and not before `now`. They
    /// increase even if the clock is set back.
    pub(super) fn moments(&self, now: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + use<> {
        std::iter::successors(Some(self.next_moment(now)), move |at| Some(*at + TICK))
    }

    /// The recording time of the next event.
    pub(super) fn next_moment(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let now = DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now);
        now.max(self.recorded_at + TICK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_increase_even_when_the_clock_is_set_back() {
        let noon = "2026-11-22T12:00:00.000005Z".parse::<DateTime<Utc>>().expect("a time");
        let memory = Memory::new(7, noon);
        let moments = memory.moments(noon - Duration::hours(3)).take(3).collect::<Vec<_>>();
        assert_eq!(moments[0], noon + Duration::microseconds(1));
        assert_eq!(moments[2], noon + Duration::microseconds(3));
    }

    #[test]
    fn a_version_never_goes_back() {
        let mut memory = Memory::new(0, DateTime::UNIX_EPOCH);
        let stream = StreamId::user(Uuid::nil());
        memory.record_version(stream, 5);
        memory.record_version(stream, 3);
        assert_eq!(memory.version(stream), Some(5));
    }
}
