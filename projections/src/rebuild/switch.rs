//! The switch: the new model takes the live model's name, behind a barrier that no event can pass.

use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection, query};
use stores::checkpoint;
use stores::feed::BATCH_EVENTS_MAX;
use tokio::time::sleep;

use super::catch_up::CatchUp;
use super::columns;
use super::report::RebuildError;
use super::shadow::{LIVE, LOOK_INTERVAL, NEXT, OLD, Shadow};

use crate::relational;

/// How often to try. A try is stopped if it would delay the live projector by more than a batch or two.
const TRIES_MAX: usize = 100;

/// Switches, and returns how long the live projector waited.
pub(super) async fn switch(shadow: &mut Shadow, next: &mut CatchUp) -> Result<Duration, RebuildError> {
    let mut connection = shadow.connect().await?;
    // Readers rely on this commit, so it waits for the disk.
    connection.execute("SET synchronous_commit = on").await?;
    for _ in 0..TRIES_MAX {
        if let Some(held_up) = try_switch(&mut connection, shadow, next).await? {
            return Ok(held_up);
        }
        next.approach_live(shadow, &|_| {}).await?;
        sleep(LOOK_INTERVAL).await;
    }
    Err(RebuildError::LogTooFast)
}

/// Tries once, and returns how long it took if it switched. The row of the checkpoint is the barrier: every batch of
/// the live projector locks it first.
async fn try_switch(connection: &mut PgConnection, shadow: &mut Shadow, next: &mut CatchUp) -> Result<Option<Duration>, RebuildError> {
    let mut barrier = connection.begin().await?;
    let live = checkpoint::lock(&mut barrier, relational::NAME).await?;
    let began = Instant::now();
    if let Some(live) = live {
        if live.position - next.position() > 2 * i64::try_from(BATCH_EVENTS_MAX).unwrap_or(i64::MAX) {
            return Ok(None);
        }
        next.up_to(shadow, live.position, &|_| {}).await?;
    }
    columns::refuse_newer_and_lock(&mut barrier).await?;
    take_over(&mut barrier, next.position()).await?;
    for (from, to) in [(LIVE, OLD), (NEXT, LIVE)] {
        barrier.execute(format!("ALTER SCHEMA {from} RENAME TO {to}").as_str()).await?;
    }
    barrier.commit().await?;
    Ok(Some(began.elapsed()))
}

/// Gives the new model's position and parked keys to the live checkpoint. The holder goes on after it has read both
/// again.
async fn take_over(barrier: &mut PgConnection, position: i64) -> sqlx::Result<()> {
    query!(
        "INSERT INTO projection_checkpoints AS c (projection, position, version)
         SELECT $1, $2, version FROM projection_checkpoints WHERE projection = $3
         ON CONFLICT (projection) DO UPDATE
         SET position = $2, generation = c.generation + 1, version = excluded.version, updated_at = now()",
        relational::NAME,
        position,
        relational::NEXT_NAME
    )
    .execute(&mut *barrier)
    .await?;
    query!("DELETE FROM parked_keys WHERE projection = $1", relational::NAME).execute(&mut *barrier).await?;
    query!("UPDATE parked_keys SET projection = $1 WHERE projection = $2", relational::NAME, relational::NEXT_NAME)
        .execute(&mut *barrier)
        .await?;
    query!("DELETE FROM projection_checkpoints WHERE projection = $1", relational::NEXT_NAME).execute(barrier).await.map(drop)
}
