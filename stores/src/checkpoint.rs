//! How far a projection is: one row, moved in the transaction that applies the events, by the holder of the newest epoch only.

use sqlx::{PgConnection, query, query_as, query_scalar};

/// Where a projection stands. Both only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The last event that was applied.
    pub position: i64,
    /// Grows when something else than its projector was here ([`Checkpoint`]).
    pub generation: i64,
}

/// Where a projection stands, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last event that was applied.
    pub position: i64,
    /// Grows with each holder: an older one cannot move it any more.
    pub epoch: i64,
    /// Grows when something else than the holder was here: a rebuild, or an unparking.
    pub generation: i64,
    /// Which version of the projection the model is of: a process of another version does not move it.
    pub version: i32,
}

impl Checkpoint {
    /// Without whose it is.
    pub fn standing(self) -> Standing {
        Standing { position: self.position, generation: self.generation }
    }
}

/// Whether nobody else holds the projection: then this connection does, until it ends.
pub async fn try_hold(connection: &mut PgConnection, projection: &str) -> sqlx::Result<bool> {
    let key = format!("backscroll projection {projection}");
    query_scalar!(r#"SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS "held!""#, key).fetch_one(connection).await
}

/// Whether nobody else builds the projection anew, or moves parts of it: then this connection does, until [`end_rebuilding`] or its end.
pub async fn try_rebuild(connection: &mut PgConnection, projection: &str) -> sqlx::Result<bool> {
    let key = format!("backscroll rebuild {projection}");
    query_scalar!(r#"SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS "held!""#, key).fetch_one(connection).await
}

/// Lets the next rebuild begin at once: of a connection that has ended, Postgres lets the locks go only a moment later.
pub async fn end_rebuilding(connection: &mut PgConnection, projection: &str) {
    let key = format!("backscroll rebuild {projection}");
    let ended = query_scalar!("SELECT pg_advisory_unlock(hashtextextended($1, 0))", key).fetch_one(connection).await;
    if let Err(error) = ended {
        tracing::debug!(%error, projection, "the lock of a rebuild goes with its connection");
    }
}

/// Begins an epoch: whoever held the projection before is fenced off. A model that was never there is of `version`.
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

/// Moves the checkpoint from where it stood, first thing in a batch's transaction, so that whatever else is read in it is what this
/// holder left there. Answers with the generation; nothing where the holder is fenced off, or the checkpoint is elsewhere, or of another
/// version.
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

/// Where the checkpoint stands.
pub async fn read(connection: &mut PgConnection, projection: &str) -> sqlx::Result<Option<Checkpoint>> {
    query_as!(Checkpoint, "SELECT position, epoch, generation, version FROM projection_checkpoints WHERE projection = $1", projection)
        .fetch_optional(connection)
        .await
}

/// Where the checkpoint stands, held until the transaction ends: no batch can commit meanwhile.
pub async fn lock(connection: &mut PgConnection, projection: &str) -> sqlx::Result<Option<Checkpoint>> {
    query_as!(
        Checkpoint,
        "SELECT position, epoch, generation, version FROM projection_checkpoints WHERE projection = $1 FOR UPDATE",
        projection
    )
    .fetch_optional(connection)
    .await
}

/// Tells the holder that what it remembers is to be read again.
pub async fn bump_generation(connection: &mut PgConnection, projection: &str) -> sqlx::Result<()> {
    query!("UPDATE projection_checkpoints SET generation = generation + 1 WHERE projection = $1", projection)
        .execute(connection)
        .await
        .map(drop)
}
