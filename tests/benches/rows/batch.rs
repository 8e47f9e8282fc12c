//! Appends of a hundred events per batch, by one caller. Like an import, each request has a hundred messages. The
//! reference is an INSERT of as many rows into a table with the same columns and indexes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::Utc;
use commands::EventStore;
use domain::ids::MessageId;
use domain::{Event, StreamId};
use sqlx::PgPool;
use tests::TestDatabase;
use uuid::Uuid;

use crate::furnish::{Furnished, append, context};
use crate::load::rate;
use crate::report::{Goal, Report};
use crate::runs::{Runs, runs};

const EVENTS: u64 = 100;

pub async fn measure(report: &mut Report) {
    report.over(format!(
        "{EVENTS} messages a request, each of a stream of its own, one request after the other; the reference has no lock, head, digest or \
         function: one INSERT … SELECT FROM unnest"
    ));
    let (ours, bare) = (TestDatabase::create().await, TestDatabase::create().await);
    let ours = ours.pool(4).await;
    let store = EventStore::start(ours.clone(), tests::keyring(&ours).await).await.expect("the store");
    let furnished = Furnished::with(&store, 10).await;
    let pool = bare.pool(1).await;
    sqlx::raw_sql("CREATE TABLE bare (LIKE public.events INCLUDING ALL)").execute(&pool).await.expect("a table");
    let position = Arc::new(AtomicI64::new(0));
    let (mut batches, mut inserts) = (Runs::default(), Runs::default());
    for _ in 0..runs() {
        batches.push(EVENTS as f64 * ours_rate(&store, &furnished).await);
        inserts.push(EVENTS as f64 * bare_rate(&pool, &furnished, &position).await);
    }
    report.compare("batch, 100 events", "events/s", &batches, ("bare unnest INSERT", &inserts), Goal::AtLeast(0.8));
}

fn events(furnished: &Furnished, n: u64) -> impl Iterator<Item = (StreamId, Event)> {
    let now = Utc::now();
    (n * EVENTS..(n + 1) * EVENTS).map(move |n| (StreamId::message(MessageId(Uuid::now_v7())), furnished.posted(n, now)))
}

async fn ours_rate(store: &EventStore, furnished: &Furnished) -> f64 {
    let (store, furnished) = (store.clone(), furnished.clone());
    rate(1, move |n| {
        let store = store.clone();
        let streams = events(&furnished, n).map(|(stream, event)| (stream, Some(furnished.workspace_id), vec![event])).collect();
        async move {
            append(&store, streams).await;
        }
    })
    .await
}

async fn bare_rate(pool: &PgPool, furnished: &Furnished, position: &Arc<AtomicI64>) -> f64 {
    let (pool, furnished, position) = (pool.clone(), furnished.clone(), Arc::clone(position));
    rate(1, move |n| {
        let first = position.fetch_add(EVENTS as i64, Ordering::Relaxed);
        insert(pool.clone(), first, furnished.workspace_id.0, events(&furnished, n).collect())
    })
    .await
}

async fn insert(pool: PgPool, first: i64, workspace_id: Uuid, events: Vec<(StreamId, Event)>) {
    let count = events.len();
    let metadata = serde_json::to_string(&context(domain::ids::UserId::SYSTEM).metadata("furnish")).expect("JSON");
    let insert =
        "INSERT INTO bare (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, event_id,
                                    workspace_id, recorded_at, digest)
                  SELECT p, t, i, s, e, v, j::json, m::json, u, w, r, d
                  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                              $9::uuid[], $10::uuid[], $11::timestamptz[], $12::bytea[]) AS batch (p, t, i, s, e, v, j, m, u, w, r, d)";
    sqlx::query(insert)
        .bind((first + 1..=first + count as i64).collect::<Vec<_>>())
        .bind(vec!["message"; count])
        .bind(events.iter().map(|(stream, _)| stream.id.to_string()).collect::<Vec<_>>())
        .bind(vec![1_i64; count])
        .bind(events.iter().map(|(_, event)| event.wire_name()).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.version()).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| serde_json::to_string(event).expect("JSON")).collect::<Vec<_>>())
        .bind(vec![metadata; count])
        .bind(events.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
        .bind(vec![workspace_id; count])
        .bind(vec![Utc::now(); count])
        .bind(vec![vec![7_u8; 32]; count])
        .execute(&pool)
        .await
        .expect("a batch");
}
