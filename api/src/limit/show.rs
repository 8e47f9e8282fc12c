//! What the client is told of its limits: the headers of draft-ietf-httpapi-ratelimit-headers, structured fields (RFC 9651), on every answer to a
//! request that was counted.

use std::fmt::Write;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use state::limits::{Left, Verdict};

/// How much is left: `"write";r=299;t=12`, of which `t` is in how many seconds there is one more.
pub const LIMIT: &str = "ratelimit";
/// How much there may be: `"write";q=300;w=60`, so many requests in so many seconds, wherever they begin.
pub const POLICY: &str = "ratelimit-policy";

/// Adds the headers to an answer.
///
/// # Errors
/// Those of what it wraps.
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

fn as_limit(left: &[Left]) -> String {
    list(left, |text, left| write!(text, ";r={};t={}", left.requests, left.next.as_millis().div_ceil(1000)))
}

fn as_policy(left: &[Left]) -> String {
    list(left, |text, left| write!(text, ";q={};w={}", left.quota.requests, left.quota.window.as_secs()))
}

fn list(left: &[Left], parameters: impl Fn(&mut String, &Left) -> std::fmt::Result) -> String {
    let mut text = String::with_capacity(32 * left.len());
    for left in left {
        if !text.is_empty() {
            text.push_str(", ");
        }
        // Nothing fails that is written to a string.
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
        let left = |class, requests, millis| Left {
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
