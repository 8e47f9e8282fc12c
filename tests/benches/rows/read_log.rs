//! Reads the log for a replay and decodes every event. The reference: stock postgres-es replays the same events from
//! its own table to a query that does nothing.

use std::time::Instant;

use cqrs_es::persist::QueryReplay;
use cqrs_es::{Aggregate, EventEnvelope, Query};
use domain::{Channel, Message, User, Workspace};
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;
use tests::TestDatabase;

use super::archive::{self, archive};
use crate::appenders::STOCK_TABLE;
use crate::report::{Goal, Report};
use crate::runs::{Runs, runs};

pub async fn measure(report: &mut Report) {
    let archive = archive();
    let database = TestDatabase::create().await;
    archive::import_only(&database, &archive).await;
    let pool = database.pool(4).await;
    let (ours, stock) = (pool.clone(), stock(&database, &pool).await);
    let keys = tests::keyring(&ours).await;
    let (mut reads, mut replays) = (Runs::default(), Runs::default());
    let mut events = 0;
    for _ in 0..runs() {
        let began = Instant::now();
        let mut decoded = 0_u64;
        events = stores::log::read_log(&ours, &keys, |event| decoded += u64::from(event.is_ok())).await.expect("the log");
        assert_eq!(decoded, events.unsigned_abs(), "every event is decoded");
        reads.push(events as f64 / began.elapsed().as_secs_f64());
        let began = Instant::now();
        replay(&stock).await;
        replays.push(events as f64 / began.elapsed().as_secs_f64());
    }
    report.over(format!("{}, imported: {events} events; the reference replays the same ones, type by type", archive::name(&archive)));
    report.compare("read-log, decoded", "events/s", &reads, ("stock postgres-es replay", &replays), Goal::AtLeast(1.0));
    report.state("read-log, decoded", "events/s", &reads, Goal::AtLeast(230_000.0));
}

/// A pool whose search path has the table of stock postgres-es with all events of the log.
async fn stock(database: &TestDatabase, pool: &PgPool) -> PgPool {
    let table = STOCK_TABLE.replacen("TABLE events", "TABLE stock.events", 1);
    for statement in [
        "CREATE SCHEMA stock",
        &table,
        "INSERT INTO stock.events SELECT aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata
         FROM public.events ORDER BY position",
        "VACUUM ANALYZE stock.events",
        "VACUUM ANALYZE public.events",
    ] {
        sqlx::raw_sql(statement).execute(pool).await.expect("the table of postgres-es");
    }
    let options = database.url.parse::<sqlx::postgres::PgConnectOptions>().expect("an address").options([("search_path", "stock")]);
    PgPool::connect_with(options).await.expect("the database")
}

async fn replay(pool: &PgPool) {
    replay_all::<User>(pool).await;
    replay_all::<Workspace>(pool).await;
    replay_all::<Channel>(pool).await;
    replay_all::<Message>(pool).await;
}

async fn replay_all<A: Aggregate>(pool: &PgPool) {
    QueryReplay::<_, _, A>::new(PostgresEventRepository::new(pool.clone()), Nothing).replay_all().await.expect("a replay");
}

struct Nothing;

#[async_trait::async_trait]
impl<A: Aggregate> Query<A> for Nothing {
    async fn dispatch(&self, _: &str, _: &[EventEnvelope<A>]) {}
}
