//! The answer to a command: its outcome, and the position that the log reached.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, LOCATION};
use actix_web::{HttpRequest, HttpResponse, Responder};
use commands::Appended;
use serde::Serialize;

use crate::extract::{POSITION, REPLAYED};

/// The answer to a command that succeeded. A query that sends the position as `Backscroll-Min-Position` sees the
/// command's effect.
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

impl<T> Done<T> {
    /// 201: the command created a resource. `location` is its address.
    pub fn created(appended: Appended, location: String, body: T) -> Self {
        Self { status: StatusCode::CREATED, appended, location: Some(location), is_secret: false, body: Some(body) }
    }

    /// Marks an answer that contains a token: no cache may store it.
    #[must_use]
    pub fn no_store(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// 200: the command succeeded, and `body` is its result.
    pub fn with(appended: Appended, body: T) -> Self {
        Self { status: StatusCode::OK, appended, location: None, is_secret: false, body: Some(body) }
    }
}

impl<T: Serialize> Responder for Done<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header((POSITION, self.appended.position));
        if self.appended.replayed {
            response.insert_header((REPLAYED, "true"));
        }
        if self.is_secret {
            response.insert_header(NO_STORE);
        }
        if let Some(location) = self.location {
            response.insert_header((LOCATION, location));
        }
        match self.body {
            Some(body) => response.json(body),
            None => response.finish(),
        }
    }
}
