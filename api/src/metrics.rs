//! What Prometheus reads at `/metrics`.

mod figures;
mod replays;

use std::time::Duration;

use projections::ReplayRun;
use prometheus::core::Collector;
use prometheus::{Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

pub use figures::Figures;
use replays::ReplayMetrics;

/// The upper bounds of the histogram of requests, in seconds.
const REQUEST_SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The figures of this process.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    requests: HistogramVec,
    positions: IntGaugeVec,
    lag: IntGaugeVec,
    done: IntCounterVec,
    relay_leads: IntGauge,
    replays: ReplayMetrics,
    proof_refuses: IntGauge,
}

impl Metrics {
    /// Fresh figures, all zero.
    ///
    /// # Errors
    /// Two figures have the same name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let request_seconds = HistogramOpts::new("backscroll_http_request_seconds", "How long requests took, by route and status.");
        let requests = HistogramVec::new(request_seconds.buckets(REQUEST_SECONDS.into()), &["method", "route", "status"])?;
        let positions = Opts::new("backscroll_position", "The position in the log that a part of the server has reached.");
        let lag = Opts::new("backscroll_projection_lag_events", "How many events of the log a projection has still to apply.");
        // Events over batches is the size of a batch.
        let done =
            Opts::new("backscroll_event_store_total", "What the event store of this process has written, found moved, or done over.");
        let metrics = Self {
            positions: IntGaugeVec::new(positions, &["part"])?,
            lag: IntGaugeVec::new(lag, &["projection"])?,
            done: IntCounterVec::new(done, &["what"])?,
            relay_leads: IntGauge::new("backscroll_relay_leads", "Whether this process publishes the log.")?,
            replays: ReplayMetrics::new()?,
            proof_refuses: IntGauge::new(
                "backscroll_proof_refuses",
                "Whether this process refuses to sign the log: it contradicts what was signed.",
            )?,
            requests,
            registry,
        };
        metrics.register()?;
        Ok(metrics)
    }

    fn register(&self) -> Result<(), prometheus::Error> {
        let all: [Box<dyn Collector>; 6] = [
            Box::new(self.requests.clone()),
            Box::new(self.positions.clone()),
            Box::new(self.lag.clone()),
            Box::new(self.done.clone()),
            Box::new(self.relay_leads.clone()),
            Box::new(self.proof_refuses.clone()),
        ];
        all.into_iter().chain(self.replays.collectors()).try_for_each(|collector| self.registry.register(collector))
    }

    /// Counts an answered request.
    pub fn count_request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let mut digits = [0; 3];
        self.requests.with_label_values(&[method, route, status_text(status, &mut digits)]).observe(took.as_secs_f64());
    }

    /// Says how far a part of the server has come.
    pub fn set_position(&self, part: &str, position: i64) {
        self.positions.with_label_values(&[part]).set(position);
    }

    /// Says how far a projection is behind the log.
    pub fn set_lag(&self, projection: &str, events: i64) {
        self.lag.with_label_values(&[projection]).set(events);
    }

    /// Says how much of something the event store has done since the process started.
    pub fn set_done(&self, what: &str, total: u64) {
        let counter = self.done.with_label_values(&[what]);
        counter.inc_by(total.saturating_sub(counter.get()));
    }

    /// Says whether this process publishes the log.
    pub fn set_relay_leads(&self, leads: bool) {
        self.relay_leads.set(i64::from(leads));
    }

    /// Says how far the latest replay of each projection is, or what came of it.
    pub fn set_replays(&self, latest: &[ReplayRun]) {
        self.replays.set(latest);
    }

    /// Says whether this process refuses to sign the log.
    pub fn set_proof_refuses(&self, refuses: bool) {
        self.proof_refuses.set(i64::from(refuses));
    }

    /// Everything, in Prometheus' text format.
    ///
    /// # Errors
    /// A figure cannot be written.
    pub fn as_text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}

/// The three digits of a status, without an allocation for each request.
fn status_text(status: u16, digits: &mut [u8; 3]) -> &str {
    for (digit, unit) in digits.iter_mut().zip([100, 10, 1]) {
        *digit = b'0' + u8::try_from(status / unit % 10).unwrap_or(0);
    }
    std::str::from_utf8(digits).unwrap_or("000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_under_its_route_and_status() {
        let metrics = Metrics::new().expect("metrics");
        metrics.count_request("GET", "/v1/channels/{channel_id}", 404, Duration::from_millis(3));
        let text = metrics.as_text().expect("text");
        assert!(
            text.contains(r#"backscroll_http_request_seconds_count{method="GET",route="/v1/channels/{channel_id}",status="404"} 1"#),
            "{text}"
        );
    }
}
