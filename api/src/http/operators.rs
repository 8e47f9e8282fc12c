//! The operators' address: the metrics of the process, and the state of each store. docs/OPERATIONS.md describes it.
//! The OpenAPI document does not, because it is for clients.

use std::sync::Arc;

use actix_web::web::{Bytes, Data, ServiceConfig};
use actix_web::{HttpResponse, get};
use futures::stream::{self, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::health::healthz;
use crate::health::Health;
use crate::metrics::{Figures, text_of};
use crate::problem::Problem;

/// The most scrapes at the same time. Each holds the metrics in memory until its client has read them.
pub const SCRAPES_MAX: usize = 4;

/// The running scrapes.
pub struct Scrapes(Arc<Semaphore>);

impl Default for Scrapes {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(SCRAPES_MAX)))
    }
}

impl Scrapes {
    fn begin(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let detail = format!("{SCRAPES_MAX} scrapes are running: try again");
        self.0.clone().try_acquire_owned().map_err(|_| Problem::unavailable("metrics.busy", detail))
    }
}

/// Registers all routes of the operators' address.
pub fn configure(config: &mut ServiceConfig) {
    config.service(healthz).service(readyz).service(metrics);
}

/// Shows the state of the server and of each store that it needs.
///
/// Everybody may ask, without a token. A load balancer sends requests only to servers that answer 200. A server that is
/// about to stop answers 503 before it refuses connections. The answer is up to a second old.
#[get("/readyz")]
pub async fn readyz(health: Data<Health>) -> HttpResponse {
    let readiness = health.readiness().await;
    let mut response = if readiness.serves() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(readiness)
}

/// Shows the metrics of this process in Prometheus' text format. The families are sent one after the other, so a slow
/// client makes the server hold the text of one family only.
#[get("/metrics")]
pub async fn metrics(figures: Data<Figures>, scrapes: Data<Scrapes>) -> Result<HttpResponse, Problem> {
    let under_way = scrapes.begin()?;
    let families = figures.families().await;
    let pieces = stream::iter(families).map(move |family| {
        // The permit is released when the client has read everything, or has disconnected.
        let _ = &under_way;
        text_of(&[family]).map(Bytes::from)
    });
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").streaming(pieces))
}

/// Refuses an address that does not exist.
///
/// # Errors
/// Always.
pub async fn answer_unknown() -> Result<HttpResponse, Problem> {
    Err(Problem::not_found("request.no_such_route", "there is no such address: /metrics, /readyz and /healthz are here"))
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use actix_web::http::StatusCode;

    use super::*;

    #[test]
    fn a_scrape_above_the_limit_is_refused_until_one_has_ended() {
        let scrapes = Scrapes::default();
        let mut under_way = (0..SCRAPES_MAX).map(|_| scrapes.begin().expect("room")).collect::<Vec<_>>();
        assert_eq!(scrapes.begin().map(drop).map_err(|problem| problem.status_code()), Err(StatusCode::SERVICE_UNAVAILABLE));
        under_way.pop();
        assert!(scrapes.begin().is_ok());
    }
}
