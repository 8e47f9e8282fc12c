//! Limits the time of an answer. A store may hang without closing its connections, and a request must not wait for it
//! for ever.

use std::time::Duration;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;

use crate::config::Settings;
use crate::problem::Problem;

/// Answers with a problem if the handler takes too long. The command may have run nevertheless.
///
/// # Errors
/// Returns the errors of the wrapped service, or that the answer took too long.
pub async fn answer_in_time<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let limit = request.app_data::<Data<Settings>>().map_or(Duration::MAX, |settings| settings.answer_max());
    within(limit, next.call(request)).await
}

async fn within<T>(limit: Duration, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
        tracing::warn!(limit_seconds = limit.as_secs(), "an answer took too long and was abandoned");
        let detail = "the answer took too long: try again, and send a command with the same Idempotency-Key";
        Err(Problem::unavailable("request.unanswered", detail).into())
    })
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::http::header::RETRY_AFTER;

    use super::*;

    #[tokio::test]
    async fn a_request_that_would_wait_for_ever_is_refused_with_retry_after() {
        let abandoned = within::<()>(Duration::from_millis(5), std::future::pending()).await.expect_err("no answer");
        let response = abandoned.error_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key(RETRY_AFTER));
    }

    #[tokio::test]
    async fn an_answer_in_time_is_given() {
        assert_eq!(within(Duration::from_secs(5), async { Ok(7) }).await.ok(), Some(7));
    }
}
