//! Notices that a database is a restored copy. The table `database_identity` names the Postgres, the database and its
//! table of events. A dump carries the row along, and the copy has other names.
//!
//! A copy may be older than what the stores beside it hold: Redis and Elasticsearch may have data of events that its log
//! never had. So a copy gets an identifier that is a part of its names there ([`Copy`]). A copy of files, such as a
//! base backup with its WAL, has the same names, and is not noticed.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::release::Release;

/// The identifier of a restored copy. The first database of an installation has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyId(pub Option<Uuid>);

impl CopyId {
    /// The prefix of the names of this copy in another store, with a separator at its end: empty, or such as
    /// `copy-5f2a9c31:`.
    #[must_use]
    pub fn prefix(self, separator: char) -> String {
        self.0.map_or_else(String::new, |id| {
            // The last digits of the identifier are random.
            let id = id.simple().to_string();
            format!("copy{}{separator}", &id[id.len() - 8..])
        })
    }
}

/// What a database says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whether the database is a copy that no server has used yet.
    pub is_new_copy: bool,
    /// Its identifier, if it is a copy that a server has used.
    pub copy_id: CopyId,
    /// The release that used it last. `None` if no server of a release that records it has used it.
    pub release: Option<String>,
    /// When it was first used after it was restored.
    pub restored_at: Option<DateTime<Utc>>,
}

struct Stored {
    identity: String,
    copy_id: Option<Uuid>,
    release: String,
    restored_at: Option<DateTime<Utc>>,
}

/// Reads the identity.
///
/// # Errors
/// Postgres cannot be used.
pub async fn read(connection: &mut PgConnection) -> sqlx::Result<Identity> {
    let stored = query_as!(Stored, "SELECT identity, copy_id, release, restored_at FROM public.database_identity");
    let Some(stored) = stored.fetch_optional(&mut *connection).await? else {
        return Ok(Identity { is_new_copy: false, copy_id: CopyId(None), release: None, restored_at: None });
    };
    let is_new_copy = stored.identity != current(connection).await?;
    Ok(Identity { is_new_copy, copy_id: CopyId(stored.copy_id), release: Some(stored.release), restored_at: stored.restored_at })
}

/// Binds the row to this database. `copy_id` is that of a new copy, or the one that it has.
///
/// # Errors
/// Postgres cannot be used.
pub async fn bind(connection: &mut PgConnection, copy_id: CopyId, restored_at: Option<DateTime<Utc>>) -> sqlx::Result<()> {
    let identity = current(connection).await?;
    query!(
        "INSERT INTO public.database_identity (identity, copy_id, release, restored_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (only_row) DO UPDATE SET identity = $1, copy_id = $2, release = $3, restored_at = $4",
        identity,
        copy_id.0,
        Release::this().version.to_string(),
        restored_at
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The names: those of the cluster of databases, of the database, and of the table of events. A restore into the same
/// database makes the table anew.
async fn current(connection: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query_scalar(
        "SELECT concat_ws(':', (SELECT system_identifier FROM pg_control_system()),
                          (SELECT oid FROM pg_database WHERE datname = current_database()), 'public.events'::regclass::oid)",
    )
    .fetch_one(connection)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_copy_has_names_of_its_own() {
        assert_eq!(CopyId(None).prefix(':'), "");
        assert_eq!(CopyId(Some(Uuid::from_u128(0x1234_5678_9abc))).prefix('_'), "copy56789abc_");
    }
}
