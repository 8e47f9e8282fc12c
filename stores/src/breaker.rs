//! After a failure, no request is sent to a store for a moment: a thousand requests need not each wait for a store that
//! does not answer.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long no request is sent after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether a store answers. Each change is logged once.
#[derive(Debug)]
pub struct Breaker {
    store: &'static str,
    /// The text of the log line of an outage.
    text: &'static str,
    born: Instant,
    /// In milliseconds since `born`. 0 while the store answers.
    open_until_ms: AtomicU64,
    outage: Mutex<Outage>,
}

/// Why a store does not answer.
#[derive(Debug, Default)]
struct Outage {
    /// The reason of the latest failure.
    reason: String,
    /// Whether a reason was logged that says more than [`TOO_LONG`].
    is_explained: bool,
}

/// The reason if no answer came in time. A later failure may say more.
pub const TOO_LONG: &str = "the answer took too long";

impl Breaker {
    /// The breaker of a store, which is assumed to answer.
    pub fn of(store: &'static str) -> Self {
        Self::new(store, "the store does not answer: postgres is used instead")
    }

    /// The breaker of a store that nothing can replace.
    pub fn needed(store: &'static str) -> Self {
        Self::new(store, "the store does not answer")
    }

    fn new(store: &'static str, text: &'static str) -> Self {
        Self { store, text, born: Instant::now(), open_until_ms: AtomicU64::new(0), outage: Mutex::default() }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether no request is to be sent at the moment.
    pub fn is_open(&self) -> bool {
        self.now_ms() < self.open_until_ms.load(Ordering::Relaxed)
    }

    /// Whether the last request was answered.
    pub fn is_well(&self) -> bool {
        self.open_until_ms.load(Ordering::Relaxed) == 0
    }

    /// Why the store did not answer the last request. `None` if it answered.
    pub fn reason(&self) -> Option<String> {
        if self.is_well() { None } else { Some(self.outage().reason.clone()) }
    }

    /// The store has answered.
    pub fn worked(&self) {
        if !self.is_well() && self.open_until_ms.swap(0, Ordering::Relaxed) != 0 {
            tracing::info!(store = self.store, "the store answers again");
        }
    }

    /// The store has not answered.
    pub fn failed(&self, reason: &dyn Display) {
        let reason = reason.to_string();
        let is_explained = !reason.contains(TOO_LONG);
        let pause_ms = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        let begins = self.open_until_ms.swap(self.now_ms() + pause_ms, Ordering::Relaxed) == 0;
        let mut outage = self.outage();
        let says_more = is_explained && !outage.is_explained;
        *outage = Outage { reason: reason.clone(), is_explained: is_explained || (outage.is_explained && !begins) };
        drop(outage);
        if begins || says_more {
            tracing::warn!(store = self.store, %reason, "{}", self.text);
        }
    }

    fn outage(&self) -> MutexGuard<'_, Outage> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_reason_is_known_until_the_store_answers() {
        let breaker = Breaker::of("redis");
        assert_eq!(breaker.reason(), None);
        breaker.failed(&TOO_LONG);
        assert_eq!(breaker.reason().as_deref(), Some(TOO_LONG));
        breaker.failed(&"refused");
        assert_eq!(breaker.reason().as_deref(), Some("refused"));
        assert!(breaker.is_open());
        breaker.worked();
        assert_eq!(breaker.reason(), None);
    }
}
