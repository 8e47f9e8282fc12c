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
use serde_json::Value;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::part;
use super::shape::Shape;
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

impl<T: DeserializeOwned + ToSchema + 'static> RequestBody for Body<T> {
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

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Body<T> {
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

fn parse<T: DeserializeOwned + ToSchema>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|_| refusal::<T>(bytes))
}

/// Compares the body with its schema, to find all mistakes.
fn refusal<T: DeserializeOwned + ToSchema>(bytes: &[u8]) -> Problem {
    let first = describe::<T>(bytes);
    let Ok(input) = serde_json::from_slice::<Value>(bytes) else { return first };
    let shape = Shape::of_body::<T>();
    let mut found = shape.mistakes(&input);
    if !found.iter().any(|mistake| shape.is_of_the_form(mistake)) {
        // The schema is less strict than the type, for example about a property that is sent twice.
        return first.with(found);
    }
    // A mistake of the whole body has no field.
    if found.iter().all(|mistake| mistake.field.is_empty()) {
        return Problem::malformed("request.body_invalid", None, found.swap_remove(0).detail);
    }
    let mut found = found.into_iter();
    match found.next() {
        Some(mistake) => Problem::malformed_in(mistake, found),
        None => first,
    }
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

    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[expect(dead_code, reason = "the test needs only the struct's shape")]
        members: Vec<u8>,
    }

    #[test]
    fn a_problem_names_the_place_of_each_mistake() {
        let problem = parse::<Example>(br#"{"members": [1, "x", null], "extra": 1}"#).expect_err("a mistake");
        let text = format!("{problem:?}");
        for field in ["members[1]", "members[2]", "extra"] {
            assert!(text.contains(&format!(r#"field: "{field}""#)), "{text}");
        }
        assert_eq!(problem.status_code(), 400);
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let problem = parse::<Example>(br#"{"members": [], "memebrs": []}"#).expect_err("a mistake");
        assert!(problem.to_string().contains(r#"there is no property "memebrs": did you mean members?"#), "{problem}");
    }

    #[test]
    fn a_missing_field_is_named() {
        let problem = parse::<Example>(b"{}").expect_err("a mistake");
        assert!(format!("{problem:?}").contains(r#"field: "members""#), "{problem:?}");
        let none = parse::<Example>(b"[]").expect_err("a mistake");
        assert_eq!(none.to_string(), "request.body_invalid: the body must be an object, not a list");
    }

    #[test]
    fn what_the_schema_does_not_see_is_named_by_the_parser() {
        let twice = parse::<Example>(br#"{"members": [], "members": []}"#).expect_err("a mistake");
        assert!(twice.to_string().contains("duplicate field `members`"), "{twice}");
        let large = parse::<Example>(br#"{"members": [256]}"#).expect_err("a mistake");
        assert!(format!("{large:?}").contains(r#"field: "members[0]""#), "{large:?}");
    }

    #[test]
    fn text_after_the_json_value_is_refused() {
        assert!(parse::<Example>(br#"{"members": []} x"#).is_err());
    }
}
