//! The switch: behind a barrier that no event can slip past, the new model takes the live one's name.

use sqlx::{Connection, Executor, PgConnection, query};
use tokio::time::sleep;

use super::catch_up::CatchUp;
use super::report::RebuildError;
use super::shadow::{LIVE, LOOK_INTERVAL, NEXT, OLD, Shadow};
use crate::feed::BATCH_EVENTS_MAX;
use crate::{checkpoint, relational};

/// How often to try: a try is called off when it would hold up the live projector for more than a batch or two.
const TRIES_MAX: usize = 100;

/// Switches, and answers with the position that the new model stands at.
pub(super) async fn switch(shadow: &mut Shadow, next: &mut CatchUp) -> Result<i64, RebuildError> {
    let mut connection = shadow.connect().await?;
    // Its commit is what readers rely on: it waits for the disk.
    connection.execute("SET synchronous_commit = on").await?;
    for _ in 0..TRIES_MAX {
        if try_switch(&mut connection, shadow, next).await? {
            return Ok(next.position());
        }
        next.approach_live(shadow, &|_| {}).await?;
        sleep(LOOK_INTERVAL).await;
    }
    Err(RebuildError::Outrun)
}

/// Whether it switched. The checkpoint's row is the barrier: every batch of the live projector begins with it.
async fn try_switch(connection: &mut PgConnection, shadow: &mut Shadow, next: &mut CatchUp) -> Result<bool, RebuildError> {
    let mut barrier = connection.begin().await?;
    if let Some(live) = checkpoint::lock(&mut barrier, relational::NAME).await? {
        if live.position - next.position() > 2 * i64::try_from(BATCH_EVENTS_MAX).unwrap_or(i64::MAX) {
            return Ok(false);
        }
        next.up_to(shadow, live.position, &|_| {}).await?;
    }
    take_over(&mut barrier, next.position()).await?;
    for (from, to) in [(LIVE, OLD), (NEXT, LIVE)] {
        barrier.execute(format!("ALTER SCHEMA {from} RENAME TO {to}").as_str()).await?;
    }
    barrier.commit().await?;
    Ok(true)
}

/// The checkpoint and what is parked become the new model's. The holder goes on, and reads again what it remembers.
async fn take_over(barrier: &mut PgConnection, position: i64) -> sqlx::Result<()> {
    query!(
        "INSERT INTO projection_checkpoints AS c (projection, position) VALUES ($1, $2)
         ON CONFLICT (projection) DO UPDATE SET position = $2, generation = c.generation + 1, updated_at = now()",
        relational::NAME,
        position
    )
    .execute(&mut *barrier)
    .await?;
    query!("DELETE FROM parked_keys WHERE projection = $1", relational::NAME).execute(&mut *barrier).await?;
    query!("UPDATE parked_keys SET projection = $1 WHERE projection = $2", relational::NAME, relational::NEXT_NAME)
        .execute(&mut *barrier)
        .await?;
    query!("DELETE FROM projection_checkpoints WHERE projection = $1", relational::NEXT_NAME).execute(barrier).await.map(drop)
}
