//! The tables of the proof in Postgres: tiles, and signed heads.

use std::ops::RangeInclusive;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgExecutor, query, query_as, query_scalar};

use super::tiles::{Reader, TileId, Tiles, tiles_of};
use super::tree::Error;

/// A signed head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The number of events that it covers.
    pub size: i64,
    /// The root hash of the tree.
    pub root: Vec<u8>,
    /// The signed note.
    pub note: String,
    /// When it was signed.
    pub signed_at: DateTime<Utc>,
}

/// How long an event may be in no signed head. Usually it takes less than a second.
const UNSIGNED_MAX: TimeDelta = TimeDelta::seconds(60);

/// The events that are in no signed head yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsigned {
    /// How many there are.
    pub events: i64,
    /// When the first of them was recorded.
    pub since: Option<DateTime<Utc>>,
    /// When the newest head was signed.
    pub signed_at: Option<DateTime<Utc>>,
}

impl Unsigned {
    /// Whether they should have been signed long ago. While the consumer catches up with a long log, it signs heads.
    #[must_use]
    pub fn is_old(&self, now: DateTime<Utc>) -> bool {
        let is_old = |at: DateTime<Utc>| at + UNSIGNED_MAX < now;
        self.since.is_some_and(is_old) && self.signed_at.is_none_or(is_old)
    }
}

impl std::fmt::Display for Unsigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the last {} events are in no signed head", self.events)?;
        self.since.map_or(Ok(()), |since| write!(f, ", the first of them since {}", since.format("%F %T UTC")))
    }
}

/// A position, and the digest of its event.
pub(super) struct Digest {
    pub(super) position: i64,
    pub(super) digest: Vec<u8>,
}

/// Returns the head that was signed last.
pub(super) async fn newest(executor: impl PgExecutor<'_>) -> sqlx::Result<Option<StoredCheckpoint>> {
    query_as!(StoredCheckpoint, "SELECT size, root, note, signed_at FROM proof.checkpoints ORDER BY size DESC LIMIT 1")
        .fetch_optional(executor)
        .await
}

/// Returns the size of the last head that is known to have been signed by the present keys, or to have been sent away.
pub(super) async fn signed_size(executor: impl PgExecutor<'_>) -> sqlx::Result<Option<i64>> {
    query_scalar!(
        "SELECT greatest((SELECT max(first_size) FROM proof.keys WHERE retired_at IS NULL), (SELECT max(size) FROM proof.deliveries))"
    )
    .fetch_one(executor)
    .await
}

/// Returns the events that are in no signed head.
pub(super) async fn unsigned(executor: impl PgExecutor<'_>) -> sqlx::Result<Unsigned> {
    query_as!(
        Unsigned,
        r#"WITH head AS (SELECT size, signed_at FROM proof.checkpoints ORDER BY size DESC LIMIT 1)
           SELECT greatest((SELECT max(position) FROM events) - coalesce((SELECT size FROM head), 0), 0) AS "events!",
                  (SELECT recorded_at FROM events WHERE position > coalesce((SELECT size FROM head), 0) ORDER BY position LIMIT 1) AS since,
                  (SELECT signed_at FROM head) AS signed_at"#
    )
    .fetch_one(executor)
    .await
}

/// Returns the requested tiles that exist.
pub(super) async fn tiles(executor: impl PgExecutor<'_>, wanted: impl IntoIterator<Item = TileId>) -> sqlx::Result<Tiles> {
    let (levels, indexes): (Vec<_>, Vec<_>) = wanted.into_iter().map(|tile| (i16::from(tile.level), stored(tile.index))).unzip();
    let rows = query!(
        r#"SELECT level, index, hashes FROM proof.tiles JOIN unnest($1::smallint[], $2::bigint[]) AS wanted (level, index) USING (level, index)"#,
        &levels,
        &indexes
    );
    let rows = rows.fetch_all(executor).await?;
    Ok(rows
        .into_iter()
        .map(|row| (TileId { level: row.level.try_into().unwrap_or(u8::MAX), index: row.index.unsigned_abs() }, row.hashes))
        .collect())
}

/// Computes something, after loading the tiles that it needs.
pub(super) async fn compute<T>(
    executor: impl PgExecutor<'_>,
    compute: impl Fn(&Reader<'_>) -> Result<T, Error>,
) -> sqlx::Result<Result<T, Error>> {
    Ok(tiles(executor, tiles_of(&compute)).await?.compute(compute))
}

/// Writes new tiles, and tiles that have grown.
pub(super) async fn put_tiles(connection: &mut PgConnection, tiles: Vec<(TileId, Vec<u8>)>) -> sqlx::Result<()> {
    let (levels, indexes): (Vec<_>, Vec<_>) = tiles.iter().map(|(tile, _)| (i16::from(tile.level), stored(tile.index))).unzip();
    let hashes = tiles.into_iter().map(|(_, hashes)| hashes).collect::<Vec<_>>();
    query!(
        "INSERT INTO proof.tiles (level, index, hashes) SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])
         ON CONFLICT (level, index) DO UPDATE SET hashes = excluded.hashes",
        &levels,
        &indexes,
        &hashes
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Returns the last signed head whose size is in this range.
pub(super) async fn within(executor: impl PgExecutor<'_>, sizes: RangeInclusive<i64>) -> sqlx::Result<Option<StoredCheckpoint>> {
    let (first, last) = sizes.into_inner();
    query_as!(
        StoredCheckpoint,
        "SELECT size, root, note, signed_at FROM proof.checkpoints WHERE size BETWEEN $1 AND $2 ORDER BY size DESC LIMIT 1",
        first,
        last
    )
    .fetch_optional(executor)
    .await
}

/// Writes a signed head. It replaces one of the same size that was signed with other keys.
pub(super) async fn put_checkpoint(connection: &mut PgConnection, size: i64, root: &[u8], note: &str) -> sqlx::Result<()> {
    query!(
        "INSERT INTO proof.checkpoints (size, root, note) VALUES ($1, $2, $3)
         ON CONFLICT (size) DO UPDATE SET note = excluded.note, signed_at = now()",
        size,
        root,
        note
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Deletes heads that are older than a day, except the last of each hour, and the first and last of each key.
pub(super) async fn thin_out(connection: &mut PgConnection) -> sqlx::Result<u64> {
    let deleted = query!(
        "DELETE FROM proof.checkpoints USING (
             SELECT size, date_trunc('hour', signed_at) AS hour, lead(date_trunc('hour', signed_at)) OVER (ORDER BY size) AS next_hour
             FROM proof.checkpoints WHERE signed_at < now() - interval '1 day') AS old
         WHERE checkpoints.size = old.size AND old.hour = old.next_hour
           AND NOT EXISTS (SELECT FROM proof.keys WHERE old.size IN (first_size, last_size))"
    );
    Ok(deleted.execute(connection).await?.rows_affected())
}

/// Returns the digests from a position on, in order.
pub(super) async fn digests(executor: impl PgExecutor<'_>, from: i64, limit: i64) -> sqlx::Result<Vec<Digest>> {
    query_as!(Digest, "SELECT position, digest FROM events WHERE position >= $1 ORDER BY position LIMIT $2", from, limit)
        .fetch_all(executor)
        .await
}

/// A size or an index as Postgres' type.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_old_if_no_head_was_signed_since() {
        let now = Utc::now();
        let ago = |seconds| Some(now - TimeDelta::seconds(seconds));
        let unsigned = |since, signed_at| Unsigned { events: 7, since, signed_at };
        assert!(unsigned(ago(61), ago(300)).is_old(now));
        assert!(unsigned(ago(61), None).is_old(now));
        assert!(!unsigned(ago(10), ago(300)).is_old(now));
        assert!(!unsigned(None, ago(300)).is_old(now));
        assert!(!unsigned(ago(90_000), ago(1)).is_old(now), "the consumer catches up");
    }
}
