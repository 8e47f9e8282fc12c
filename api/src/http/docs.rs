//! The OpenAPI document, and a page to read and try it. The page loads nothing from other hosts. It forgets the token
//! when it is closed.
//!
//! Callers without a token can read these, and some are large. So each is in memory once and is sent in small chunks. A
//! client that does not read its answer holds one chunk, not a copy of the whole.

use std::borrow::Cow;

use actix_web::body::SizedStream;
use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use actix_web::{HttpResponse, get};
use futures::stream;
use utoipa_swagger_ui::Config;

use crate::openapi::Document;
use crate::problem::Problem;

/// The bytes of one chunk.
const CHUNK_BYTES: usize = 16 * 1024;
/// Without this header, the server compresses the file for each request. These requests are not limited, and a megabyte
/// costs tens of milliseconds.
const UNCOMPRESSED: (&str, &str) = ("Content-Encoding", "identity");
/// Everybody gets the same answer, and it changes only with the release.
const PUBLIC: (HeaderName, &str) = (CACHE_CONTROL, "public, max-age=300");

/// Serves the document at `/openapi.json`, and the page at `/docs/`.
pub fn configure(config: &mut ServiceConfig) {
    let page = Config::new(["/openapi.json"])
        // Otherwise the page sends the document's address to a validator on another host.
        .validator_url("none")
        // Otherwise the token goes to the browser's storage. Each script of the origin reads it there, and it outlives
        // the page.
        .persist_authorization(false)
        .try_it_out_enabled(true);
    config.app_data(Data::new(page)).service(get_document).service(web::redirect("/docs", "/docs/")).service(get_page);
}

#[get("/openapi.json")]
async fn get_document(document: Data<Document>) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header(UNCOMPRESSED).insert_header(PUBLIC).content_type("application/json").body(in_chunks(document.bytes.clone()))
}

#[get("/docs/{file:.*}")]
async fn get_page(file: Path<String>, page: Data<Config<'static>>) -> Result<HttpResponse, Problem> {
    let found = utoipa_swagger_ui::serve(&file, page.into_inner()).ok().flatten().ok_or_else(Problem::no_such_route)?;
    let bytes = match found.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let encoding = if found.gzpipped { ("Content-Encoding", "gzip") } else { UNCOMPRESSED };
    Ok(HttpResponse::Ok().insert_header(encoding).insert_header(PUBLIC).content_type(found.content_type).body(in_chunks(bytes)))
}

/// A body that is sent chunk by chunk, as fast as the client reads it. The chunks share the memory of the whole.
fn in_chunks(bytes: Bytes) -> SizedStream<impl stream::Stream<Item = Result<Bytes, std::io::Error>>> {
    let length = bytes.len() as u64;
    let pieces = stream::unfold(bytes, async |mut rest: Bytes| {
        let piece = rest.split_to(CHUNK_BYTES.min(rest.len()));
        (!piece.is_empty()).then_some((Ok(piece), rest))
    });
    SizedStream::new(length, Box::pin(pieces))
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    #[actix_web::test]
    async fn the_chunks_make_up_the_whole() {
        let whole = (0..CHUNK_BYTES * 2 + 7).map(|n| u8::try_from(n % 251).unwrap_or(0)).collect::<Bytes>();
        assert_eq!(to_bytes(in_chunks(whole.clone())).await.ok(), Some(whole));
        assert_eq!(to_bytes(in_chunks(Bytes::new())).await.ok(), Some(Bytes::new()));
    }
}
