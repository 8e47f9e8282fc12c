//! The metrics that Prometheus reads at `/metrics`, at the operators' address.
//!
//! Each combination of labels is kept for ever, so a label must never be a text that a caller chooses. Methods are
//! those of [`method_label`], routes are patterns of the route table, and statuses are the server's own.

mod figures;
mod fills;
mod process;
mod replays;
mod sample;

use std::collections::BTreeSet;
use std::time::Duration;

use actix_web::http::Method;
use projections::{Fill, ReplayRun};
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

pub use figures::Figures;
use fills::FillMetrics;
use replays::ReplayMetrics;

/// The upper bounds of the histogram of requests, in seconds.
const REQUEST_SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    requests: HistogramVec,
    done: IntCounterVec,
    replays: ReplayMetrics,
    fills: FillMetrics,
    proof_refuses: IntGauge,
    connections_refused: IntCounter,
    malformed: IntCounterVec,
}

/// The name of a method in a label or a log. A caller may send any word: one that the server does not know is `other`.
#[must_use]
pub fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

impl Metrics {
    /// New metrics, all zero.
    ///
    /// # Errors
    /// Two metrics have the same name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let request_seconds = HistogramOpts::new("backscroll_http_request_seconds", "The duration of requests, by route and status.");
        let requests = HistogramVec::new(request_seconds.buckets(REQUEST_SECONDS.into()), &["method", "route", "status"])?;
        // Events divided by batches is the average size of a batch.
        let done = Opts::new("backscroll_event_store_total", "Counts of the event store and the cache of this process, by `what`.");
        let malformed = Opts::new("backscroll_malformed_requests_total", "Requests that could not be read, by the malformed part.");
        let metrics = Self {
            done: IntCounterVec::new(done, &["what"])?,
            replays: ReplayMetrics::new()?,
            fills: FillMetrics::new()?,
            proof_refuses: IntGauge::new(
                "backscroll_proof_refuses",
                "1 if this process cannot or must not sign the log, until an operator acts; `/readyz` says why.",
            )?,
            connections_refused: IntCounter::new(
                "backscroll_connections_refused_total",
                "Refused connections: their address had the most connections that it may have.",
            )?,
            malformed: IntCounterVec::new(malformed, &["part"])?,
            requests,
            registry,
        };
        metrics.collectors().into_iter().try_for_each(|collector| metrics.registry.register(collector))?;
        Ok(metrics)
    }

    fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let own: [Box<dyn Collector>; 5] = [
            Box::new(self.requests.clone()),
            Box::new(self.done.clone()),
            Box::new(self.proof_refuses.clone()),
            Box::new(self.connections_refused.clone()),
            Box::new(self.malformed.clone()),
        ];
        own.into_iter().chain(self.replays.collectors()).chain(self.fills.collectors()).collect()
    }

    /// The names of all metrics, whether they have a value now or not.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let counted = self.collectors();
        let counted = counted.iter().flat_map(|collector| collector.desc()).map(|description| description.fq_name.clone());
        counted.chain(sample::DEFINITIONS.iter().map(|definition| definition.name.to_owned())).collect()
    }

    /// Counts an answered request.
    pub fn count_request(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let mut digits = [0; 3];
        self.requests.with_label_values(&[method_label(method), route, status_text(status, &mut digits)]).observe(took.as_secs_f64());
    }

    /// Counts a connection that was closed because its address had too many.
    pub fn count_refused_connection(&self) {
        self.connections_refused.inc();
    }

    /// Counts a request that could not be read. `part` is the malformed part, from a fixed list.
    pub fn count_malformed_request(&self, part: &'static str) {
        self.malformed.with_label_values(&[part]).inc();
    }

    /// Sets a total since the process started. `what` is the label.
    pub fn set_done(&self, what: &str, total: u64) {
        let counter = self.done.with_label_values(&[what]);
        counter.inc_by(total.saturating_sub(counter.get()));
    }

    /// Sets the progress or the outcome of the latest replays.
    pub fn set_replays(&self, latest: &[ReplayRun]) {
        self.replays.set(latest);
    }

    /// Sets the progress of the projections that are being filled.
    pub fn set_fills(&self, fills: &[Fill]) {
        self.fills.set(fills);
    }

    /// Sets whether this process refuses to sign the log.
    pub fn set_proof_refuses(&self, refuses: bool) {
        self.proof_refuses.set(i64::from(refuses));
    }

    /// The metrics that are counted, and those that are kept from one scrape to the next, as a list of families.
    #[must_use]
    pub fn families(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

/// Families of metrics in Prometheus' text format.
///
/// # Errors
/// A metric cannot be written.
pub fn text_of(families: &[MetricFamily]) -> Result<String, prometheus::Error> {
    let mut text = Vec::new();
    TextEncoder::new().encode(families, &mut text)?;
    String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
}

/// The three digits of a status. It needs no allocation.
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
        metrics.count_request(&Method::GET, "/v1/channels/{channel_id}", 404, Duration::from_millis(3));
        let text = text_of(&metrics.families()).expect("text");
        assert!(
            text.contains(r#"backscroll_http_request_seconds_count{method="GET",route="/v1/channels/{channel_id}",status="404"} 1"#),
            "{text}"
        );
    }
    #[test]
    fn an_unknown_method_is_other() {
        let metrics = Metrics::new().expect("metrics");
        for n in 0..1000 {
            let made_up = Method::from_bytes(format!("METHOD{n}").as_bytes()).expect("a method");
            metrics.count_request(&made_up, "none", 404, Duration::from_millis(1));
        }
        // A different spelling is a different method (RFC 9110, 9.1).
        metrics.count_request(&Method::from_bytes(b"get").expect("a method"), "none", 404, Duration::from_millis(1));
        let text = text_of(&metrics.families()).expect("text");
        assert_eq!(text.lines().filter(|line| line.contains("_request_seconds_count")).count(), 1, "{text}");
        assert!(text.contains(r#"_count{method="other",route="none",status="404"} 1001"#), "{text}");
    }
}
