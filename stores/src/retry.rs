//! The pauses before a retry: every policy of the system, by its name. The library `backon` computes them.
//!
//! Not here: pauses between two checks that succeed (`LOOK_EVERY`, `POLL_INTERVAL`), and retries without a pause.

use std::time::Duration;

use backon::{BackoffBuilder, ConstantBuilder, ExponentialBackoff, ExponentialBuilder};

/// The relay starts again after NATS or the log failed.
pub const RELAY: ExponentialBuilder = doubled(Duration::from_millis(100), Duration::from_secs(5));

/// A projector starts again after a store failed.
pub const PROJECTOR: ExponentialBuilder = doubled_and_spread(Duration::from_millis(50), Duration::from_secs(5));

/// A signed head is sent again to a destination that did not accept it.
pub const HEADS: ExponentialBuilder = doubled_and_spread(Duration::from_millis(500), Duration::from_secs(60));

/// The writer checks in the log whether an append succeeded. The writer limits the time itself.
pub const LOOK_UP: ExponentialBuilder = doubled(Duration::from_millis(20), Duration::from_secs(1));

/// How often documents are sent to Elasticsearch, including the first time.
pub const DOCUMENTS_TRIES_MAX: usize = 6;

/// Documents are sent again when Elasticsearch is overloaded.
pub const DOCUMENTS: ExponentialBuilder =
    doubled(Duration::from_millis(100), Duration::from_secs(60)).with_max_times(DOCUMENTS_TRIES_MAX - 1);

/// Writing the end of a replay into the log is tried four more times.
pub const REPLAY_END: ExponentialBuilder = doubled(Duration::from_millis(250), Duration::from_secs(1)).with_max_times(4);

/// Redis is asked again to rewrite its files while it still writes them. The caller limits the time.
pub const REDIS_FILES: ConstantBuilder = ConstantBuilder::new().with_delay(Duration::from_millis(100)).without_max_times();

/// How often a command is decided, including the first time, if other commands keep changing the same streams.
const DECISIONS_MAX: u32 = 60;
const DECISION_PAUSE_STEP: Duration = Duration::from_millis(2);
const DECISION_PAUSE_MAX: Duration = Duration::from_millis(50);

/// The longest pauses before a command is decided again: none at first, because mostly one change came in between and
/// no other follows; then 2 ms more each time. Competing commands need random pauses that begin at zero, which `backon`
/// does not have, so the caller waits for a random part of each.
pub fn decisions() -> impl Iterator<Item = Duration> {
    (1..DECISIONS_MAX).map(|attempt| (DECISION_PAUSE_STEP * (attempt - 1)).min(DECISION_PAUSE_MAX))
}

/// The pause doubles each time up to `max`. The number of tries is not limited.
const fn doubled(min: Duration, max: Duration) -> ExponentialBuilder {
    ExponentialBuilder::new().with_min_delay(min).with_max_delay(max).with_factor(2.0).without_max_times()
}

/// The same, but each pause is random between half and all of it, so that nodes do not retry at the same time. `backon`
/// adds a random part up to the same length again.
const fn doubled_and_spread(min: Duration, max: Duration) -> ExponentialBuilder {
    doubled(half(min), half(max)).with_jitter()
}

const fn half(duration: Duration) -> Duration {
    Duration::from_micros(duration.as_micros() as u64 / 2)
}

/// The pauses of an operation that is tried until it succeeds, and that may fail again later.
#[derive(Debug)]
pub struct Pauses {
    policy: ExponentialBuilder,
    left: ExponentialBackoff,
    failures: u64,
}

impl Pauses {
    /// The pauses of this policy.
    #[must_use]
    pub fn of(policy: ExponentialBuilder) -> Self {
        Self { policy, left: policy.build(), failures: 0 }
    }

    /// Returns the pause after a failure. A policy that has an end starts again there.
    pub fn failed(&mut self) -> Duration {
        self.failures += 1;
        self.left
            .next()
            .or_else(|| {
                self.left = self.policy.build();
                self.left.next()
            })
            .unwrap_or_default()
    }

    /// Notes a success: the next failure counts as the first. Returns whether there was a failure before.
    pub fn worked(&mut self) -> bool {
        let had_failed = self.failures > 0;
        if had_failed {
            *self = Self::of(self.policy);
        }
        had_failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In whole milliseconds, because `backon` computes with 32 bits.
    fn ms(pause: Duration) -> u128 {
        (pause.as_micros() + 500) / 1_000
    }

    #[test]
    fn earlier_failures_do_not_make_a_later_pause_longer() {
        let mut pauses = Pauses::of(RELAY);
        assert!(!pauses.worked());
        assert_eq!([pauses.failed(), pauses.failed(), pauses.failed()].map(ms), [100, 200, 400]);
        assert_eq!((0..20).map(|_| pauses.failed()).last().map(ms), Some(5_000));
        assert!(pauses.worked());
        assert_eq!(ms(pauses.failed()), 100);
    }

    #[test]
    fn a_random_pause_is_between_half_and_all_of_the_full_pause() {
        for _ in 0..100 {
            let mut pauses = Pauses::of(PROJECTOR);
            for full in [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
                let pause = ms(pauses.failed());
                assert!((full / 2..=full).contains(&pause), "{pause} of {full} ms");
            }
        }
    }

    #[test]
    fn a_policy_with_an_end_starts_again_after_it() {
        let mut pauses = Pauses::of(DOCUMENTS);
        let given = (0..6).map(|_| ms(pauses.failed())).collect::<Vec<_>>();
        assert_eq!(given, [100, 200, 400, 800, 1_600, 100]);
    }

    #[test]
    fn a_command_is_decided_again_at_once_and_then_after_longer_pauses() {
        let pauses = decisions().map(ms).collect::<Vec<_>>();
        assert_eq!((pauses.len(), &pauses[..3]), (59, [0, 2, 4].as_slice()));
        assert_eq!(pauses.last(), Some(&50));
    }
}
