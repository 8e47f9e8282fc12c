//! What several verbs need of the servers.

use std::str::FromStr;

use projections::Stores;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::{Exit, Failure};
use crate::app;
use crate::config::Settings;

/// The read models' pool, on a schema that is up to date.
pub(super) async fn read_pool(settings: &Settings) -> Result<PgPool, Failure> {
    let pool = app::read_pool(settings).await?;
    let missing = app::missing_migrations(&pool).await?;
    if missing.is_empty() {
        return Ok(pool);
    }
    Err(Failure::new(Exit::Failed, app::StartError::NotMigrated(missing.join(", "))))
}

/// The read models' stores, on a schema that is up to date.
pub(super) async fn stores(settings: &Settings) -> Result<Stores, Failure> {
    let stores = Stores::new(read_pool(settings).await?, app::redis_connection(settings)?);
    Ok(stores.with_elastic(app::elasticsearch(settings)?))
}

/// One connection, for migrations: they stay in the order of their names.
pub(super) async fn migration_pool(settings: &Settings) -> Result<PgPool, Failure> {
    let options = PgConnectOptions::from_str(settings.postgres_url.expose())?.application_name("backscroll migrate");
    Ok(PgPoolOptions::new().max_connections(1).acquire_timeout(app::ACQUIRE_MAX).connect_with(options).await?)
}
