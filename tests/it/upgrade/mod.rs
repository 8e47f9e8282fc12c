//! The databases of earlier releases: today's release migrates them, reads all of them, and goes on with them. And
//! releases beside each other: which may run, and what they may write.

mod floor;
mod gate;
mod kept;
mod tour;

use sqlx::{Executor, PgPool};

/// Changes what the database asks of every process, as a migration, or a later release, does.
async fn set_floor(pool: &PgPool, change: &str) {
    pool.execute(format!("UPDATE release_floor SET {change}").as_str()).await.expect("the floor");
}
