//! Writes the file of a month.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use sqlx::{PgPool, query, query_scalar};

use super::{ExportError, FORMAT, Line, Manifest, Month};

/// How many events are read at once.
const PAGE_EVENTS: i64 = 2_000;

/// Returns the first and the last position of a month that is over at `now`. They never change later.
///
/// # Errors
/// The month is not over or has no events, or the database cannot be used.
pub async fn positions(pool: &PgPool, month: Month, now: DateTime<Utc>) -> Result<RangeInclusive<i64>, ExportError> {
    let bounds = month.begin().zip(month.end()).ok_or_else(|| ExportError::NoMonth(month.to_string()))?;
    if bounds.1 > now {
        return Err(ExportError::NotClosed(month.to_string()));
    }
    let (first, last) = (first_at(pool, bounds.0).await?, first_at(pool, bounds.1).await? - 1);
    if first > last { Err(ExportError::Empty(month.to_string())) } else { Ok(first..=last) }
}

/// Writes the events at these positions into the folder, and returns the manifest and its path. Existing files are
/// replaced.
///
/// # Errors
/// The database or a file cannot be used.
pub async fn export(
    pool: &PgPool,
    month: Month,
    positions: RangeInclusive<i64>,
    checkpoint: Option<String>,
    folder: &Path,
) -> Result<(Manifest, PathBuf), ExportError> {
    let (first_position, last_position) = positions.into_inner();
    let file = format!("log-{month}.jsonl.gz");
    let path = folder.join(&file);
    let sha256 = write_events(pool, first_position, last_position, &path).await?;
    let (format, month_name, events) = (FORMAT.to_owned(), month.to_string(), last_position - first_position + 1);
    let manifest = Manifest { format, month: month_name, file, sha256, events, first_position, last_position, checkpoint };
    let manifest_path = folder.join(format!("log-{month}.manifest.json"));
    // Numbers and texts can always be written as JSON.
    let text = serde_json::to_string_pretty(&manifest).unwrap_or_default();
    std::fs::write(&manifest_path, text + "\n").map_err(|source| ExportError::File { path: manifest_path.clone(), source })?;
    Ok((manifest, manifest_path))
}

/// Returns the first position recorded at this time or later, or one more than the last position if there is none.
/// Positions and times increase together.
async fn first_at(pool: &PgPool, at: DateTime<Utc>) -> Result<i64, ExportError> {
    let head = query_scalar!(r#"SELECT coalesce(max(position), 0) AS "head!" FROM events"#).fetch_one(pool).await?;
    let (mut low, mut high) = (1, head + 1);
    while low < high {
        let middle = i64::midpoint(low, high);
        let recorded = query_scalar!("SELECT recorded_at FROM events WHERE position = $1", middle).fetch_one(pool).await?;
        if recorded < at { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// Returns the hash of the written file.
async fn write_events(pool: &PgPool, first: i64, last: i64, path: &Path) -> Result<String, ExportError> {
    let failed = |source| ExportError::File { path: path.to_owned(), source };
    let file = File::create(path).map_err(failed)?;
    let mut lines = GzEncoder::new(HashingWriter { file: BufWriter::new(file), hasher: Sha256::new() }, Compression::default());
    let mut after = first - 1;
    while after < last {
        for line in page(pool, after, last).await? {
            after = line.position;
            serde_json::to_writer(&mut lines, &line).map_err(|error| failed(error.into()))?;
            lines.write_all(b"\n").map_err(failed)?;
        }
    }
    let HashingWriter { mut file, hasher } = lines.finish().map_err(failed)?;
    file.flush().map_err(failed)?;
    file.get_ref().sync_all().map_err(failed)?;
    Ok(hex::encode(hasher.finalize()))
}

async fn page(pool: &PgPool, after: i64, last: i64) -> Result<Vec<Line>, ExportError> {
    let rows = query!(
        r#"SELECT position, event_id, aggregate_type, aggregate_id, sequence, workspace_id, recorded_at, event_type, event_version,
                  payload::text AS "payload!", metadata::text AS "metadata!", digest
           FROM events WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3"#,
        after,
        last,
        PAGE_EVENTS,
    );
    let lines = rows.fetch_all(pool).await?.into_iter().map(|row| Line {
        position: row.position,
        event_id: row.event_id,
        aggregate_type: row.aggregate_type,
        aggregate_id: row.aggregate_id,
        sequence: row.sequence,
        workspace_id: row.workspace_id,
        recorded_at: row.recorded_at,
        event_type: row.event_type,
        event_version: row.event_version,
        payload: row.payload,
        metadata: row.metadata,
        digest: hex::encode(row.digest),
    });
    Ok(lines.collect())
}

/// A writer that hashes everything it writes.
struct HashingWriter {
    file: BufWriter<File>,
    hasher: Sha256,
}

impl Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
