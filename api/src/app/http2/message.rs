//! Requests and answers of HTTP/2 as actix-http has them. The two use different versions of the crate `http`.

use std::io;
use std::net::SocketAddr;

use actix_http::error::PayloadError;
use actix_http::{BoxedPayloadStream, Payload, Request, Response};
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{Date, HOST, HeaderName, HeaderValue};
use actix_web::http::{Method, Uri, Version};
use actix_web::web::Bytes;
use futures::stream::{self, Stream};
use h2::RecvStream;

/// The headers that belong to a connection of HTTP/1.1 (RFC 9113, section 8.2.2).
const OF_HTTP1: [&str; 5] = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// The request as actix-http has it: like one of HTTP/1.1, with a path and the header `Host`. `None` if it cannot be one.
pub(super) fn request_of(request: http::Request<RecvStream>, peer: Option<SocketAddr>) -> Option<Request> {
    let (parts, body) = request.into_parts();
    let is_empty = body.is_end_stream();
    let chunks: BoxedPayloadStream = Box::pin(chunks(body));
    let payload = if is_empty { Payload::None } else { Payload::Stream { payload: chunks } };
    let mut request = Request::with_payload(payload);
    let head = request.head_mut();
    head.method = Method::from_bytes(parts.method.as_str().as_bytes()).ok()?;
    head.uri = parts.uri.path_and_query().map_or("/", |path| path.as_str()).parse::<Uri>().ok()?;
    head.version = Version::HTTP_2;
    head.peer_addr = peer;
    for (name, value) in &parts.headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        head.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    // The authority is in place of the header `Host` (RFC 9113, section 8.3.1).
    if let Some(authority) = parts.uri.authority() {
        head.headers.insert(HOST, HeaderValue::from_str(authority.as_str()).ok()?);
    }
    Some(request)
}

/// The body of a request. When a handler has taken bytes, the client may send as many again.
fn chunks(body: RecvStream) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    stream::unfold(body, |mut body| async move {
        let chunk = body.data().await?.and_then(|chunk| body.flow_control().release_capacity(chunk.len()).map(|()| chunk));
        Some((chunk.map_err(|error| PayloadError::Io(io::Error::other(error))), body))
    })
}

/// The head of an answer, and its body.
pub(super) fn response_of<B: MessageBody>(response: Response<B>) -> (http::Response<()>, B) {
    let (response, body) = response.into_parts();
    let mut head = http::Response::new(());
    *head.status_mut() = http::StatusCode::from_u16(response.status().as_u16()).unwrap_or_default();
    let headers = head.headers_mut();
    for (name, value) in response.headers() {
        let is_of_http1 = OF_HTTP1.contains(&name.as_str());
        if let (false, Ok(name), Ok(value)) =
            (is_of_http1, http::HeaderName::from_bytes(name.as_str().as_bytes()), http::HeaderValue::from_bytes(value.as_bytes()))
        {
            headers.append(name, value);
        }
    }
    let has_no_body = is_without_body(response.status().as_u16());
    if let (BodySize::Sized(bytes), false) = (body.size(), has_no_body) {
        headers.insert(http::header::CONTENT_LENGTH, bytes.into());
    }
    if let Ok(date) = http::HeaderValue::from_str(&Date::now().to_string())
        && !headers.contains_key(http::header::DATE)
    {
        headers.insert(http::header::DATE, date);
    }
    (head, body)
}

/// Whether an answer of this status has neither a body nor its length (RFC 9110, section 8.6).
fn is_without_body(status: u16) -> bool {
    status < 200 || status == 204
}
