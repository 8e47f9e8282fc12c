//! The lock for rebuilding a projection: one process of all nodes has it at a time.

use sqlx::{PgConnection, PgPool};
use stores::checkpoint;

use super::report::RebuildError;
use crate::engine::{registry, runner};

/// The lock for rebuilding a projection. It ends when this value is dropped, and when the process dies.
pub struct RebuildLock {
    pub(crate) projection: &'static str,
    /// The connection that holds the lock. The rebuild works on it: if the connection is lost, the lock is lost too.
    pub(crate) connection: PgConnection,
}

impl RebuildLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// There is no such projection, another process has the lock, or the database cannot be used.
    pub async fn acquire(pool: &PgPool, projection: &str) -> Result<Self, RebuildError> {
        let unknown = || RebuildError::Unknown(projection.into());
        let projection = registry::NAMES.into_iter().find(|name| *name == projection).ok_or_else(unknown)?;
        let mut connection = runner::connect(pool).await?;
        if checkpoint::try_rebuild(&mut connection, projection).await? {
            return Ok(Self { projection, connection });
        }
        Err(RebuildError::UnderWay(projection.into()))
    }

    /// Releases the lock. Dropping the value releases it too, a moment later.
    pub async fn release(mut self) {
        checkpoint::end_rebuilding(&mut self.connection, self.projection).await;
    }
}
