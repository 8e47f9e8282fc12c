//! After a failure nobody searches in Elasticsearch for a moment: a thousand searches need not each wait for what does not answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// For how long nobody asks after it did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether Elasticsearch answers searches. Each change is logged once.
#[derive(Debug)]
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

    pub(super) fn worked(&self) {
        if self.open_until_ms.load(Ordering::Relaxed) != 0 && self.open_until_ms.swap(0, Ordering::Relaxed) != 0 {
            tracing::info!("elasticsearch answers searches");
        }
    }

    pub(super) fn failed(&self, reason: &dyn std::error::Error) {
        let pause_ms = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        if self.open_until_ms.swap(self.now_ms() + pause_ms, Ordering::Relaxed) == 0 {
            tracing::warn!(reason = %crate::runner::chain(reason), "elasticsearch cannot answer: postgres answers searches");
        }
    }
}
