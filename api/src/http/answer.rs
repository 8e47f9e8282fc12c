//! The answer to a command: what came of it, and the position in the log that it reached.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, LOCATION};
use actix_web::{HttpRequest, HttpResponse, Responder};
use commands::Appended;
use serde::Serialize;

use crate::extract::{POSITION, REPLAYED};

/// A command was done. A query that sends the position as `Backscroll-Min-Position` sees what it did.
pub struct Done<T = ()> {
    status: StatusCode,
    appended: Appended,
    location: Option<String>,
    is_secret: bool,
    body: Option<T>,
}

/// What an answer says to caches that has a token in it: it is stored nowhere (RFC 9111, section 5.2.2.5).
pub const NEVER_STORED: (HeaderName, HeaderValue) = (CACHE_CONTROL, HeaderValue::from_static("no-store"));

impl Done {
    /// It was done, and there is nothing more to say: 204.
    pub fn quietly(appended: Appended) -> Self {
        Self { status: StatusCode::NO_CONTENT, appended, location: None, is_secret: false, body: None }
    }
}

impl<T> Done<T> {
    /// Something was created, and is to be found there: 201.
    pub fn created(appended: Appended, location: String, body: T) -> Self {
        Self { status: StatusCode::CREATED, appended, location: Some(location), is_secret: false, body: Some(body) }
    }

    /// The answer has a token in it, and no cache may store it.
    #[must_use]
    pub fn never_stored(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// It was done, and this came of it: 200.
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
            response.insert_header(NEVER_STORED);
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
