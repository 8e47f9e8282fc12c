//! The versions of streams in the database, and when they began.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::StreamId;
use sqlx::{PgPool, query, query_scalar};

use super::StoreError;

/// Returns the versions of those of the streams that exist.
pub(super) async fn versions(pool: &PgPool, streams: &[StreamId]) -> Result<HashMap<StreamId, i64>, StoreError> {
    let types = streams.iter().map(|s| s.aggregate.as_str().to_owned()).collect::<Vec<_>>();
    let ids = streams.iter().map(|s| s.id.to_string()).collect::<Vec<_>>();
    let rows = query!(
        r#"SELECT asked.place AS "place!", last.sequence AS "sequence!"
           FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (aggregate_type, aggregate_id, place)
           CROSS JOIN LATERAL (
               SELECT sequence FROM events
               WHERE events.aggregate_type = asked.aggregate_type AND events.aggregate_id = asked.aggregate_id
               ORDER BY sequence DESC LIMIT 1) AS last"#,
        &types,
        &ids,
    )
    .fetch_all(pool)
    .await?;
    let stream = |place: i64| usize::try_from(place - 1).ok().and_then(|place| streams.get(place)).copied();
    Ok(rows.into_iter().filter_map(|row| Some((stream(row.place)?, row.sequence))).collect())
}

/// Returns when the first event of the stream was recorded, if there is one.
pub(super) async fn first_recorded_at(pool: &PgPool, stream: StreamId) -> Result<Option<DateTime<Utc>>, StoreError> {
    let recorded_at = query_scalar!(
        "SELECT recorded_at FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = 1",
        stream.aggregate.as_str(),
        stream.id.to_string(),
    );
    Ok(recorded_at.fetch_optional(pool).await?)
}
