//! The answer to a command: the row that it made or changed, and the position that the log reached.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, LOCATION};
use actix_web::{HttpRequest, HttpResponse, Responder};
use commands::Appended;
use serde::Serialize;
use utoipa::IntoResponses;

use crate::extract::{POSITION, REPLAYED};

/// The answer to a command that succeeded. The caller's next query sees the command's effect, on every node. A query of
/// somebody else sees it if it sends the position as `Backscroll-Min-Position`.
pub struct Done<T = ()> {
    status: StatusCode,
    appended: Appended,
    location: Option<String>,
    is_secret: bool,
    body: Option<T>,
}

/// The header of an answer that contains a token: no cache may store it (RFC 9111, section 5.2.2.5).
pub const NO_STORE: (HeaderName, HeaderValue) = (CACHE_CONTROL, HeaderValue::from_static("no-store"));

impl Done {
    /// 204: the command succeeded, and the answer has no body.
    pub fn no_content(appended: Appended) -> Self {
        Self { status: StatusCode::NO_CONTENT, appended, location: None, is_secret: false, body: None }
    }
}

/// The command is done, but the read model is more than two seconds behind, so the answer has no row. A query waits for
/// it.
#[derive(IntoResponses)]
#[response(status = 202)]
pub struct RowFollows;

impl<T> Done<T> {
    /// 201: the command created a resource. `location` is its address. Without its row, the status is 202.
    pub fn created(appended: Appended, location: String, row: impl Into<Option<T>>) -> Self {
        Self { status: StatusCode::CREATED, appended, location: Some(location), is_secret: false, body: row.into() }
    }

    /// 200: the resource existed already. `location` is its address. Without its row, the status is 202.
    pub fn found(appended: Appended, location: String, row: Option<T>) -> Self {
        Self { status: StatusCode::OK, ..Self::created(appended, location, row) }
    }

    /// Marks an answer that contains a token: no cache may store it.
    #[must_use]
    pub fn no_store(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// 200: the command succeeded, and `row` is what it changed. Without its row, the status is 202.
    pub fn changed(appended: Appended, row: Option<T>) -> Self {
        Self { status: StatusCode::OK, appended, location: None, is_secret: false, body: row }
    }

    /// The status of the answer.
    fn status(&self) -> StatusCode {
        match (self.status, &self.body) {
            (StatusCode::NO_CONTENT, _) | (_, Some(_)) => self.status,
            (_, None) => StatusCode::ACCEPTED,
        }
    }
}

impl<T: Serialize> Responder for Done<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let status = self.status();
        let mut response = HttpResponse::build(status);
        response.insert_header((POSITION, self.appended.position));
        if self.appended.replayed {
            response.insert_header((REPLAYED, "true"));
        }
        if self.is_secret {
            response.insert_header(NO_STORE);
        }
        if let Some(location) = self.location.filter(|_| status != StatusCode::OK) {
            response.insert_header((LOCATION, location));
        }
        match self.body {
            Some(body) => response.json(body),
            None => response.finish(),
        }
    }
}
