//! Asks the stores at the start and every few seconds, so that an outage is logged when it begins and when it ends, and
//! not only when a request needs the store. NATS reports its own state ([`stores::nats::Link`]).

use std::time::Duration;

use projections::search::elasticsearch::Elastic;
use sqlx::PgPool;
use stores::breaker::Breaker;
use stores::postgres;
use tokio_util::sync::CancellationToken;

use super::App;
use crate::health::Leaving;

/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Watches until `shutdown`.
pub(super) async fn run(app: App, leaving: Leaving, shutdown: CancellationToken) {
    let (database, search) = (Breaker::needed("postgres"), Breaker::of("elasticsearch"));
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            ((), (), ()) = async { tokio::join!(look_at_postgres(&app.pool, &database, &leaving), look_at_redis(&app), look_at_search(&app, &search)) } => {}
        }
    }
}

/// Redis logs its own changes.
async fn look_at_redis(app: &App) {
    let _ = app.stores.redis.ping().await;
}

async fn look_at_postgres(pool: &PgPool, state: &Breaker, leaving: &Leaving) {
    match postgres::ping(pool).await {
        Ok(()) => state.worked(),
        // A pool that is busy is no outage.
        Err(error) if pool.size() > 0 && matches!(error, sqlx::Error::PoolTimedOut) => {}
        // Connections of the threads that served HTTP end with these threads.
        Err(_) if leaving.has_begun() => {}
        Err(error) => state.failed(&postgres::explain(&pool.connect_options(), error).await),
    }
}

async fn look_at_search(app: &App, state: &Breaker) {
    let Some(health) = app.stores.elastic.as_ref().map(Elastic::health) else { return };
    match health.await {
        Ok(_) => state.worked(),
        Err(reason) => state.failed(&reason),
    }
}
