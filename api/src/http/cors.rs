//! Pages of other origins (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>). The setting `allowed_origins` lists
//! them. Without it, no page of another origin can read an answer.
//!
//! These pages may use the session cookie too: an operator who lists an origin trusts its pages like the server's own
//! (`extract/credential.rs`). A page of any other origin cannot act with a session that it does not know.

use actix_cors::Cors;
use actix_web::Error;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH,
    LOCATION, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;

use crate::config::Origin;
use crate::extract::{IDEMPOTENCY_KEY, MIN_POSITION, POSITION, REPLAYED};
use crate::http::audit::export::EXPORT_KEY;
use crate::limit::{LIMIT, POLICY};
use crate::problem::Problem;
use crate::telemetry::REQUEST_ID;

/// The headers of requests that a page may send, besides those that every page may send.
const REQUEST_HEADERS: [HeaderName; 4] = [AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH];
/// The headers of answers that a page may read, besides those that every page may read.
const ANSWER_HEADERS: [HeaderName; 6] = [ALLOW, CONTENT_DISPOSITION, ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE];
/// The header in which a browser names the last event of a stream that it has seen.
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// How long a browser may remember the answer to a preflight.
const PREFLIGHT_SECONDS: usize = 3600;

/// The middleware that lets pages of these origins send requests and read answers.
pub fn allow(origins: &[Origin]) -> Cors {
    let cors = origins.iter().fold(Cors::default(), |cors, origin| cors.allowed_origin(origin.as_str()));
    cors.allowed_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allowed_headers(REQUEST_HEADERS)
        .allowed_headers([REQUEST_ID.as_str(), IDEMPOTENCY_KEY, MIN_POSITION, LAST_EVENT_ID])
        .expose_headers(ANSWER_HEADERS)
        .expose_headers([REQUEST_ID.as_str(), POSITION, REPLAYED, LIMIT, POLICY, EXPORT_KEY])
        // An answer to a request of another origin has no header that allows the page to read it. The request is
        // answered nevertheless: clients that are no browsers send such headers too.
        .block_on_origin_mismatch(false)
        .supports_credentials()
        .max_age(PREFLIGHT_SECONDS)
}

/// Answers a refused preflight with a problem.
///
/// # Errors
/// Returns the errors of the wrapped service.
pub async fn name_refusals<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let is_preflight = request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let response = next.call(request).await?;
    if !is_preflight || response.status() != StatusCode::BAD_REQUEST {
        return Ok(response.map_into_left_body());
    }
    let vary = response.headers().get(VARY).cloned();
    let mut refused = response.error_response(Problem::preflight_refused());
    if let Some(vary) = vary {
        refused.headers_mut().insert(VARY, vary);
    }
    Ok(refused.map_into_right_body())
}
