//! Conditions on a row (RFC 9110, section 13). The `ETag` of a row names the position of its last change, and a digest of
//! the answer. `If-Match` compares the position, on the write side. `If-None-Match` compares the whole.

use actix_web::body::BoxBody;
use actix_web::http::header::ETAG;
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{POSITION, header};
use crate::problem::Problem;

/// The bytes of the digest in an `ETag`.
const DIGEST_BYTES: usize = 9;

/// The header with the tag of the row that a command may change.
pub const IF_MATCH: &str = "If-Match";

/// The answer of a query for one row, with its `ETag`.
pub struct Tagged<T> {
    /// The position at which the row was read.
    pub(super) position: i64,
    /// The position of the row's last change.
    pub(super) changed: i64,
    pub(super) row: T,
}

impl<T: Serialize> Responder for Tagged<T> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let json = match serde_json::to_vec(&self.row) {
            Ok(json) => json,
            Err(error) => return HttpResponse::from_error(Problem::internal(&error)),
        };
        let tag = condition_tag(self.changed, &json);
        let is_known = is_known(request, &tag);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response.insert_header((POSITION, self.position)).insert_header((ETAG, tag));
        if is_known { response.finish() } else { response.content_type("application/json").body(json) }
    }
}

/// Whether the client has the answer with this tag, according to `If-None-Match`.
pub fn is_known(request: &HttpRequest, tag: &str) -> bool {
    tags(request, "If-None-Match").any(|known| known == "*" || known == tag)
}

/// The tag of a row. It differs if anything in the answer does, such as the name of an author.
pub fn condition_tag(changed: i64, json: &[u8]) -> String {
    let digest = Sha256::digest(json);
    format!("\"{changed}-{}\"", hex::encode(&digest[..DIGEST_BYTES]))
}

/// The tags in a header. A proxy that compresses answers marks them as weak.
fn tags<'r>(request: &'r HttpRequest, name: &'static str) -> impl Iterator<Item = &'r str> {
    let values = request.headers().get_all(name).filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    values.map(str::trim).map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
}

/// The position in `If-Match`: the row must not have changed since. Of several tags, the latest counts. `*` is no
/// condition, because each command needs its row to exist.
pub(super) fn unchanged_since(request: &HttpRequest) -> Result<Option<i64>, Problem> {
    if header(request, IF_MATCH)?.is_none_or(|text| text.trim() == "*") {
        return Ok(None);
    }
    let detail = "If-Match must be the ETag of an earlier answer";
    let refused = || Problem::malformed("request.header_invalid", Some(IF_MATCH.into()), detail);
    let positions = tags(request, IF_MATCH).map(|tag| position_in(tag).ok_or_else(refused)).collect::<Result<Vec<_>, _>>()?;
    Ok(positions.into_iter().max())
}

fn position_in(tag: &str) -> Option<i64> {
    let (position, _) = tag.strip_prefix('"')?.strip_suffix('"')?.split_once('-')?;
    position.parse().ok().filter(|position| *position >= 0)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_tag_is_read_back_as_it_was_sent() {
        let sent = condition_tag(4711, b"{}");
        let request = |value: &str| TestRequest::default().insert_header(("If-Match", value)).to_http_request();
        for text in [sent.clone(), format!("W/{sent}"), format!("\"12-00\", {sent}")] {
            assert_eq!(unchanged_since(&request(&text)).expect("a position"), Some(4711), "{text}");
        }
        assert_eq!(unchanged_since(&request("*")).expect("no position"), None);
        assert_eq!(unchanged_since(&TestRequest::default().to_http_request()).expect("no position"), None);
        for text in ["4711", "\"x\"", "\"-1-00\"", "\"12\", *", ""] {
            assert!(unchanged_since(&request(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_tag_differs_if_the_position_or_the_answer_does() {
        assert_ne!(condition_tag(1, b"{}"), condition_tag(2, b"{}"));
        assert_ne!(condition_tag(1, b"{}"), condition_tag(1, b"[]"));
    }
}
