//! The body of a request: JSON, parsed into a struct. Unknown fields are refused. A PATCH takes a merge patch too
//! (RFC 7396): in both types an absent member stays, and `null` clears a member.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::part;
use crate::config::Settings;
use crate::problem::Problem;

/// The media type of a body.
const JSON: &str = "application/json";
/// The media type of a merge patch (RFC 7396).
pub const MERGE_PATCH: &str = "application/merge-patch+json";

/// A parsed body, with its bytes.
pub struct Body<T> {
    /// The parsed value.
    pub input: T,
    bytes: Bytes,
}

/// No body. If the client sends one, it is not read.
pub struct NoBody;

/// The body of a command.
pub trait RequestBody: FromRequest<Error = Problem> {
    /// The bytes, as the client sent them.
    fn bytes(&self) -> &[u8];
}

impl<T: DeserializeOwned + 'static> RequestBody for Body<T> {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl RequestBody for NoBody {
    fn bytes(&self) -> &[u8] {
        &[]
    }
}

impl FromRequest for NoBody {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self))
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let allowed = media_types(request.method());
        let has_type = allowed.iter().any(|allowed| request.content_type().eq_ignore_ascii_case(allowed));
        let is_compressed =
            request.headers().get(CONTENT_ENCODING).is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
        let settings = part::<Settings>(request);
        let bytes = Bytes::from_request(request, payload);
        Box::pin(async move {
            let settings = settings?;
            let (bytes_max, limit) = (settings.body_bytes_max, settings.request_body_timeout);
            if !has_type {
                return Err(Problem::unsupported_media_type(&allowed.join(" or ")));
            }
            if is_compressed {
                return Err(Problem::unsupported_encoding());
            }
            let bytes = timeout(limit, bytes).await.map_err(|_| Problem::too_slow(limit))?;
            let bytes = bytes.map_err(|error| unreadable(&error, bytes_max))?;
            Ok(Self { input: parse(&bytes)?, bytes })
        })
    }
}

/// The media types of the body of a request with this method.
fn media_types(method: &Method) -> &'static [&'static str] {
    if *method == Method::PATCH { &[JSON, MERGE_PATCH] } else { &[JSON] }
}

fn unreadable(error: &actix_web::Error, bytes_max: usize) -> Problem {
    if error.as_response_error().status_code() == actix_web::http::StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::too_large(bytes_max);
    }
    Problem::malformed("request.body_unreadable", None, "the body ended early or cannot be decoded: send it again")
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|_| describe::<T>(bytes))
}

/// Parses once more, more slowly, to find the place of the mistake.
fn describe<T: DeserializeOwned>(bytes: &[u8]) -> Problem {
    let deserializer = &mut serde_json::Deserializer::from_slice(bytes);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(deserializer) else {
        return Problem::malformed("request.body_invalid", None, "the body has more after the JSON value: send one JSON value");
    };
    let path = error.path().to_string();
    let field = Some(path).filter(|path| path != "." && !error.inner().is_syntax() && !error.inner().is_eof());
    Problem::malformed("request.body_invalid", field, format!("the body is invalid: {}", error.inner()))
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[expect(dead_code, reason = "the test needs only the struct's shape")]
        members: Vec<u8>,
    }

    #[test]
    fn a_problem_names_the_place_of_the_mistake() {
        let problem = parse::<Example>(br#"{"members": [1, "x"]}"#).expect_err("a mistake");
        assert!(format!("{problem:?}").contains(r#"field: Some("members[1]")"#), "{problem:?}");
        assert_eq!(problem.status_code(), 400);
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let problem = parse::<Example>(br#"{"members": [], "extra": 1}"#).expect_err("a mistake");
        assert!(problem.to_string().contains("unknown field `extra`"), "{problem}");
    }

    #[test]
    fn text_after_the_json_value_is_refused() {
        assert!(parse::<Example>(br#"{"members": []} x"#).is_err());
    }
}
