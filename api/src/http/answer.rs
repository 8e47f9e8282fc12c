//! The answer to a command: what came of it, and the position in the log that it reached.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, Responder};
use commands::Appended;
use serde::Serialize;

use crate::extract::{POSITION, REPLAYED};

/// A command was done. A query that sends the position as `Backscroll-Min-Position` sees what it did.
pub struct Done<T = ()> {
    status: StatusCode,
    appended: Appended,
    location: Option<String>,
    body: Option<T>,
}

impl Done {
    /// It was done, and there is nothing more to say: 204.
    pub fn quietly(appended: Appended) -> Self {
        Self { status: StatusCode::NO_CONTENT, appended, location: None, body: None }
    }
}

impl<T> Done<T> {
    /// Something was created, and is to be found there: 201.
    pub fn created(appended: Appended, location: String, body: T) -> Self {
        Self { status: StatusCode::CREATED, appended, location: Some(location), body: Some(body) }
    }

    /// It was done, and this came of it: 200.
    pub fn with(appended: Appended, body: T) -> Self {
        Self { status: StatusCode::OK, appended, location: None, body: Some(body) }
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
        if let Some(location) = self.location {
            response.insert_header((LOCATION, location));
        }
        match self.body {
            Some(body) => response.json(body),
            None => response.finish(),
        }
    }
}
