//! What Prometheus reads at `/metrics`.

use std::time::Duration;

use prometheus::{Encoder, HistogramOpts, HistogramVec, IntGaugeVec, Opts, Registry, TextEncoder};

/// The upper bounds of the histogram of requests, in seconds.
const REQUEST_SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The figures of this process.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    requests: HistogramVec,
    positions: IntGaugeVec,
}

impl Metrics {
    /// Fresh figures, all zero.
    ///
    /// # Errors
    /// Two figures have the same name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let requests = HistogramVec::new(
            HistogramOpts::new("backscroll_http_request_seconds", "How long requests took, by route and status.")
                .buckets(REQUEST_SECONDS.into()),
            &["method", "route", "status"],
        )?;
        let positions = IntGaugeVec::new(
            Opts::new("backscroll_position", "The position in the log that a part of the server has reached."),
            &["part"],
        )?;
        let registry = Registry::new();
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(positions.clone()))?;
        Ok(Self { registry, requests, positions })
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
