//! The metrics of replays: the progress and the outcome of each projection's latest replay.

use projections::ReplayRun;
use prometheus::core::Collector;
use prometheus::{GaugeVec, IntGaugeVec, Opts};

/// Each metric has the projection as a label.
#[derive(Clone)]
pub(super) struct ReplayMetrics {
    phase: IntGaugeVec,
    rate: GaugeVec,
    seconds: GaugeVec,
    outcome: IntGaugeVec,
}

impl ReplayMetrics {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let phase = Opts::new("backscroll_replay_phase", "1 for the current phase of a projection's running replay.");
        let rate = Opts::new("backscroll_replay_per_second", "The progress of a running replay per second, in units of its phase.");
        let seconds = Opts::new("backscroll_replay_last_seconds", "The duration of a projection's latest ended replay.");
        let outcome = Opts::new("backscroll_replay_last_outcome", "1 for the outcome of a projection's latest ended replay.");
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

    /// Sets, for each projection, its running replay and its latest ended one. `runs` begins with the latest.
    pub(super) fn set(&self, runs: &[ReplayRun]) {
        self.phase.reset();
        self.rate.reset();
        self.seconds.reset();
        self.outcome.reset();
        // The latest run is set last, so its values remain.
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
