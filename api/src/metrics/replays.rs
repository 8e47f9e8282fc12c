//! The figures of replays: how far the latest one of each projection is, and what came of it.

use projections::ReplayRun;
use prometheus::core::Collector;
use prometheus::{GaugeVec, IntGaugeVec, Opts};

/// By projection.
#[derive(Clone)]
pub(super) struct ReplayMetrics {
    phase: IntGaugeVec,
    rate: GaugeVec,
    seconds: GaugeVec,
    outcome: IntGaugeVec,
}

impl ReplayMetrics {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let phase = Opts::new("backscroll_replay_phase", "1 for what the replay of a projection that is under way is doing.");
        let rate = Opts::new("backscroll_replay_per_second", "How much of its phase a replay that is under way does in a second.");
        let seconds = Opts::new("backscroll_replay_last_seconds", "How long the latest replay of a projection that has ended took.");
        let outcome = Opts::new("backscroll_replay_last_outcome", "1 for what came of the latest replay of a projection that has ended.");
        Ok(Self {
            phase: IntGaugeVec::new(phase, &["projection", "phase"])?,
            rate: GaugeVec::new(rate, &["projection"])?,
            seconds: GaugeVec::new(seconds, &["projection"])?,
            outcome: IntGaugeVec::new(outcome, &["projection", "outcome"])?,
        })
    }

    pub(super) fn collectors(&self) -> [Box<dyn Collector>; 4] {
        [Box::new(self.phase.clone()), Box::new(self.rate.clone()), Box::new(self.seconds.clone()), Box::new(self.outcome.clone())]
    }

    /// Of each projection, what runs and what ended last: those of `runs`, the latest first.
    pub(super) fn set(&self, runs: &[ReplayRun]) {
        self.phase.reset();
        self.rate.reset();
        self.seconds.reset();
        self.outcome.reset();
        // The latest is set last, and stays.
        for run in runs.iter().rev() {
            let projection = run.projection.as_str();
            if run.ended_at.is_none() {
                self.phase.with_label_values(&[projection, &run.phase]).set(1);
                self.rate.with_label_values(&[projection]).set(run.per_second);
                continue;
            }
            self.seconds.with_label_values(&[projection]).set(run.seconds);
            for earlier in runs.iter().filter(|earlier| earlier.projection == run.projection) {
                drop(self.outcome.remove_label_values(&[projection, &earlier.state]));
            }
            self.outcome.with_label_values(&[projection, &run.state]).set(1);
        }
    }
}
