//! What the server says of itself while it runs: the log, and the thread that ties the lines of one request together.
//!
//! A request has an identifier (the client's `X-Request-Id`, or one that we make). It is in the span of the request, in each event's
//! metadata, in every problem, and in the answer.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use tracing::{Instrument, Span, field};
use tracing_subscriber::EnvFilter;
use uuid::Uuid;

use crate::config::{LogFormat, Settings};
use crate::metrics::{Metrics, method_label};

/// The header that names a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest identifier that is taken over from a client.
const REQUEST_ID_CHARS_MAX: usize = 128;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// A request's identifier.
#[derive(Clone, Debug)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The client's, where it is fit to be logged; else a new one.
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|text| is_fit(text));
        Self(given.map_or_else(|| Uuid::now_v7().to_string().into(), Arc::from))
    }

    /// The identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identifier of a request that went through [`observe`].
    #[must_use]
    pub fn of_request(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().cloned()
    }
}

fn is_fit(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/' | b'+' | b'=');
    (1..=REQUEST_ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(fine)
}

/// The identifier of the request that is being answered on this task.
#[must_use]
pub fn current_request_id() -> Option<String> {
    CURRENT.try_with(|id| id.as_str().to_owned()).ok()
}

/// Begins to log, to the standard error, as the settings say. A second call changes nothing.
pub fn start(settings: &Settings) {
    let filter = EnvFilter::try_new(&settings.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let started = match settings.log_format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    drop(started);
}

/// Names the request, opens its span, and counts it.
///
/// # Errors
/// Those of what it wraps.
pub async fn observe(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let (method, metrics) = (request.method().clone(), request.app_data::<web::Data<Metrics>>().cloned());
    let span = span_of(&request, &id);
    let answer = answer(request, next, id).instrument(span.clone()).await;

    let (route, status) = match &answer {
        Ok(response) => (response.request().match_pattern(), response.status()),
        // Given up before its route was told.
        Err(error) => (None, error.as_response_error().status_code()),
    };
    let (route, status) = (route.unwrap_or_else(|| "none".to_owned()), status.as_u16());
    span.record("http.route", &route).record("http.status", status);
    if let Some(metrics) = metrics {
        metrics.count_request(&method, &route, status, started.elapsed());
    }
    span.in_scope(|| tracing::debug!(duration_ms = started.elapsed().as_millis(), "answered"));
    answer
}

/// The path itself is not logged: it may hold an invitation's token.
fn span_of(request: &ServiceRequest, id: &RequestId) -> Span {
    tracing::info_span!(
        "answer a request",
        request.id = id.as_str(),
        http.method = method_label(request.method()),
        http.route = field::Empty,
        http.status = field::Empty,
        actor.id = field::Empty,
    )
}

fn answer<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
    id: RequestId,
) -> impl Future<Output = Result<ServiceResponse<B>, Error>> {
    CURRENT.scope(id.clone(), async move {
        match next.call(request).await {
            Ok(mut response) => {
                name(response.headers_mut(), &id);
                Ok(response)
            }
            // Written here, where the request's identifier is known.
            Err(error) => {
                let mut response = error.error_response();
                name(response.headers_mut(), &id);
                Err(InternalError::from_response(error, response).into())
            }
        }
    })
}

fn name(headers: &mut HeaderMap, id: &RequestId) {
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(REQUEST_ID, value);
    }
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service, try_call_service};
    use actix_web::{App, body};

    use super::*;
    use crate::problem::Problem;

    #[actix_web::test]
    async fn an_answer_that_was_given_up_is_named_and_counted() {
        async fn give_up(_: ServiceRequest, _: Next<impl MessageBody>) -> Result<ServiceResponse, Error> {
            Err(Problem::unavailable("request.unanswered", "too long").into())
        }
        let metrics = web::Data::new(Metrics::new().expect("metrics"));
        let app = App::new().app_data(metrics.clone()).wrap(from_fn(give_up)).wrap(from_fn(observe));
        let request = TestRequest::get().insert_header((REQUEST_ID, "order-17")).to_request();
        let given_up = try_call_service(&init_service(app).await, request).await.map(drop).expect_err("no answer");
        let response = given_up.error_response();
        assert_eq!(response.headers().get(REQUEST_ID).map(HeaderValue::as_bytes), Some(&b"order-17"[..]));
        let body = body::to_bytes(response.into_body()).await.expect("a body");
        assert!(String::from_utf8_lossy(&body).contains(r#""request_id":"order-17""#));
        let told = crate::metrics::text_of(&metrics.families()).expect("the metrics");
        assert!(told.contains(r#"backscroll_http_request_seconds_count{method="GET",route="none",status="503"} 1"#), "{told}");
    }

    fn id_given(text: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_str(text).expect("a header"));
        RequestId::of(&headers).as_str().to_owned()
    }

    #[test]
    fn a_client_may_name_its_request() {
        assert_eq!(id_given("order-17/retry:2"), "order-17/retry:2");
    }

    #[test]
    fn a_name_that_does_not_belong_into_a_log_is_replaced() {
        assert!(id_given("a b").parse::<Uuid>().is_ok());
        assert!(id_given(&"x".repeat(129)).parse::<Uuid>().is_ok());
        assert!(id_given("").parse::<Uuid>().is_ok());
    }
}
