//! `backscroll migrate`: applies the missing migrations. After a restore it also creates the schemas that the backup left
//! out, and builds the read tables.

use std::borrow::Cow;
use std::fmt::Write;

use projections::{RebuildReport, restored};
use sqlx::PgPool;
use sqlx::migrate::{MigrateError, Migrator};
use stores::{postgres, release};

use super::connection::stores;
use super::progress::Meter;
use super::{Exit, Failure, print};
use crate::app::{self, StartError};
use crate::config::Settings;

/// What `migrate` has done.
pub(super) struct Migrated {
    /// The migrations that it applied.
    pub(super) applied: Vec<String>,
    /// The schemas that it created, because a backup did not have them.
    made: Vec<&'static str>,
    /// The rebuild of the read tables, if they were missing.
    built: Option<RebuildReport>,
}

pub(super) async fn run(settings: Settings) -> Result<(), Failure> {
    print(&as_text(&apply(&settings).await?))
}

/// Applies the missing migrations, and makes a restored database complete.
pub(super) async fn apply(settings: &Settings) -> Result<Migrated, Failure> {
    let pool = app::migration_pool(settings).await?;
    app::check_release(&pool).await?;
    // Before the migrations: they change tables of these schemas.
    let made = restored::make_schemas(&mut *pool.acquire().await?).await.map_err(StartError::from)?;
    let missing = postgres::missing_migrations(&pool).await.map_err(|error| StartError::of_postgres(&pool, &error))?;
    // The check has admitted the migrations of a later release that this one does not know.
    let migrator = Migrator { migrations: Cow::Borrowed(&migrations::POSTGRES.migrations), ignore_missing: true, ..Migrator::DEFAULT };
    migrator.run(&pool).await.map_err(|error| refused(&pool, error))?;
    release::record_migrations(&pool, &missing.iter().map(|missing| missing.version).collect::<Vec<_>>()).await?;
    let applied = missing.iter().map(ToString::to_string).collect();
    Ok(Migrated { applied, made, built: build_read_tables(settings, &pool).await? })
}

/// Builds the read tables if the log has events and they do not. This needs the keys of people.
async fn build_read_tables(settings: &Settings, pool: &PgPool) -> Result<Option<RebuildReport>, Failure> {
    if matches!(restored::read_tables(&mut *pool.acquire().await?).await?, restored::ReadTables::Fit { .. }) {
        return Ok(None);
    }
    let stores = stores(settings).await?;
    let meter = Meter::new("events");
    let built = restored::build_missing(&stores, 0, |at| meter.at(at.phase.as_str(), at.done, at.total, "")).await;
    meter.finish();
    Ok(built.map_err(StartError::ReadTables)?)
}

fn as_text(Migrated { applied, made, built }: &Migrated) -> String {
    let mut text = match applied.len() {
        0 => "the schema is up to date".to_owned(),
        count => format!("applied {count} migrations:\n  {}", applied.join("\n  ")),
    };
    for schema in made {
        let _ = write!(text, "\ncreated the schema {schema}, which the backup did not have{}", consequence(schema));
    }
    if let Some(report) = built {
        let seconds = report.elapsed.as_secs_f64();
        let _ = write!(text, "\nbuilt the read tables from {} events in {seconds:.1} s", report.events);
    }
    text
}

/// What a missing schema means, if it means more than a rebuild.
fn consequence(schema: &str) -> &'static str {
    match schema {
        "state" => ": people must ask again for exports of their data",
        "proof" => ": the signed heads and the public keys are lost, so restore it from a backup, or see docs/AUDIT.md",
        _ => "",
    }
}

fn refused(pool: &PgPool, error: MigrateError) -> Failure {
    match error {
        MigrateError::Execute(error) => StartError::of_postgres(pool, &error).into(),
        MigrateError::ExecuteMigration(error, version) if postgres::lacks_right(&error) => {
            let failure = Failure::from(StartError::of_postgres(pool, &error));
            Failure { error: failure.error.context(format!("the migration {version} was not applied")), ..failure }
        }
        error => Failure::new(Exit::Refused, error),
    }
}
