//! How the server is: for load balancers, for operators, and for Prometheus.

use projections::Stores;
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use async_nats::Client;
use async_nats::connection::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::metrics::Figures;
use crate::problem::Problem;

/// How long each part may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// The process lives.
#[derive(Serialize, ToSchema)]
pub struct Alive {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Check that the process lives
#[utoipa::path(tag = "health", security(()), responses((status = 200, description = "The process lives.", body = Alive)))]
#[get("/healthz")]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(Alive { status: "ok" })
}

/// The state of the server and its stores.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// `ready`; `degraded` if a store is missing without which the server can work for a while; `unavailable` if it
    /// cannot serve.
    status: &'static str,
    /// Without Postgres there are neither commands nor queries.
    postgres: Part,
    /// Without Redis the server reads sessions from Postgres.
    redis: Part,
    /// Without NATS the projections poll the log.
    nats: Part,
    /// Whether Postgres has the schema that this release needs.
    migrations: Part,
    /// The position of the read model.
    projector: Part,
    /// Present if Elasticsearch is configured. Without Elasticsearch, Postgres answers searches.
    #[serde(skip_serializing_if = "Option::is_none")]
    elasticsearch: Option<Part>,
}

/// The state of one store.
#[derive(Debug, Serialize, ToSchema)]
pub struct Part {
    /// Whether it works.
    ok: bool,
    /// Its state, or the error.
    state: String,
}

impl Part {
    fn from(result: Result<String, String>) -> Self {
        match result {
            Ok(state) => Self { ok: true, state },
            Err(state) => Self { ok: false, state },
        }
    }
}

/// Check that the server can serve, and report each store's state
#[utoipa::path(tag = "health", security(()), responses(
    (status = 200, description = "The server can serve.", body = Readiness),
    (status = 503, description = "The server cannot serve: Postgres or its schema is missing.", body = Readiness)))]
#[get("/readyz")]
pub async fn readyz(stores: Data<Stores>, nats: Data<Client>) -> HttpResponse {
    let readiness = readiness(&stores, &nats).await;
    let mut response = if readiness.status == "unavailable" { HttpResponse::ServiceUnavailable() } else { HttpResponse::Ok() };
    response.json(readiness)
}

async fn readiness(stores: &Stores, client: &Client) -> Readiness {
    let (postgres, redis, migrations, projector, elasticsearch) = tokio::join!(
        within(postgres(stores)),
        within(redis(stores)),
        within(migrations_state(stores)),
        within(projector(stores)),
        elasticsearch(stores)
    );
    let nats = Part::from(nats(client));
    let searches = elasticsearch.as_ref().is_none_or(|part| part.ok);
    let status = match (postgres.ok && migrations.ok, redis.ok && nats.ok && projector.ok && searches) {
        (true, true) => "ready",
        (true, false) => "degraded",
        (false, _) => "unavailable",
    };
    Readiness { status, postgres, redis, nats, migrations, projector, elasticsearch }
}

async fn within(check: impl Future<Output = Result<String, String>>) -> Part {
    let timed = tokio::time::timeout(ANSWER_MAX, check).await;
    Part::from(timed.unwrap_or_else(|_| Err(format!("no answer within {} s", ANSWER_MAX.as_secs()))))
}

async fn postgres(stores: &Stores) -> Result<String, String> {
    stores::postgres::ping(&stores.pool).await.map(|()| "answers".to_owned()).map_err(|error| error.to_string())
}

async fn redis(stores: &Stores) -> Result<String, String> {
    stores.redis.ping().await.map(|()| "answers".to_owned()).map_err(|error| error.to_string())
}

fn nats(client: &Client) -> Result<String, String> {
    let state = client.connection_state();
    if state == State::Connected { Ok(state.to_string()) } else { Err(state.to_string()) }
}

async fn migrations_state(stores: &Stores) -> Result<String, String> {
    let missing = stores::postgres::missing_migrations(&stores.pool).await.map_err(|error| error.to_string())?;
    if missing.is_empty() { Ok("all applied".into()) } else { Err(format!("missing: {}; run `backscroll migrate`", missing.join(", "))) }
}

async fn projector(stores: &Stores) -> Result<String, String> {
    let states = projections::states(&stores.pool).await.map_err(|error| error.to_string())?;
    let lags = states.iter().map(|state| format!("{} at {} of {}", state.name, state.position, state.head)).collect::<Vec<_>>().join("; ");
    let parked = states.iter().map(|state| state.parked.len()).sum::<usize>();
    if parked == 0 { Ok(lags) } else { Err(format!("{lags}; {parked} keys are parked: GET /v1/projections")) }
}

async fn elasticsearch(stores: &Stores) -> Option<Part> {
    Some(within(stores.elastic.as_ref()?.health()).await)
}

/// Get this process's metrics in Prometheus's text format
#[utoipa::path(tag = "health", security(()), responses((status = 200, description = "The metrics.", content_type = "text/plain", body = String)))]
#[get("/metrics")]
pub async fn metrics(figures: Data<Figures>) -> Result<HttpResponse, Problem> {
    let text = figures.as_text().await.map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}
