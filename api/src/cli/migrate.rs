//! `backscroll migrate`

use sqlx::PgPool;
use sqlx::migrate::MigrateError;

use super::{Exit, Failure, print};
use crate::app::{self, StartError};
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
    let pool = app::migration_pool(settings).await?;
    app::check_release(&pool).await?;
    let missing = stores::postgres::missing_migrations(&pool).await.map_err(|error| StartError::of_postgres(&pool, &error))?;
    migrations::POSTGRES.run(&pool).await.map_err(|error| refused(&pool, error))?;
    Ok(missing)
}

fn refused(pool: &PgPool, error: MigrateError) -> Failure {
    match error {
        MigrateError::Execute(error) => StartError::of_postgres(pool, &error).into(),
        MigrateError::ExecuteMigration(error, version) if stores::postgres::lacks_right(&error) => {
            let failure = Failure::from(StartError::of_postgres(pool, &error));
            Failure { error: failure.error.context(format!("the migration {version} was not applied")), ..failure }
        }
        error => Failure::new(Exit::Refused, error),
    }
}
