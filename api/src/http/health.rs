//! The state of the server. Load balancers get it without details that an attacker could use. Operators get it with
//! details (`operators.rs`). `crate::health` checks the parts.

use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse, get};
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::health::Health;

/// The server repeats an answer to load balancers for this time. More requests cause no more checks of the stores.
const CACHED_FOR: Duration = Duration::from_secs(1);

/// The process is running.
#[derive(Serialize, ToSchema)]
pub struct Alive {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Check that the process is running
///
/// Everybody may ask, without a token. The answer says nothing about the stores: a load balancer that asks here
/// restarts a process only if it hangs.
#[utoipa::path(tag = "health", security(()), responses((status = 200, description = "The process is running.", body = Alive)))]
#[get("/healthz")]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(Alive { status: "ok" })
}

/// Whether the server can serve.
#[derive(Serialize, ToSchema)]
pub struct Ready {
    /// `ready` or `unavailable`.
    #[schema(example = "ready")]
    status: &'static str,
}

/// The last result of the readiness check, and its time.
#[derive(Default)]
pub struct CachedReadiness(Mutex<Option<(Instant, bool)>>);

impl CachedReadiness {
    /// Checks again if the last result is too old. Concurrent callers wait for the one check.
    async fn serves(&self, health: &Health) -> bool {
        let mut last = self.0.lock().await;
        let serves = match *last {
            Some((at, serves)) if at.elapsed() < CACHED_FOR => serves,
            _ => {
                let serves = health.readiness().await.serves();
                *last = Some((Instant::now(), serves));
                serves
            }
        };
        // No result may hide that the process is about to stop.
        serves && !health.leaving.has_begun()
    }
}

/// Check that the server can serve; the operators' address names what is missing
///
/// Everybody may ask, without a token. A load balancer sends requests only to servers that answer 200. A server that is
/// about to stop answers 503 before it refuses connections. The answer is up to a second old.
#[utoipa::path(tag = "health", security(()), responses(
    (status = 200, description = "The server can serve.", body = Ready),
    (status = 503, description = "The server cannot serve now: Postgres or its schema is missing, or the server is about to stop.",
        body = Ready)))]
#[get("/readyz")]
pub async fn readyz(cached: Data<CachedReadiness>, health: Data<Health>) -> HttpResponse {
    match cached.serves(&health).await {
        true => HttpResponse::Ok().json(Ready { status: "ready" }),
        false => HttpResponse::ServiceUnavailable().json(Ready { status: "unavailable" }),
    }
}

/// Says in each answer of a process that is about to stop that the connection ends with it (`Connection: close`). So a
/// proxy sends its next request over another connection, which may lead to another server.
///
/// # Errors
/// Returns the errors of the wrapped service.
pub async fn release_connections<B: MessageBody + 'static>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let leaving = request.app_data::<Data<Health>>().map(|health| health.leaving.clone());
    let is_leaving = || leaving.as_ref().is_some_and(crate::health::Leaving::has_begun);
    match next.call(request).await {
        Ok(mut response) => {
            if is_leaving() {
                response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
            }
            Ok(response)
        }
        Err(error) if is_leaving() => {
            let mut response = error.error_response();
            response.head_mut().set_connection_type(ConnectionType::Close);
            Err(InternalError::from_response(error, response).into())
        }
        Err(error) => Err(error),
    }
}
