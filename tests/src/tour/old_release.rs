//! What a release before this one wrote, and this one does not write any more: put into the log as another node of that
//! release would have, by the database's append function.

use chrono::{DateTime, Utc};
use domain::Context;
use domain::ids::UserId;
use serde_json::Value;
use sqlx::{PgPool, Row};
use stores::log::event_digest;
use uuid::Uuid;

use super::Company;
use crate::TestApp;

const EVENT_TYPE: &str = "workspace.settings_changed";
const VERSION: &str = "1";
const PAYLOAD: &str = include_str!("../../../domain/fixtures/workspace.settings_changed.v1.json");

const APPEND: &str = "SELECT append_events($1, ARRAY ['workspace'], ARRAY [$2], ARRAY [$3::bigint], ARRAY [$4], ARRAY [$5], ARRAY [$6::json], ARRAY [$7::json],
    ARRAY [$8::uuid], ARRAY [$9::uuid], ARRAY [$10::timestamptz], ARRAY [$11::bytea],
    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')";

/// Version 1 of the workspace's settings, which said for how many days messages are kept. No server may run meanwhile.
pub(super) async fn change_settings(app: &TestApp, company: &Company) {
    let pool = app.database.pool(1).await;
    let (head, recorded_at, sequence) = last(&pool, company.team.id).await;
    let (position, sequence, event_id) = (head + 1, sequence + 1, Uuid::now_v7());
    let metadata = Context::of(UserId(company.team.owner.id), Utc::now(), Uuid::now_v7()).metadata("change workspace settings");
    let metadata = serde_json::to_string(&metadata).expect("JSON");
    let stream = company.team.id.to_string();
    let payload = serde_json::from_str::<Value>(PAYLOAD).expect("JSON").to_string();
    let digest = event_digest(
        position,
        "workspace",
        &stream,
        sequence,
        EVENT_TYPE,
        VERSION,
        &payload,
        &metadata,
        event_id,
        Some(company.team.id),
        recorded_at,
    );
    let append = sqlx::query(APPEND).bind(head).bind(&stream).bind(sequence).bind(EVENT_TYPE).bind(VERSION).bind(&payload).bind(&metadata);
    let append = append.bind(event_id).bind(company.team.id).bind(recorded_at).bind(digest.to_vec());
    let before: i64 = append.fetch_one(&pool).await.expect("an event of an older release").get(0);
    assert_eq!(before, head, "nobody else writes meanwhile");
}

/// Where the log ends, the moment of an event that comes then, and how long the workspace's stream is.
async fn last(pool: &PgPool, workspace_id: Uuid) -> (i64, DateTime<Utc>, i64) {
    let statement = "SELECT max(position), greatest(now(), max(recorded_at) + interval '1 microsecond'),
        max(sequence) FILTER (WHERE aggregate_type = 'workspace' AND aggregate_id = $1) FROM events";
    sqlx::query_as(statement).bind(workspace_id.to_string()).fetch_one(pool).await.expect("the log")
}
