//! Security headers: they restrict what a browser or a cache does with an answer. Every answer has them.
//!
//! The interface is for programs. A browser that shows an answer as a page may load and run nothing. Only the pages of
//! the documentation run scripts, and they load them from this server alone.
//!
//! Almost every answer holds personal data, or depends on the caller. So no cache may keep an answer, unless its handler
//! says that it is public.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;

/// The policy of all answers but the documentation.
const DEFAULT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// The policy of the documentation: scripts, styles and requests of this server. The page also has inline styles, and
/// pictures inside its style sheet.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// The default of every answer: only the caller may have it, and no cache keeps it.
const PRIVATE: &str = "private, no-store";
/// A page of another origin can neither embed an answer nor reach into a window that shows one.
const ISOLATION: [(HeaderName, HeaderValue); 2] = [
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

/// Adds the headers to every answer, a success or an error.
///
/// # Errors
/// Returns the errors of the wrapped service.
pub async fn protect<B: MessageBody + 'static>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let policy = policy_of(request.path());
    match next.call(request).await {
        Ok(mut response) => {
            add(response.headers_mut(), policy);
            Ok(response)
        }
        Err(error) => {
            let mut response = error.error_response();
            add(response.headers_mut(), policy);
            Err(InternalError::from_response(error, response).into())
        }
    }
}

fn policy_of(path: &str) -> &'static str {
    if path == "/docs" || path.starts_with("/docs/") { DOCS_POLICY } else { DEFAULT_POLICY }
}

fn add(headers: &mut HeaderMap, policy: &'static str) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(PRIVATE));
    }
    for (name, value) in ISOLATION {
        headers.insert(name, value);
    }
}
