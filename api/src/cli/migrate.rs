//! `backscroll migrate`

use std::borrow::Cow;

use sqlx::PgPool;
use sqlx::migrate::{MigrateError, Migrator};
use stores::{postgres, release};

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
    let missing = postgres::missing_migrations(&pool).await.map_err(|error| StartError::of_postgres(&pool, &error))?;
    // The check has admitted the migrations of a later release that this one does not know.
    let migrator = Migrator { migrations: Cow::Borrowed(&migrations::POSTGRES.migrations), ignore_missing: true, ..Migrator::DEFAULT };
    migrator.run(&pool).await.map_err(|error| refused(&pool, error))?;
    release::record_migrations(&pool, &missing.iter().map(|missing| missing.version).collect::<Vec<_>>()).await?;
    Ok(missing.iter().map(ToString::to_string).collect())
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
