//! The headers that show the limits to the client. Each answer to a counted request has them. They follow
//! draft-ietf-httpapi-ratelimit-headers, as structured fields (RFC 9651).

use std::fmt::Write;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use state::limits::{Remaining, Verdict};

/// What is left: `"write";r=299;t=12`. `r` is the number of requests that are left. One more becomes available in `t`
/// seconds.
pub const LIMIT: &str = "ratelimit";
/// The limits: `"write";q=300;w=60` means at most 300 requests in any 60 seconds.
pub const POLICY: &str = "ratelimit-policy";

/// Adds the headers to an answer.
///
/// # Errors
/// Returns the errors of the wrapped service.
pub async fn show_limits<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    let verdict = response.request().extensions_mut().remove::<Verdict>();
    if let Some(verdict) = verdict {
        let headers = response.headers_mut();
        for (name, text) in [(LIMIT, as_limit(&verdict.left)), (POLICY, as_policy(&verdict.left))] {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
    Ok(response)
}

fn as_limit(left: &[Remaining]) -> String {
    list(left, |text, left| write!(text, ";r={};t={}", left.requests, left.next.as_millis().div_ceil(1000)))
}

fn as_policy(left: &[Remaining]) -> String {
    list(left, |text, left| write!(text, ";q={};w={}", left.quota.requests, left.quota.window.as_secs()))
}

fn list(left: &[Remaining], parameters: impl Fn(&mut String, &Remaining) -> std::fmt::Result) -> String {
    let mut text = String::with_capacity(32 * left.len());
    for left in left {
        if !text.is_empty() {
            text.push_str(", ");
        }
        // Writing to a string never fails.
        let _ = write!(text, "\"{}\"", left.class.as_str());
        let _ = parameters(&mut text, left);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use state::limits::Class;
    use state::limits::policy::Quota;

    #[test]
    fn the_headers_are_lists_of_structured_fields() {
        let left = |class, requests, millis| Remaining {
            class,
            quota: Quota { requests: 300, window: Duration::from_secs(60) },
            requests,
            next: Duration::from_millis(millis),
        };
        let left = [left(Class::Write, 299, 59_001), left(Class::Message, 0, 1)];
        assert_eq!(as_limit(&left), r#""write";r=299;t=60, "message";r=0;t=1"#);
        assert_eq!(as_policy(&left), r#""write";q=300;w=60, "message";q=300;w=60"#);
    }
}
