//! The checkpoint of a projection: one row, moved in the transaction that applies the events, and only by the holder of
//! the newest epoch.

use sqlx::{PgConnection, PgExecutor, query, query_as, query_scalar};

/// The position and the generation of a projection. Both only increase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredPosition {
    /// The last event that was applied.
    pub position: i64,
    /// Increases when something other than the projector has changed the projection ([`Checkpoint`]).
    pub generation: i64,
}

/// The checkpoint of a projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last event that was applied.
    pub position: i64,
    /// Increases with each holder. An older holder can no longer move the checkpoint.
    pub epoch: i64,
    /// Increases when something other than the holder has changed the projection: a rebuild, or an unparking.
    pub generation: i64,
    /// The version of the projection that built the model. A process of another version does not move the checkpoint.
    pub version: i32,
}

impl Checkpoint {
    /// The position and the generation.
    pub fn standing(self) -> StoredPosition {
        StoredPosition { position: self.position, generation: self.generation }
    }
}

/// Takes the projection, if no other connection holds it. The connection then holds it until it ends.
pub async fn try_hold(connection: &mut PgConnection, projection: &str) -> sqlx::Result<bool> {
    let key = format!("backscroll projection {projection}");
    query_scalar!(r#"SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS "held!""#, key).fetch_one(connection).await
}

/// Returns those of these projections that a process holds at the moment, whichever process it is.
///
/// # Errors
/// The database cannot be read.
pub async fn held(executor: impl PgExecutor<'_>, projections: &[&str]) -> sqlx::Result<Vec<String>> {
    let projections = projections.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    // A lock with one key of 64 bits has its halves in `classid` and `objid`, and `objsubid` is 1.
    query_scalar!(
        r#"SELECT name AS "name!" FROM unnest($1::text[]) AS wanted (name)
           WHERE EXISTS (SELECT FROM pg_locks
                         WHERE locktype = 'advisory' AND granted AND objsubid = 1
                           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                           AND ((classid::bigint << 32) | objid::bigint) = hashtextextended('backscroll projection ' || name, 0))"#,
        &projections
    )
    .fetch_all(executor)
    .await
}

/// Takes the lock for rebuilding the projection or moving parts of it, if no other connection has it. The connection
/// then has it until [`end_rebuilding`] or until it ends.
pub async fn try_rebuild(connection: &mut PgConnection, projection: &str) -> sqlx::Result<bool> {
    let key = format!("backscroll rebuild {projection}");
    query_scalar!(r#"SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS "held!""#, key).fetch_one(connection).await
}

/// Releases the lock, so that the next rebuild can begin at once. When a connection ends, Postgres releases its locks
/// only a moment later.
pub async fn end_rebuilding(connection: &mut PgConnection, projection: &str) {
    let key = format!("backscroll rebuild {projection}");
    let ended = query_scalar!("SELECT pg_advisory_unlock(hashtextextended($1, 0))", key).fetch_one(connection).await;
    if let Err(error) = ended {
        tracing::debug!(%error, projection, "the lock of a rebuild is released with its connection");
    }
}

/// Begins an epoch: earlier holders can no longer move the checkpoint. If the projection has no model yet, it gets this
/// `version`.
pub async fn begin_epoch(connection: &mut PgConnection, projection: &str, holder: &str, version: i32) -> sqlx::Result<Checkpoint> {
    query_as!(
        Checkpoint,
        "INSERT INTO projection_checkpoints AS c (projection, epoch, holder, version) VALUES ($1, 1, $2, $3)
         ON CONFLICT (projection) DO UPDATE SET epoch = c.epoch + 1, holder = $2, updated_at = now()
         RETURNING position, epoch, generation, version",
        projection,
        holder,
        version
    )
    .fetch_one(connection)
    .await
}

/// Moves the checkpoint from its last known position. This is the first statement of a batch's transaction, so that
/// everything read later in it is as this holder left it. Returns the generation, or `None` if a newer epoch exists,
/// the checkpoint has moved, or its version differs.
pub async fn advance(connection: &mut PgConnection, projection: &str, stood: Checkpoint, to: i64) -> sqlx::Result<Option<i64>> {
    query_scalar!(
        "UPDATE projection_checkpoints SET position = $4, updated_at = now()
         WHERE projection = $1 AND epoch = $2 AND position = $3 AND version = $5
         RETURNING generation",
        projection,
        stood.epoch,
        stood.position,
        to,
        stood.version
    )
    .fetch_optional(connection)
    .await
}

/// Reads the checkpoint.
pub async fn read(connection: &mut PgConnection, projection: &str) -> sqlx::Result<Option<Checkpoint>> {
    query_as!(Checkpoint, "SELECT position, epoch, generation, version FROM projection_checkpoints WHERE projection = $1", projection)
        .fetch_optional(connection)
        .await
}

/// Reads and locks the checkpoint. No batch can commit until the transaction ends.
pub async fn lock(connection: &mut PgConnection, projection: &str) -> sqlx::Result<Option<Checkpoint>> {
    query_as!(
        Checkpoint,
        "SELECT position, epoch, generation, version FROM projection_checkpoints WHERE projection = $1 FOR UPDATE",
        projection
    )
    .fetch_optional(connection)
    .await
}

/// Tells the holder to read its state again.
pub async fn bump_generation(connection: &mut PgConnection, projection: &str) -> sqlx::Result<()> {
    query!("UPDATE projection_checkpoints SET generation = generation + 1 WHERE projection = $1", projection)
        .execute(connection)
        .await
        .map(drop)
}
