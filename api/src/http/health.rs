//! The state of the server. Load balancers get it without details that an attacker could use. Operators get it with
//! details (`operators.rs`).

use projections::Connections;
use std::time::{Duration, Instant};

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use async_nats::Client;
use async_nats::connection::State;
use serde::Serialize;
use stores::nats::Link;
use tokio::sync::Mutex;
use utoipa::ToSchema;

/// The longest time that each store may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
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
    async fn serves(&self, stores: &Connections, nats: &Client, link: &Link) -> bool {
        let mut last = self.0.lock().await;
        match *last {
            Some((at, serves)) if at.elapsed() < CACHED_FOR => serves,
            _ => {
                let serves = readiness(stores, nats, link).await.serves();
                *last = Some((Instant::now(), serves));
                serves
            }
        }
    }
}

/// Check that the server can serve; the operators' address names the store that is missing
#[utoipa::path(tag = "health", security(()), responses(
    (status = 200, description = "The server can serve.", body = Ready),
    (status = 503, description = "The server cannot serve now: Postgres or its schema is missing.", body = Ready)))]
#[get("/readyz")]
pub async fn readyz(cached: Data<CachedReadiness>, stores: Data<Connections>, nats: Data<Client>, link: Data<Link>) -> HttpResponse {
    match cached.serves(&stores, &nats, &link).await {
        true => HttpResponse::Ok().json(Ready { status: "ready" }),
        false => HttpResponse::ServiceUnavailable().json(Ready { status: "unavailable" }),
    }
}

/// The state of the server and its stores, for operators.
#[derive(Debug, Serialize)]
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
#[derive(Debug, Serialize)]
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

impl Readiness {
    /// Whether the server can serve.
    pub fn serves(&self) -> bool {
        self.postgres.ok && self.migrations.ok
    }
}

/// Reads the state of every store.
pub async fn readiness(stores: &Connections, client: &Client, link: &Link) -> Readiness {
    let (postgres, redis, migrations, projector, elasticsearch) = tokio::join!(
        within(postgres(stores)),
        within(redis(stores)),
        within(migrations_state(stores)),
        within(projector(stores)),
        elasticsearch(stores)
    );
    let nats = Part::from(nats(client, link));
    let searches = elasticsearch.as_ref().is_none_or(|part| part.ok);
    let status = match (postgres.ok && migrations.ok, redis.ok && nats.ok && projector.ok && searches) {
        (true, true) => "ready",
        (true, false) => "degraded",
        (false, _) => "unavailable",
    };
    Readiness { status, postgres, redis, nats, migrations, projector, elasticsearch }
}

async fn within(check: impl Future<Output = Result<String, String>>) -> Part {
    let timed = tokio::time::timeout(ANSWER_TIMEOUT, check).await;
    Part::from(timed.unwrap_or_else(|_| Err(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()))))
}

async fn postgres(stores: &Connections) -> Result<String, String> {
    stores::postgres::ping(&stores.pool).await.map(|()| "answers".to_owned()).map_err(|error| error.to_string())
}

async fn redis(stores: &Connections) -> Result<String, String> {
    let answer = stores.redis.ping().await;
    answer.map(|()| "answers".to_owned()).map_err(|error| stores.redis.diagnosis().unwrap_or_else(|| error.to_string()))
}

fn nats(client: &Client, link: &Link) -> Result<String, String> {
    let state = client.connection_state();
    match link.diagnosis() {
        Some(diagnosis) => Err(diagnosis.to_string()),
        None if state == State::Connected => Ok(state.to_string()),
        None => Err(state.to_string()),
    }
}

async fn migrations_state(stores: &Connections) -> Result<String, String> {
    let missing = stores::postgres::missing_migrations(&stores.pool).await.map_err(|error| error.to_string())?;
    if missing.is_empty() { Ok("all applied".into()) } else { Err(format!("missing: {}; run `backscroll migrate`", missing.join(", "))) }
}

async fn projector(stores: &Connections) -> Result<String, String> {
    let states = projections::states(&stores.pool).await.map_err(|error| error.to_string())?;
    let lags = states.iter().map(|state| format!("{} at {} of {}", state.name, state.position, state.head)).collect::<Vec<_>>().join("; ");
    let parked = states.iter().map(|state| state.parked.len()).sum::<usize>();
    if parked == 0 { Ok(lags) } else { Err(format!("{lags}; {parked} keys are parked: GET /v1/projections")) }
}

async fn elasticsearch(stores: &Connections) -> Option<Part> {
    Some(within(stores.elastic.as_ref()?.health()).await)
}
