//! HEAD: the answer of a GET with the same headers and without the body (RFC 9110, 9.3.2).
//!
//! A HEAD request is routed, limited and noted like the GET: the audit notes a reader of either.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ResponseHead, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LENGTH, HeaderValue, UPGRADE};
use actix_web::middleware::Next;
use actix_web::web::Bytes;

/// No body, in place of one whose length the headers tell.
///
/// Its size is that of a stream. So actix-web writes our `Content-Length`, and no other, even if the client has sent a
/// further request already: then actix-web has forgotten that this one was a HEAD.
pub struct LeftOut;

impl MessageBody for LeftOut {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

/// Answers a HEAD request as the GET request, without the body.
///
/// # Errors
/// Returns the errors of the wrapped service.
pub async fn answer_head<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, LeftOut>>, Error> {
    if request.method() != Method::HEAD {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    request.head_mut().method = Method::GET;
    // Only a GET may become a WebSocket (RFC 6455, 4.1).
    request.headers_mut().remove(UPGRADE);
    match next.call(request).await {
        Ok(response) => Ok(response.map_body(|head, body| EitherBody::right(leave_out(head, &body)))),
        Err(error) => {
            let response = error.error_response().map_body(|head, body| BoxBody::new(leave_out(head, &body)));
            Err(InternalError::from_response(error, response).into())
        }
    }
}

fn leave_out(head: &mut ResponseHead, body: &impl MessageBody) -> LeftOut {
    head.no_chunking(true);
    if let BodySize::Sized(bytes) = body.size() {
        head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    }
    LeftOut
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, try_call_service};
    use actix_web::{App, HttpResponse, body, web};

    use super::*;
    use crate::problem::Problem;

    #[actix_web::test]
    async fn a_head_is_routed_as_a_get_and_keeps_the_length() {
        let get = web::get().to(async || HttpResponse::Ok().body("seven.."));
        let app = init_service(App::new().route("/", get).wrap(from_fn(answer_head))).await;
        for (request, length, text) in
            [(TestRequest::get(), None, "seven.."), (TestRequest::with_uri("/").method(Method::HEAD), Some("7"), "")]
        {
            let response = call_service(&app, request.to_request()).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()), length);
            assert_eq!(body::to_bytes(response.into_body()).await.expect("a body"), text);
        }
    }

    #[actix_web::test]
    async fn a_refused_head_has_no_body_either() {
        async fn refuse(_: ServiceRequest, _: Next<impl MessageBody>) -> Result<ServiceResponse, Error> {
            Err(Problem::no_such_route().into())
        }
        let app = init_service(App::new().wrap(from_fn(refuse)).wrap(from_fn(answer_head))).await;
        let refused = try_call_service(&app, TestRequest::default().method(Method::HEAD).to_request()).await.map(drop);
        let response = refused.expect_err("a refusal").error_response();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(response.headers().contains_key(CONTENT_LENGTH));
        assert!(body::to_bytes(response.into_body()).await.expect("a body").is_empty());
    }
}
