//! Events that another release writes and this one does not. They are appended as a process of that release would
//! append them: with the database's append function.

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use domain::{Context, StreamId};
use serde_json::Value;
use sqlx::{PgPool, query_as, query_scalar};
use stores::log::event_digest;
use uuid::Uuid;

/// An event of another release.
pub struct OtherEvent<'a> {
    /// The stream of the event.
    pub stream: StreamId,
    /// The workspace of the event.
    pub workspace_id: Uuid,
    /// The user that caused the event.
    pub actor: Uuid,
    /// The event type, as it is stored.
    pub event_type: &'a str,
    /// The version of the payload.
    pub version: &'a str,
    /// The payload.
    pub payload: Value,
}

const APPEND: &str =
    "SELECT append_events($1, ARRAY [$2], ARRAY [$3], ARRAY [$4::bigint], ARRAY [$5], ARRAY [$6], ARRAY [$7::json], ARRAY [$8::json],
    ARRAY [$9::uuid], ARRAY [$10::uuid], ARRAY [$11::timestamptz], ARRAY [$12::bytea],
    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')";

/// Appends the event, and returns its position. No server may write at the same time.
///
/// # Panics
/// Panics if the event is not appended.
pub async fn append(pool: &PgPool, event: &OtherEvent<'_>) -> i64 {
    let (aggregate_type, aggregate_id) = (event.stream.aggregate.as_str(), event.stream.id.to_string());
    let (head, recorded_at, sequence) = last(pool, event.stream).await;
    let (position, sequence, event_id) = (head + 1, sequence + 1, Uuid::now_v7());
    let metadata = Context::of(UserId(event.actor), Utc::now(), Uuid::now_v7()).metadata("a command of another release");
    let (payload, metadata) = (event.payload.to_string(), serde_json::to_string(&metadata).expect("JSON"));
    let digest = event_digest(
        position,
        aggregate_type,
        &aggregate_id,
        sequence,
        event.event_type,
        event.version,
        &payload,
        &metadata,
        event_id,
        Some(event.workspace_id),
        recorded_at,
    );
    let append = query_scalar::<_, i64>(APPEND).bind(head).bind(aggregate_type).bind(aggregate_id).bind(sequence);
    let append = append.bind(event.event_type).bind(event.version).bind(payload).bind(metadata);
    let append = append.bind(event_id).bind(event.workspace_id).bind(recorded_at).bind(digest.to_vec());
    assert_eq!(append.fetch_one(pool).await.expect("an event of another release"), head, "no other process appends at the same time");
    position
}

/// The last position of the log, the time for the next event, and the version of the stream.
async fn last(pool: &PgPool, stream: StreamId) -> (i64, DateTime<Utc>, i64) {
    let statement = "SELECT max(position), greatest(now(), max(recorded_at) + interval '1 microsecond'),
        coalesce(max(sequence) FILTER (WHERE aggregate_type = $1 AND aggregate_id = $2), 0) FROM events";
    let last = query_as(statement).bind(stream.aggregate.as_str()).bind(stream.id.to_string());
    last.fetch_one(pool).await.expect("the log")
}
