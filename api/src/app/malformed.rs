//! Requests that are not HTTP: garbage on the socket, TLS on a plain port, broken headers. Each is counted, and logged at
//! `debug`: any stranger can send as many as they want.
//!
//! actix-http logs them as errors. [`crate::telemetry`] leaves those lines out.

use actix_http::error::{DispatchError, ParseError};

use crate::metrics::Metrics;

/// Counts the end of a connection if a malformed request caused it. Returns the error.
pub(super) fn note(metrics: &Metrics, error: DispatchError) -> DispatchError {
    if let Some(reason) = reason(&error) {
        metrics.count_malformed_request(reason);
        tracing::debug!(reason, "a request cannot be read, and its connection ends");
    }
    error
}

/// The part of the request that is malformed. `None` if another failure ended the connection.
fn reason(error: &DispatchError) -> Option<&'static str> {
    let DispatchError::Parse(mistake) = error else { return None };
    match mistake {
        ParseError::Io(_) => None,
        ParseError::Method => Some("method"),
        ParseError::Uri(_) => Some("uri"),
        ParseError::Version => Some("version"),
        ParseError::TooLarge => Some("too_large"),
        ParseError::Header | ParseError::Utf8(_) => Some("header"),
        _ => Some("other"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_mistakes_are_counted_and_lost_connections_are_not() {
        let metrics = Metrics::new().expect("metrics");
        let lost = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let errors =
            [ParseError::Header.into(), ParseError::Method.into(), ParseError::Header.into(), ParseError::Io(lost()).into(), lost().into()];
        for error in errors {
            drop(note(&metrics, error));
        }
        let text = crate::metrics::text_of(&metrics.families()).expect("text");
        let counted = text.lines().filter(|line| line.starts_with("backscroll_malformed_requests_total")).collect::<Vec<_>>();
        assert_eq!(
            counted,
            [r#"backscroll_malformed_requests_total{part="header"} 2"#, r#"backscroll_malformed_requests_total{part="method"} 1"#]
        );
    }
}
