//! Upgrades. This release migrates the databases of earlier releases, reads all of their events, and continues with
//! them. Processes of different releases may run at the same time: the tests check which may run, and which events they
//! may write.

mod floor;
mod gate;
mod kept;
mod migrations;
mod tour;

use sqlx::{Executor, PgPool};

/// Changes the database's requirements for processes, as a migration or a later release does.
async fn set_floor(pool: &PgPool, change: &str) {
    pool.execute(format!("UPDATE release_floor SET {change}").as_str()).await.expect("the floor");
}
