//! After a failure nobody asks Redis for a moment: a thousand requests need not each wait for what does not answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::RedisError;

use super::connection::RedisDown;

/// For how long nobody asks Redis after it did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether Redis answers. Each change is logged once.
pub(super) struct Breaker {
    born: Instant,
    /// In milliseconds since `born`; 0 while all is well.
    open_until_ms: AtomicU64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { born: Instant::now(), open_until_ms: AtomicU64::new(0) }
    }
}

impl Breaker {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether nobody is to ask just now.
    pub(super) fn is_open(&self) -> bool {
        self.now_ms() < self.open_until_ms.load(Ordering::Relaxed)
    }

    /// Whether the last answer was one.
    pub(super) fn is_well(&self) -> bool {
        self.open_until_ms.load(Ordering::Relaxed) == 0
    }

    pub(super) fn worked(&self) {
        if !self.is_well() && self.open_until_ms.swap(0, Ordering::Relaxed) != 0 {
            tracing::info!("redis answers again");
        }
    }

    pub(super) fn failed(&self, error: Option<&RedisError>) -> RedisDown {
        let pause_ms = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        if self.open_until_ms.swap(self.now_ms() + pause_ms, Ordering::Relaxed) == 0 {
            let reason = error.map_or_else(|| "it took too long".to_owned(), ToString::to_string);
            tracing::warn!(reason, "redis does not answer: postgres is asked instead");
        }
        RedisDown
    }
}
