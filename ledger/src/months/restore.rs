//! Restores a month, through the same function that every append uses.

use std::path::Path;

use domain::format::EventFormat;
use sqlx::{PgPool, query, query_scalar};
use stores::release::{self, Release};

use super::file::{Lines, read_manifest};
use super::{ExportError, Line, Manifest};

/// The number of events of one append.
const BATCH_EVENTS: usize = 500;

/// Appends a month to the log: the months in order, into a database that had no events of its own. Every digest is
/// checked.
///
/// # Errors
/// A file is not valid, the month is not the next one, or the database cannot be used. Events that were already
/// appended stay, and a second call refuses the month: begin again with an empty database.
pub async fn restore(pool: &PgPool, manifest_path: &Path) -> Result<Manifest, ExportError> {
    let manifest = read_manifest(manifest_path)?;
    // Everything is checked before anything is appended.
    let mut format = EventFormat::FIRST;
    for line in Lines::of(manifest_path, &manifest)? {
        let line = line?;
        format = format.max(EventFormat::of(&line.event_type, &line.event_version));
    }
    let head = query_scalar!(r#"SELECT coalesce(max(position), 0) AS "head!" FROM events"#).fetch_one(pool).await?;
    if head + 1 != manifest.first_position {
        return Err(ExportError::NotNext { head, first: manifest.first_position });
    }
    release::raise(&mut *pool.acquire().await?, format, &Release::this().version).await?;
    let mut batch = Vec::with_capacity(BATCH_EVENTS);
    for line in Lines::of(manifest_path, &manifest)? {
        batch.push(line?);
        if batch.len() == BATCH_EVENTS {
            append(pool, &batch).await?;
            batch.clear();
        }
    }
    append(pool, &batch).await?;
    Ok(manifest)
}

/// Names and idempotency keys are not in the log. They come from the database's own backup (docs/RETENTION.md).
async fn append(pool: &PgPool, lines: &[Line]) -> Result<(), ExportError> {
    let Some(first) = lines.first().map(|line| line.position) else { return Ok(()) };
    let column = |of: fn(&Line) -> String| lines.iter().map(of).collect::<Vec<_>>();
    let digests = lines.iter().map(|line| hex::decode(&line.digest).unwrap_or_default()).collect::<Vec<_>>();
    let head = query!(
        r#"SELECT append_events($1, $2, $3, $4, $5, $6, $7::text[]::json[], $8::text[]::json[], $9, $10, $11, $12,
                  '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}') AS "head!""#,
        first - 1,
        &column(|line| line.aggregate_type.clone()),
        &column(|line| line.aggregate_id.clone()),
        &lines.iter().map(|line| line.sequence).collect::<Vec<_>>(),
        &column(|line| line.event_type.clone()),
        &column(|line| line.event_version.clone()),
        &column(|line| line.payload.clone()),
        &column(|line| line.metadata.clone()),
        &lines.iter().map(|line| line.event_id).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.workspace_id).collect::<Vec<_>>() as _,
        &lines.iter().map(|line| line.recorded_at).collect::<Vec<_>>(),
        &digests,
    )
    .fetch_one(pool)
    .await?
    .head;
    if head + 1 == first { Ok(()) } else { Err(ExportError::NotNext { head, first }) }
}
