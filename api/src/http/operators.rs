//! What the operators' address answers: the figures of the process, and how each part of the server is. Not in the OpenAPI document, which is
//! for clients: docs/OPERATIONS.md describes it.

use std::sync::Arc;

use actix_web::web::{Bytes, Data, ServiceConfig};
use actix_web::{HttpResponse, get};
use async_nats::Client;
use futures::stream::{self, StreamExt};
use projections::Connections;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::health::{healthz, readiness};
use crate::metrics::{Figures, text_of};
use crate::problem::Problem;

/// How many scrapes there may be at a time. Each holds the figures until its client has taken them.
pub const SCRAPES_MAX: usize = 4;

/// The scrapes that are under way.
pub struct Scrapes(Arc<Semaphore>);

impl Default for Scrapes {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(SCRAPES_MAX)))
    }
}

impl Scrapes {
    fn begin(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let detail = format!("{SCRAPES_MAX} scrapes are under way: try again");
        self.0.clone().try_acquire_owned().map_err(|_| Problem::unavailable("metrics.busy", detail))
    }
}

/// All that there is at the operators' address.
pub fn configure(config: &mut ServiceConfig) {
    config.service(healthz).service(readyz).service(metrics);
}

/// Says how the server and each part that it needs are.
#[get("/readyz")]
pub async fn readyz(stores: Data<Connections>, nats: Data<Client>) -> HttpResponse {
    let readiness = readiness(&stores, &nats).await;
    let mut response = if readiness.serves() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(readiness)
}

/// Shows the figures of this process, in Prometheus' text format, one family after the other: a slow reader holds no text but the next one.
#[get("/metrics")]
pub async fn metrics(figures: Data<Figures>, scrapes: Data<Scrapes>) -> Result<HttpResponse, Problem> {
    let under_way = scrapes.begin()?;
    let families = figures.families().await;
    let pieces = stream::iter(families).map(move |family| {
        // The place among the scrapes is free again when the client has taken everything, or is gone.
        let _ = &under_way;
        text_of(&[family]).map(Bytes::from)
    });
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").streaming(pieces))
}

/// Says that there is nothing else.
///
/// # Errors
/// Always.
pub async fn answer_unknown() -> Result<HttpResponse, Problem> {
    Err(Problem::not_found("request.no_such_route", "operators have /metrics, /readyz and /healthz here"))
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use actix_web::http::StatusCode;

    use super::*;

    #[test]
    fn there_are_no_more_scrapes_than_may_be_until_one_has_ended() {
        let scrapes = Scrapes::default();
        let mut under_way = (0..SCRAPES_MAX).map(|_| scrapes.begin().expect("room")).collect::<Vec<_>>();
        assert_eq!(scrapes.begin().map(drop).map_err(|problem| problem.status_code()), Err(StatusCode::SERVICE_UNAVAILABLE));
        under_way.pop();
        assert!(scrapes.begin().is_ok());
    }
}
