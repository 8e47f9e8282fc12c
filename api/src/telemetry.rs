//! The server's log, and the identifiers that connect the log lines of one request.
//!
//! A request has an identifier: the client's `X-Request-Id`, or one that the server makes. It is in the span of the
//! request, in each event's metadata, in each problem, and in the answer.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use domain::ids::UserId;
use tracing::field::{self, Field, Visit};
use tracing::{Event, Instrument, Span, Subscriber};
use tracing_subscriber::layer::{self, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};
use uuid::Uuid;

use crate::config::LogFormat;
use crate::metrics::{Metrics, method_label};

/// The header with the request's identifier.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The most characters of a client's identifier. A longer one is replaced.
const REQUEST_ID_CHARS_MAX: usize = 128;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// A request's identifier.
#[derive(Clone, Debug)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The client's identifier if it is safe to log. Otherwise a new one.
    fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|text| is_loggable(text));
        Self(sent.map_or_else(|| Uuid::now_v7().to_string().into(), Arc::from))
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

fn is_loggable(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/' | b'+' | b'=');
    (1..=REQUEST_ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(fine)
}

/// The identifier of the request that this task answers.
#[must_use]
pub fn current_request_id() -> Option<String> {
    CURRENT.try_with(|id| id.as_str().to_owned()).ok()
}

/// The target of the lines about the process: its start, its end, and why it stops. They are logged at every
/// `log_level`.
pub const PROCESS: &str = "backscroll";

/// Starts to log to the standard error, with this filter and in this format. A second call changes nothing.
pub fn start(log_level: &str, format: LogFormat) {
    let mut filter = EnvFilter::try_new(log_level).unwrap_or_else(|_| EnvFilter::new("info"));
    if let Ok(always) = format!("{PROCESS}=info").parse() {
        filter = filter.add_directive(always);
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => {
            let builder = builder.with_ansi(std::io::stderr().is_terminal()).with_target(false);
            builder.finish().with(OwnWordsForClients).try_init()
        }
        LogFormat::Json => {
            std::panic::set_hook(Box::new(log_panic));
            builder.json().flatten_event(true).finish().with(OwnWordsForClients).try_init()
        }
    };
    drop(started);
}

/// Logs a panic as one line. The hook of the standard library would print several.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let reason = panic.payload_as_str().unwrap_or("no reason is given");
    let place = panic.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| field::display(backtrace));
    let current = std::thread::current();
    tracing::error!(target: PROCESS, reason, place, thread = current.name(), backtrace, "a thread panicked");
}

/// The user that sent a request. The request's extensions have it once the token is known.
#[derive(Clone, Copy, Debug)]
pub struct RequestActor(pub UserId);

/// Leaves out the lines that actix-http logs as errors when a client's request cannot be read or its connection is lost.
/// They are no errors of this server. `app/malformed.rs` counts them, and logs them in our words. All other errors of
/// actix-http are kept.
struct OwnWordsForClients;

impl OwnWordsForClients {
    const TARGET: &str = "actix_http::h1::dispatcher";
    const MESSAGE: &str = "stream error: ";
}

impl<S: Subscriber> Layer<S> for OwnWordsForClients {
    fn event_enabled(&self, event: &Event<'_>, _: layer::Context<'_, S>) -> bool {
        if event.metadata().target() != Self::TARGET {
            return true;
        }
        let mut message = Message::default();
        event.record(&mut message);
        !message.0.starts_with(Self::MESSAGE)
    }
}

/// The text of a log line.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// Gives the request its identifier, opens its span, and counts it.
///
/// # Errors
/// Returns the errors of the wrapped service.
pub async fn observe(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let (method, metrics) = (request.method().clone(), request.app_data::<web::Data<Metrics>>().cloned());
    let span = span_of(&request, &id);
    let answer = answer(request, next, id).instrument(span.clone()).await;

    let (route, status) = match &answer {
        Ok(response) => (response.request().match_pattern(), response.status()),
        // The request was abandoned before its route was known.
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

/// The path itself is not logged, because it may contain an invitation's token.
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
            // The answer is built here, where the request's identifier is known.
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
    async fn an_abandoned_answer_has_its_identifier_and_is_counted() {
        async fn abandon(_: ServiceRequest, _: Next<impl MessageBody>) -> Result<ServiceResponse, Error> {
            Err(Problem::unavailable("request.unanswered", "too long").into())
        }
        let metrics = web::Data::new(Metrics::new().expect("metrics"));
        let app = App::new().app_data(metrics.clone()).wrap(from_fn(abandon)).wrap(from_fn(observe));
        let request = TestRequest::get().insert_header((REQUEST_ID, "order-17")).to_request();
        let abandoned = try_call_service(&init_service(app).await, request).await.map(drop).expect_err("no answer");
        let response = abandoned.error_response();
        assert_eq!(response.headers().get(REQUEST_ID).map(HeaderValue::as_bytes), Some(&b"order-17"[..]));
        let body = body::to_bytes(response.into_body()).await.expect("a body");
        assert!(String::from_utf8_lossy(&body).contains(r#""request_id":"order-17""#));
        let text = crate::metrics::text_of(&metrics.families()).expect("the metrics");
        assert!(text.contains(r#"backscroll_http_request_seconds_count{method="GET",route="none",status="503"} 1"#), "{text}");
    }

    #[test]
    fn the_mistakes_of_clients_are_no_errors_of_the_server() {
        let log = tempfile::NamedTempFile::new().expect("a file");
        let writer = log.reopen().expect("the file");
        let subscriber = tracing_subscriber::fmt().with_writer(std::sync::Mutex::new(writer)).finish().with(OwnWordsForClients);
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(target: "actix_http::h1::dispatcher", "stream error: request parse error: invalid Header provided");
            tracing::error!(target: "actix_http::h1::dispatcher", "Response payload stream error: lost");
            tracing::error!("stream error: of another module");
        });
        let text = std::fs::read_to_string(log.path()).expect("the log");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(!text.contains("invalid Header"), "{text}");
    }

    fn id_of(text: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_str(text).expect("a header"));
        RequestId::of(&headers).as_str().to_owned()
    }

    #[test]
    fn a_client_may_name_its_request() {
        assert_eq!(id_of("order-17/retry:2"), "order-17/retry:2");
    }

    #[test]
    fn an_identifier_that_is_unsafe_to_log_is_replaced() {
        assert!(id_of("a b").parse::<Uuid>().is_ok());
        assert!(id_of(&"x".repeat(129)).parse::<Uuid>().is_ok());
        assert!(id_of("").parse::<Uuid>().is_ok());
    }
}
