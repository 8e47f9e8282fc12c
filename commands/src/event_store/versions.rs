//! The versions of streams in the database.

use std::collections::HashMap;

use domain::StreamId;
use sqlx::{PgPool, query};

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
