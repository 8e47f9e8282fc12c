//! Comes to a database that may have been restored from a backup: before anything is served, the schemas that the backup
//! left out exist, and the read tables have what their checkpoint says.

use projections::Connections;
use projections::restored::{self, APPLIED_LIVE_MAX, Arrival};
use sqlx::PgPool;

use super::StartError;

/// Creates missing schemas, and notices a restored copy.
///
/// # Errors
/// Postgres cannot be used, or refuses.
pub async fn arrive(pool: &PgPool) -> Result<Arrival, StartError> {
    let arrival = restored::arrive(pool).await?;
    for schema in &arrival.made {
        tracing::warn!(schema, "the schema was missing and was created: the backup did not have it");
    }
    Ok(arrival)
}

/// Builds the read tables if they are missing. This may take minutes, and the log shows the progress.
///
/// # Errors
/// The log cannot be read, or Postgres cannot be used.
pub(super) async fn build_read_tables(stores: &Connections) -> Result<(), StartError> {
    restored::build_missing(stores, APPLIED_LIVE_MAX, |_| {}).await.map(drop).map_err(StartError::ReadTables)
}
