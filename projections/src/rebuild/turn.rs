//! The right to build a projection anew: one has it at a time, over all nodes.

use sqlx::{PgConnection, PgPool};
use stores::checkpoint;

use super::report::RebuildError;
use crate::engine::{registry, runner};

/// The right to build a projection anew. It ends with this, and with the process.
pub struct Turn {
    pub(crate) projection: &'static str,
    /// It holds the lock, and whoever builds works on it: losing the one is losing the other.
    pub(crate) connection: PgConnection,
}

impl Turn {
    /// Takes it.
    ///
    /// # Errors
    /// There is no such projection, somebody else has it, or the database cannot be used.
    pub async fn take(pool: &PgPool, projection: &str) -> Result<Self, RebuildError> {
        let unknown = || RebuildError::Unknown(projection.into());
        let projection = registry::NAMES.into_iter().find(|name| *name == projection).ok_or_else(unknown)?;
        let mut connection = runner::connect(pool).await?;
        if checkpoint::try_rebuild(&mut connection, projection).await? {
            return Ok(Self { projection, connection });
        }
        Err(RebuildError::UnderWay(projection.into()))
    }

    /// Gives it back. Dropping it does, too, a moment later.
    pub async fn give_back(mut self) {
        checkpoint::end_rebuilding(&mut self.connection, self.projection).await;
    }
}
