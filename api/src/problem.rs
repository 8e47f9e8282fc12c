//! The only place where an error becomes `application/problem+json` (RFC 9457), and the only one that knows a status.
//!
//! Every problem has a stable `code`, a `detail` that says what to do, and, for input, the `field`.

pub mod connection;
mod replays;

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use commands::{CommandError, StoreError};
use domain::text::InvalidText;
use domain::{Refusal, RefusalKind};
use identity::AuthError;
use identity::guesses::TooMany;
use identity::password::PasswordRefusal;
use ledger::audit::AuditError;
use ledger::proof::ProveError;
use processes::erasure::ErasureError;
use processes::retention::RunError;
use projections::search::query::QueryMistake;
use projections::search::{ResolveError, SearchError};
use projections::{QueryError, WaitError};
use serde::Serialize;
use state::StateError;
use state::limits::Class;
use stores::error::chain;
use stores::redis::RedisDown;
use utoipa::ToSchema;

use crate::telemetry;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// When to try again what is overtaken by others or waits for a server.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// When to try again what waits until every server is of the same release.
const RETRY_UPGRADE: Duration = Duration::from_secs(10);

/// Why a request was not answered as asked.
#[derive(Debug)]
pub struct Problem(Box<Parts>);

/// Boxed: a problem travels through every `Result`, and is rare.
#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<String>,
    place: Option<Place>,
    retry_after: Option<Duration>,
    challenge: Option<&'static str>,
    allow: Option<HeaderValue>,
    closing: bool,
}

/// A problem as it is answered (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "urn:backscroll:problem:channel.archived_already", "title": "Conflict", "status": 409,
    "code": "channel.archived_already", "detail": "the channel is archived already", "request_id": "0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b",
}))]
struct Body<'a> {
    /// Names the kind of problem: `urn:backscroll:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: &'a str,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// A stable name for programs.
    code: &'a str,
    /// What is wrong, and what to do about it.
    detail: &'a str,
    /// The part of the input that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// Where in that part it is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    place: Option<&'a Place>,
    /// The request, as it is named in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// A part of a text, in characters (Unicode scalar values).
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
struct Place {
    /// How many characters stand before it.
    offset: usize,
    /// How many characters it has.
    length: usize,
}

/// The schema of [`Problem`], for the OpenAPI document.
pub(crate) fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    <Body<'static> as utoipa::PartialSchema>::schema()
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            detail: detail.into(),
            field: None,
            place: None,
            retry_after: None,
            challenge: None,
            allow: None,
            closing: false,
        }))
    }

    /// The rest of the request is not worth reading: the connection ends with the answer.
    fn closing(mut self) -> Self {
        self.0.closing = true;
        self
    }

    fn at_field(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// The request is not what it should be: the part of it that is wrong, and why.
    pub fn malformed(code: &'static str, field: Option<String>, detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::BAD_REQUEST, code, detail);
        match field {
            Some(field) => problem.at_field(field),
            None => problem,
        }
    }

    /// The input is well-formed, and still wrong.
    pub fn invalid(code: &'static str, field: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).at_field(field)
    }

    /// A password that somebody wants to have is not taken.
    pub fn password_refused(field: &'static str, refusal: PasswordRefusal) -> Self {
        let code = match refusal {
            PasswordRefusal::Length => "input.invalid",
            PasswordRefusal::Blank => "password.blank",
            PasswordRefusal::Known => "password.known",
        };
        Self::invalid(code, field, refusal.to_string())
    }

    /// There is nothing of that name, or the asker may not know that there is.
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// No such address.
    pub fn no_such_route() -> Self {
        Self::not_found("request.no_such_route", "there is nothing at this address: /docs lists what there is")
    }

    /// The address is there, and takes other methods.
    pub fn method_not_allowed(allowed: &str) -> Self {
        let mut problem =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "request.method_not_allowed", format!("this address takes {allowed} only"));
        problem.0.allow = HeaderValue::from_str(allowed).ok();
        problem
    }

    /// The body is of another media type.
    pub fn unsupported_media_type() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "request.media_type", "the body must be of the type application/json")
    }

    /// The body is compressed: how large it is cannot be known before it is in memory.
    pub fn unsupported_encoding() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "request.content_encoding", "send the body as it is, without Content-Encoding")
    }

    /// The body is larger than the server takes.
    pub fn too_large(bytes_max: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request.too_large", format!("the body may have at most {bytes_max} bytes")).closing()
    }

    /// The body did not come in time.
    pub fn too_slow(limit: Duration) -> Self {
        let detail = format!("the body did not come within {} seconds", limit.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, "request.too_slow", detail).closing()
    }

    /// The asker is not signed in.
    pub fn unauthenticated(code: &'static str, detail: &'static str) -> Self {
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, code, detail);
        problem.0.challenge = Some(if code == "auth.token_missing" { "Bearer" } else { "Bearer error=\"invalid_token\"" });
        problem
    }

    /// Too many requests of that kind came in a window.
    pub fn rate_limited(class: &'static str, requests: u32, window: Duration, retry_after: Duration) -> Self {
        let (window, seconds) = (window.as_secs(), retry_after.as_millis().div_ceil(1000).max(1));
        let detail =
            format!("at most {requests} requests of the class {class} are taken in {window} seconds: try again in {seconds} seconds");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "request.rate_limited", detail).retry_after(retry_after)
    }

    /// Something that this request needs does not answer just now.
    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(RETRY_SOON)
    }

    /// What is kept in Redis alone can neither be said nor seen just now.
    pub fn not_kept(_: RedisDown) -> Self {
        Self::unavailable("presence.unavailable", "presence and typing are not known just now: they come back with the next heartbeats")
    }

    /// The write side knows it, and the read model does not yet.
    pub fn not_projected_yet() -> Self {
        Self::unavailable("projection.behind", "the read model has not come that far yet: try again, or send Backscroll-Min-Position")
    }

    /// It contradicts what is going on.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// A defect of ours: what happened is in the log, and not for the asker.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %chain(error), "a request failed for a reason that was not foreseen");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong in the server; its log has it under the request's id",
        )
    }

    fn refused(refusal: &dyn Refusal) -> Self {
        let status = match refusal.kind() {
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Forbidden => StatusCode::FORBIDDEN,
            RefusalKind::Conflict => StatusCode::CONFLICT,
            RefusalKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let problem = Self::new(status, refusal.code(), refusal.to_string());
        match refusal.field() {
            Some(field) => problem.at_field(field),
            None => problem,
        }
    }

    /// The database did not answer, which passes; or it did not understand us, which is a defect.
    fn database_failed(error: &dyn std::error::Error, cause: &sqlx::Error) -> Self {
        match cause {
            sqlx::Error::Database(refusal) if !passes(refusal.code().as_deref()) => Self::internal(error),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => Self::internal(error),
            _ => Self::store_failed(error),
        }
    }

    /// A server that we need did not answer: logged once, here.
    fn store_failed(error: &dyn std::error::Error) -> Self {
        tracing::warn!(error = %chain(error), "a server that the request needs did not answer");
        Self::unavailable("service.unavailable", "the server cannot reach its database just now: try again")
    }
}

/// Whether trying again can help, by the class of Postgres' code: connection, rollback, resources, an operator, the system.
fn passes(code: Option<&str>) -> bool {
    code.is_none_or(|code| ["08", "25", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class)))
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => Self::refused(&refusal),
            CommandError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency.key_reused",
                "this key was used for another request: take a new one for a new request",
            ),
            CommandError::Contended => Self::unavailable("service.contended", "others changed the same thing at the same time: try again"),
            CommandError::Unavailable(error) => Self::from(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::UpgradeUnderWay(_) => Self::unavailable(
                "release.upgrade_under_way",
                "an older release still runs beside this one, and cannot read what this request writes: try again once the upgrade is done",
            )
            .retry_after(RETRY_UPGRADE),
            StoreError::Outdated(_) => {
                tracing::warn!(error = %chain(&error), "a request came to a server that must stop");
                Self::unavailable("release.outdated", "this server is of an older release than its database, and stops: try again")
            }
            StoreError::Postgres(_)
            | StoreError::Stream(_)
            | StoreError::Unreadable { .. }
            | StoreError::Busy
            | StoreError::Stopped
            | StoreError::Keys(_)
            | StoreError::Unwritable(_) => Self::store_failed(&error),
        }
    }
}

impl From<InvalidText> for Problem {
    fn from(error: InvalidText) -> Self {
        Self::refused(&error)
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        Self::database_failed(&error, &error.0)
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Store(ref cause) => Self::database_failed(&error, cause),
            AuditError::Log(_) | AuditError::Unreadable { .. } => Self::internal(&error),
        }
    }
}

impl From<QueryMistake> for Problem {
    fn from(QueryMistake { mistake, at }: QueryMistake) -> Self {
        let mut problem = Self::malformed("search.query_invalid", Some("q".into()), mistake.to_string());
        problem.0.place = Some(Place { offset: at.offset, length: at.length });
        problem
    }
}

impl From<ResolveError> for Problem {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Mistake(mistake) => mistake.into(),
            ResolveError::Unavailable(error) => error.into(),
        }
    }
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::ForeignPage => Self::malformed("request.cursor_invalid", Some("after".into()), error.to_string()),
            SearchError::Store(ref cause) => Self::database_failed(&error, cause),
            SearchError::Unavailable(_) => Self::store_failed(&error),
        }
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        match error {
            RunError::UnderWay => Self::conflict("retention.under_way", error.to_string()),
            RunError::Read(error) => error.into(),
            RunError::Database(ref cause) => Self::database_failed(&error, cause),
            RunError::Command(error) => error.into(),
        }
    }
}

impl From<WaitError> for Problem {
    fn from(behind: WaitError) -> Self {
        match behind {
            WaitError::NotReached { .. } => Self::unavailable("projection.behind", behind.to_string()),
            WaitError::Unknown(_) => Self::not_found("projection.not_found", behind.to_string()),
            WaitError::Unavailable(ref cause) => Self::database_failed(&behind, cause),
        }
    }
}

impl From<ProveError> for Problem {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Unavailable(ref cause) => Self::database_failed(&error, cause),
            ProveError::NoHead => Self::not_found("proof.no_head", error.to_string()),
            ProveError::OutOfRange { field, .. } => Self::not_found("proof.not_in_tree", error.to_string()).at_field(field),
            ProveError::TilesMissing => Self::internal(&error),
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::WrongPassword => Self::unauthenticated("session.wrong_credentials", "no user has this login and this password"),
            AuthError::NotConfirmed => Self::invalid("password.wrong", "current_password", "this is not your password"),
            AuthError::TooManyGuesses(TooMany { requests, window, retry_after }) => {
                Self::rate_limited(Class::SignInAccount.as_str(), requests, window, retry_after)
            }
            AuthError::Overtaken => {
                Self::unauthenticated("auth.token_invalid", "the password was changed meanwhile, or the session has ended: sign in again")
            }
            AuthError::Busy => Self::unavailable("auth.busy", "too many passwords are being checked just now: try again"),
            AuthError::Log(error) => error.into(),
            AuthError::State(error) => error.into(),
            // Handlers name the field; here it is what most call it.
            AuthError::Password(refusal) => Self::password_refused("password", refusal),
            AuthError::Hash => Self::internal(&error),
        }
    }
}

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Store(error) => Self::database_failed(&error, &error),
            StateError::Shared(ref cause) => Self::database_failed(&error, cause),
        }
    }
}

impl From<ErasureError> for Problem {
    fn from(error: ErasureError) -> Self {
        match error {
            ErasureError::Command(error) => error.into(),
            ErasureError::Wait(error) => error.into(),
            ErasureError::Read(error) => error.into(),
            ErasureError::Sessions(error) => error.into(),
            ErasureError::Credentials(error) => error.into(),
            ErasureError::Replays(error) => error.into(),
        }
    }
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
        let Parts { status, code, detail, field, place, retry_after, challenge, allow, closing } = self.0.as_ref();
        let request_id = telemetry::current_request_id();
        let mut response = HttpResponseBuilder::new(*status);
        if let Some(delay) = retry_after {
            // Never too early.
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
            field: field.as_deref(),
            place: place.as_ref(),
            request_id: request_id.as_deref(),
        })
    }
}
