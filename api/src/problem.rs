//! Turns errors into `application/problem+json` (RFC 9457). No other module does this, and no other module knows a
//! status.
//!
//! Each problem has a stable `code` and a `detail` that says what to do. A problem of the input also has the `field`.

pub mod connection;
mod conversions;
pub mod mistake;
mod replays;

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use chrono::{DateTime, Utc};
use domain::{Refusal, RefusalKind};
use identity::password::PasswordRefusal;
use serde::Serialize;
use stores::error::chain;
use stores::postgres::was_cancelled;
use stores::redis::RedisDown;
use utoipa::ToSchema;

use self::mistake::{Mistake, Place};
use crate::telemetry;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The delay before a retry, after a conflict with other requests or while a server does not answer.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// The delay before a retry, while servers of an older release still run.
const RETRY_UPGRADE: Duration = Duration::from_secs(10);

/// The delay before a retry, after a query that took too long. The same query soon afterwards would be as slow.
const RETRY_SLOW: Duration = Duration::from_secs(10);

/// The reason why a request failed.
#[derive(Debug)]
pub struct Problem(Box<Parts>);

/// Boxed, because each `Result` contains a problem's size, and problems are rare.
#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// The mistakes of the input. The code and the detail are those of the first.
    mistakes: Vec<Mistake>,
    retry_after: Option<Duration>,
    challenge: Option<&'static str>,
    allow: Option<HeaderValue>,
    closing: bool,
}

/// The JSON of a problem (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "urn:backscroll:problem:channel.archived", "title": "Conflict", "status": 409,
    "code": "channel.archived", "detail": "this channel is archived: unarchive it first", "request_id": "0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b",
}))]
struct Body<'a> {
    /// The kind of problem: `urn:backscroll:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The name of the status.
    title: &'a str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// A stable name for programs.
    code: &'a str,
    /// The error, and how to correct it.
    detail: &'a str,
    /// The first invalid part of the input: a property, a parameter or a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// The place of the mistake in that part.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Place>)]
    place: Option<Place>,
    /// Every mistake of the input that the server found. The first one is also in `code`, `detail`, `field` and `place`.
    #[serde(skip_serializing_if = "<[Mistake]>::is_empty")]
    #[schema(value_type = Option<Vec<Mistake>>)]
    errors: &'a [Mistake],
    /// The identifier of the request. The server's log has it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// The schemas of [`Problem`] and of its parts, for the OpenAPI document.
pub(crate) fn schemas() -> Vec<(String, serde_json::Value)> {
    let mut schemas = vec![("Problem".to_owned(), <Body<'static> as utoipa::PartialSchema>::schema())];
    <Body<'static> as ToSchema>::schemas(&mut schemas);
    schemas.into_iter().map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default())).collect()
}

/// The status of a refusal of this kind.
pub(crate) fn status_of(kind: RefusalKind) -> StatusCode {
    match kind {
        RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::Forbidden => StatusCode::FORBIDDEN,
        RefusalKind::Conflict => StatusCode::CONFLICT,
        RefusalKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        RefusalKind::ConditionFailed => StatusCode::PRECONDITION_FAILED,
    }
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            detail: detail.into(),
            mistakes: Vec::new(),
            retry_after: None,
            challenge: None,
            allow: None,
            closing: false,
        }))
    }

    /// The stable name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The error, and how to correct it.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Closes the connection after the answer, so that the server need not read the rest of the request.
    fn closing(mut self) -> Self {
        self.0.closing = true;
        self
    }

    /// Names the part of the request that the problem is about.
    #[must_use]
    pub fn in_field(self, field: &'static str) -> Self {
        self.at_field(field)
    }

    fn at_field(self, field: impl Into<String>) -> Self {
        self.at(field, None)
    }

    fn at(mut self, field: impl Into<String>, place: Option<Place>) -> Self {
        let (code, detail) = (self.0.code, self.0.detail.clone());
        self.0.mistakes = vec![Mistake { field: field.into(), code, detail, place }];
        self
    }

    /// The input is malformed in all these ways. The first one gives the code and the detail.
    pub(crate) fn malformed_in(first: Mistake, others: impl IntoIterator<Item = Mistake>) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, first.code, first.detail.clone());
        problem.0.mistakes = std::iter::once(first).chain(others).collect();
        problem
    }

    /// The same problem, with further mistakes of the same input. A problem that is no mistake of the input, for example
    /// that a server does not answer, stays as it is.
    #[must_use]
    pub(crate) fn with(mut self, others: impl IntoIterator<Item = Mistake>) -> Self {
        if !self.0.mistakes.is_empty() {
            self.0.mistakes.extend(others);
        }
        self
    }

    /// The same problem, with the mistakes of another problem of the same input.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        self.with(other.0.mistakes)
    }

    fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// The request is malformed. `field` is the invalid part.
    pub fn malformed(code: &'static str, field: Option<String>, detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::BAD_REQUEST, code, detail);
        match field {
            Some(field) => problem.at_field(field),
            None => problem,
        }
    }

    /// Variables of the path cannot be read. `identifiers` are those that are not identifiers.
    pub fn from_path(identifiers: &[String], error: &dyn fmt::Display) -> Self {
        let code = "request.path_invalid";
        let mistake = |name: &String| {
            let detail = format!("{name} in the path must be an identifier (a UUID), such as 0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b");
            Mistake { field: name.clone(), code, detail, place: None }
        };
        let mut mistakes = identifiers.iter().map(mistake);
        match mistakes.next() {
            Some(first) => Self::malformed_in(first, mistakes),
            None => Self::malformed(code, None, format!("the path is invalid: {error}")),
        }
    }

    /// The input is well-formed, but invalid.
    pub fn invalid(code: &'static str, field: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).at_field(field)
    }

    /// A new password is refused.
    pub fn password_refused(field: &'static str, refusal: PasswordRefusal) -> Self {
        let code = match refusal {
            PasswordRefusal::Length => "input.invalid",
            PasswordRefusal::Blank => "password.blank",
            PasswordRefusal::Characters => "password.characters",
            PasswordRefusal::Known => "password.known",
        };
        Self::invalid(code, field, refusal.to_string())
    }

    /// The resource does not exist, or the caller may not see it.
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// The address does not exist.
    pub fn no_such_route() -> Self {
        Self::not_found("request.no_such_route", "this address does not exist: /docs lists all addresses")
    }

    /// The address exists, but takes other methods.
    pub fn method_not_allowed(allowed: &str) -> Self {
        let mut problem =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "request.method_not_allowed", format!("this address takes {allowed} only"));
        problem.0.allow = HeaderValue::from_str(allowed).ok();
        problem
    }

    /// A page of another origin may not send this request.
    pub fn preflight_refused() -> Self {
        let detail = "a page of this origin may not send this method with these headers: allowed_origins of the server lists the origins";
        Self::new(StatusCode::FORBIDDEN, "request.origin_refused", detail)
    }

    /// The session cookie came with a request that, as far as the server knows, no page of this server sent.
    pub fn foreign_page() -> Self {
        let detail = "a request with the session cookie must come from a page of this server (public_url) or of one of its \
            allowed_origins; a program that is no browser sends the token: Authorization: Bearer bs_…";
        Self::new(StatusCode::FORBIDDEN, "request.origin_refused", detail)
    }

    /// No ticket, or one that was used, has expired, or is of another origin or an ended session.
    pub fn ticket_invalid() -> Self {
        let detail =
            "the ticket was used, has expired, or is of another page or an ended session: ask for a new one (POST /v1/live/tickets)";
        Self::unauthenticated("auth.ticket_invalid", detail)
    }

    /// Tickets are only in Redis, and Redis does not answer now.
    pub fn tickets_unavailable(_: RedisDown) -> Self {
        Self::unavailable("live.tickets_unavailable", "tickets are not available now: connect with the token or the cookie, or try again")
    }

    /// The body has another media type.
    pub fn unsupported_media_type(allowed: &str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "request.media_type", format!("the body must be of the type {allowed}"))
    }

    /// The body is compressed. Its real size is known only after it is in memory.
    pub fn unsupported_encoding() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "request.content_encoding", "send the body uncompressed, without Content-Encoding")
    }

    /// The body is too large.
    pub fn too_large(bytes_max: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request.too_large", format!("the body may have at most {bytes_max} bytes")).closing()
    }

    /// The body did not arrive in time.
    pub fn too_slow(limit: Duration) -> Self {
        let detail = format!("the body did not arrive within {} seconds: send it again", limit.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, "request.too_slow", detail).closing()
    }

    /// The caller has no valid session.
    pub fn unauthenticated(code: &'static str, detail: &'static str) -> Self {
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, code, detail);
        problem.0.challenge = Some(if code == "auth.token_missing" { "Bearer" } else { "Bearer error=\"invalid_token\"" });
        problem
    }

    /// The caller sent too many requests of a class in a window.
    pub fn rate_limited(class: &'static str, requests: u32, window: Duration, retry_after: Duration) -> Self {
        let (window, seconds) = (window.as_secs(), retry_after.as_millis().div_ceil(1000).max(1));
        let detail =
            format!("at most {requests} requests of the class {class} are allowed in {window} seconds: try again in {seconds} seconds");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "request.rate_limited", detail).retry_after(retry_after)
    }

    /// The caller has asked for too many exports in a day.
    pub fn too_many_exports(per_day_max: i64, again_at: DateTime<Utc>) -> Self {
        let delay = (again_at - Utc::now()).to_std().unwrap_or_default();
        let detail = format!("at most {per_day_max} exports may be asked for in a day: download one of them, or ask again at {again_at}");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "export.too_many", detail).retry_after(delay)
    }

    /// A server that the request needs does not answer now.
    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(RETRY_SOON)
    }

    /// Presence and typing are only in Redis, and Redis does not answer now.
    pub fn presence_unavailable(_: RedisDown) -> Self {
        Self::unavailable("presence.unavailable", "presence and typing are not available now: they return with the next heartbeats")
    }

    /// The write side has the resource, but the read model does not, although it has caught up: the resource has just
    /// been removed, or its events are parked.
    pub fn not_projected_yet() -> Self {
        Self::unavailable("projection.behind", "the read model does not have this: try again")
    }

    /// The read model is still behind after the wait.
    pub(crate) fn projection_behind(detail: String, retry_after: Duration) -> Self {
        Self::unavailable("projection.behind", detail).retry_after(retry_after)
    }

    /// The request contradicts the current state.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// A defect of the server. Its cause is in the log, and not in the answer.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %chain(error), "a request failed unexpectedly");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed: its log has the cause, with this request_id")
    }

    fn refused(refusal: &dyn Refusal) -> Self {
        let problem = Self::new(status_of(refusal.kind()), refusal.code(), refusal.to_string());
        match refusal.field() {
            Some(field) => problem.at_field(field),
            None => problem,
        }
    }

    /// The database failed. A temporary failure is answered with 503, a defect with 500.
    fn database_failed(error: &dyn std::error::Error, cause: &sqlx::Error) -> Self {
        match cause {
            cancelled if was_cancelled(cancelled) => Self::query_too_slow(error),
            sqlx::Error::Database(refusal) if !is_temporary(refusal.code().as_deref()) => Self::internal(error),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => Self::internal(error),
            _ => Self::store_failed(error),
        }
    }

    /// A statement took longer than `statement_seconds`.
    fn query_too_slow(error: &dyn std::error::Error) -> Self {
        tracing::warn!(error = %chain(error), "a statement took too long and was cancelled");
        let detail = "the query took too long and was cancelled: ask for less, for example a shorter time, or try again later";
        Self::unavailable("service.query_too_slow", detail).retry_after(RETRY_SLOW)
    }

    /// A server that the request needs did not answer. The error is logged here, and only here.
    fn store_failed(error: &dyn std::error::Error) -> Self {
        tracing::warn!(error = %chain(error), "a server that the request needs did not answer");
        Self::unavailable("service.unavailable", "the server cannot reach its database now: try again")
    }
}

/// Whether a retry can help, by the class of Postgres' error code: connection, rollback, resources, an operator, the
/// system.
fn is_temporary(code: Option<&str>) -> bool {
    code.is_none_or(|code| ["08", "25", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class)))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse {
        let Parts { status, code, detail, mistakes, retry_after, challenge, allow, closing } = self.0.as_ref();
        let first = mistakes.first();
        let request_id = telemetry::current_request_id();
        let mut response = HttpResponseBuilder::new(*status);
        if let Some(delay) = retry_after {
            // Rounded up, so that a client does not retry too early.
            response.insert_header((header::RETRY_AFTER, delay.as_millis().div_ceil(1000).max(1).to_string()));
        }
        if let Some(challenge) = challenge {
            response.insert_header((header::WWW_AUTHENTICATE, *challenge));
        }
        if let Some(allow) = allow {
            response.insert_header((header::ALLOW, allow.clone()));
        }
        if *closing {
            response.force_close();
        }
        response.content_type(MEDIA_TYPE).json(Body {
            kind: format!("urn:backscroll:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            code,
            detail,
            field: first.map(|mistake| mistake.field.as_str()),
            place: first.and_then(|mistake| mistake.place),
            errors: mistakes,
            request_id: request_id.as_deref(),
        })
    }
}
