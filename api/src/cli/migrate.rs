//! `backscroll migrate`

use sqlx::migrate::MigrateError;

use super::connection::migration_pool;
use super::{Exit, Failure, print};
use crate::app::StartError;
use crate::config::Settings;

pub(super) async fn run(settings: Settings) -> Result<(), Failure> {
    let applied = apply(&settings).await?;
    match applied.len() {
        0 => print("the schema is up to date"),
        count => print(&format!("applied {count} migrations:\n  {}", applied.join("\n  "))),
    }
}

/// Applies the missing migrations, and returns their names.
pub(super) async fn apply(settings: &Settings) -> Result<Vec<String>, Failure> {
    let pool = migration_pool(settings).await?;
    stores::release::check(&pool).await.map_err(StartError::from)?;
    let missing = stores::postgres::missing_migrations(&pool).await?;
    migrations::POSTGRES.run(&pool).await.map_err(refused)?;
    Ok(missing)
}

fn refused(error: MigrateError) -> Failure {
    let exit = if matches!(error, MigrateError::Execute(_)) { Exit::Unreachable } else { Exit::Refused };
    Failure::new(exit, error)
}
