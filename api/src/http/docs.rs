//! The OpenAPI document, and a page to read and try it. The page loads nothing from other hosts, and keeps no token when it is closed.
//!
//! Strangers read these, and some of them are large: each is kept once, and sent in small pieces, so that a client who takes none of them holds
//! one piece and not a copy of all.

use std::borrow::Cow;

use actix_web::body::SizedStream;
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use actix_web::{HttpResponse, get};
use futures::stream;
use utoipa_swagger_ui::Config;

use crate::openapi::Document;
use crate::problem::Problem;

/// How much is sent at a time.
const PIECE_BYTES: usize = 16 * 1024;
/// Keeps it from being compressed anew for each request: nobody counts these requests, and a megabyte costs tens of milliseconds.
const AS_IT_IS: (&str, &str) = ("Content-Encoding", "identity");

/// The document, at `/openapi.json`, and the page, at `/docs/`.
pub fn configure(config: &mut ServiceConfig) {
    let page = Config::new(["/openapi.json"])
        // Without this the page sends the document's address to a validator of others.
        .validator_url("none")
        // Storage of the browser is read by every script of the origin, and outlives the page.
        .persist_authorization(false)
        .try_it_out_enabled(true);
    config.app_data(Data::new(page)).service(get_document).service(web::redirect("/docs", "/docs/")).service(get_page);
}

#[get("/openapi.json")]
async fn get_document(document: Data<Document>) -> HttpResponse {
    HttpResponse::Ok().insert_header(AS_IT_IS).content_type("application/json").body(in_pieces(document.bytes.clone()))
}

#[get("/docs/{file:.*}")]
async fn get_page(file: Path<String>, page: Data<Config<'static>>) -> Result<HttpResponse, Problem> {
    let found = utoipa_swagger_ui::serve(&file, page.into_inner()).ok().flatten().ok_or_else(Problem::no_such_route)?;
    let bytes = match found.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let encoding = if found.gzpipped { ("Content-Encoding", "gzip") } else { AS_IT_IS };
    Ok(HttpResponse::Ok().insert_header(encoding).content_type(found.content_type).body(in_pieces(bytes)))
}

/// A body that is handed over piece by piece, as fast as its client takes it. The pieces share the memory of the whole.
fn in_pieces(bytes: Bytes) -> SizedStream<impl stream::Stream<Item = Result<Bytes, std::io::Error>>> {
    let length = bytes.len() as u64;
    let pieces = stream::unfold(bytes, async |mut rest: Bytes| {
        let piece = rest.split_to(PIECE_BYTES.min(rest.len()));
        (!piece.is_empty()).then_some((Ok(piece), rest))
    });
    SizedStream::new(length, Box::pin(pieces))
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    #[actix_web::test]
    async fn the_pieces_are_the_whole() {
        let whole = (0..PIECE_BYTES * 2 + 7).map(|n| u8::try_from(n % 251).unwrap_or(0)).collect::<Bytes>();
        assert_eq!(to_bytes(in_pieces(whole.clone())).await.ok(), Some(whole));
        assert_eq!(to_bytes(in_pieces(Bytes::new())).await.ok(), Some(Bytes::new()));
    }
}
