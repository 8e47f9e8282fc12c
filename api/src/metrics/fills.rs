//! The metrics of projections that are being filled.

use projections::Fill;
use prometheus::core::Collector;
use prometheus::{GaugeVec, IntGaugeVec, Opts};

/// Each metric has the projection as a label. A projection that is not being filled has none.
#[derive(Clone)]
pub(super) struct FillMetrics {
    phase: IntGaugeVec,
    done: IntGaugeVec,
    total: IntGaugeVec,
    rate: GaugeVec,
}

impl FillMetrics {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let phase = Opts::new("backscroll_projection_fill_phase", "1 for the current phase of a projection that is being filled.");
        let done = Opts::new("backscroll_projection_fill_done", "How much of the phase of a fill is done: documents, events, or indices.");
        let total = Opts::new("backscroll_projection_fill_total", "How much the phase of a fill has in total.");
        let rate = Opts::new("backscroll_projection_fill_per_second", "How much of the phase of a fill is done per second.");
        Ok(Self {
            phase: IntGaugeVec::new(phase, &["projection", "phase"])?,
            done: IntGaugeVec::new(done, &["projection"])?,
            total: IntGaugeVec::new(total, &["projection"])?,
            rate: GaugeVec::new(rate, &["projection"])?,
        })
    }

    pub(super) fn collectors(&self) -> [Box<dyn Collector>; 4] {
        [Box::new(self.phase.clone()), Box::new(self.done.clone()), Box::new(self.total.clone()), Box::new(self.rate.clone())]
    }

    pub(super) fn set(&self, fills: &[Fill]) {
        self.phase.reset();
        self.done.reset();
        self.total.reset();
        self.rate.reset();
        for fill in fills {
            let projection = fill.projection.as_str();
            self.phase.with_label_values(&[projection, &fill.phase]).set(1);
            self.done.with_label_values(&[projection]).set(fill.done);
            self.total.with_label_values(&[projection]).set(fill.total);
            self.rate.with_label_values(&[projection]).set(fill.per_second);
        }
    }
}
