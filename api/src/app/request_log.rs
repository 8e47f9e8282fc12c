//! The request log: one line for each answered request, if the setting `request_log` asks for it.
//!
//! A line has the route's pattern, and never the path: a path may contain an invitation's token. It has no header and no
//! body. It has two items of personal data: the identifier of the user, and the address of the client as the rate limits
//! see it (docs/OPERATIONS.md, "Logs").

use std::error::Error as StdError;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpMessage, HttpResponse};
use domain::ids::UserId;
use tracing::field;

use crate::config::{RequestLog, Settings};
use crate::extract::client_ip;
use crate::metrics::method_label;
use crate::telemetry::{REQUEST_ID, RequestActor};

/// The target of the lines, for filters such as `warn,request=info`.
const TARGET: &str = "request";

/// Logs the request when its answer is sent. It must be the outermost middleware, so that it counts the bytes that the
/// client gets.
///
/// # Errors
/// Returns the errors of the wrapped service.
pub(super) async fn log(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<LoggedBody>, Error> {
    let line = Line::of(&request);
    match next.call(request).await {
        Ok(response) => {
            let (route, actor) = (response.request().match_pattern(), response.request().extensions().get::<RequestActor>().copied());
            let line = line.answered(response.response(), route, actor.map(|actor| actor.0));
            Ok(response.map_body(|_, body| LoggedBody { body: body.boxed(), line }))
        }
        // The request was abandoned, and its route is not known. The error has its answer.
        Err(error) => {
            let response = error.error_response();
            let line = line.answered(&response, None, None);
            let response = response.map_body(|_, body| LoggedBody { body, line }.boxed());
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// The body of an answer. When it is sent, or when the client is gone, the request is logged.
pub(super) struct LoggedBody {
    body: BoxBody,
    line: Line,
}

impl MessageBody for LoggedBody {
    type Error = Box<dyn StdError>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_next(context);
        if let Poll::Ready(Some(Ok(bytes))) = &polled {
            self.line.body_bytes += bytes.len();
        }
        polled
    }
}

/// The line of a request. It is logged when it is dropped.
struct Line {
    wanted: RequestLog,
    began_at: Instant,
    method: &'static str,
    client: Option<IpAddr>,
    /// `None` until there is an answer.
    status: Option<StatusCode>,
    route: Option<String>,
    request_id: Option<String>,
    actor_id: Option<UserId>,
    body_bytes: usize,
}

impl Line {
    fn of(request: &ServiceRequest) -> Self {
        let settings = request.app_data::<Data<Settings>>();
        Self {
            wanted: settings.map_or(RequestLog::Off, |settings| settings.request_log),
            began_at: Instant::now(),
            method: method_label(request.method()),
            client: settings.and_then(|settings| client_ip(request.request(), &settings.trusted_proxies)),
            status: None,
            route: None,
            request_id: None,
            actor_id: None,
            body_bytes: 0,
        }
    }

    fn answered<B>(mut self, response: &HttpResponse<B>, route: Option<String>, actor_id: Option<UserId>) -> Self {
        self.status = Some(response.status());
        self.request_id = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
        (self.route, self.actor_id) = (route, actor_id);
        self
    }

    fn is_wanted(&self) -> bool {
        match self.wanted {
            RequestLog::Off => false,
            RequestLog::Errors => self.status.is_some_and(|status| status.is_server_error()),
            RequestLog::On => true,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.is_wanted() {
            return;
        }
        let what = if self.status.is_some() { "request" } else { "request, given up by its client" };
        tracing::info!(
            target: TARGET,
            parent: None,
            {
                request.id = self.request_id,
                http.method = self.method,
                http.route = self.route.as_deref().unwrap_or("none"),
                http.status = self.status.map(|status| status.as_u16()),
                duration_ms = u64::try_from(self.began_at.elapsed().as_millis()).unwrap_or(u64::MAX),
                body_bytes = self.body_bytes,
                actor.id = self.actor_id.map(field::display),
                client.address = self.client.map(field::display)
            },
            "{what}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_logged(wanted: RequestLog, status: Option<u16>) -> bool {
        let line = Line {
            wanted,
            began_at: Instant::now(),
            method: "GET",
            client: None,
            status: status.map(|status| StatusCode::from_u16(status).expect("a status")),
            route: None,
            request_id: None,
            actor_id: None,
            body_bytes: 0,
        };
        line.is_wanted()
    }

    #[test]
    fn the_setting_says_which_requests_have_a_line() {
        assert!([Some(200), Some(404), Some(503), None].into_iter().all(|status| is_logged(RequestLog::On, status)));
        assert!([Some(200), Some(404), Some(503), None].into_iter().all(|status| !is_logged(RequestLog::Off, status)));
        assert!(is_logged(RequestLog::Errors, Some(500)) && is_logged(RequestLog::Errors, Some(503)));
        assert!(!is_logged(RequestLog::Errors, Some(404)) && !is_logged(RequestLog::Errors, None));
    }
}
