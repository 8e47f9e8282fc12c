//! Notices that a database is a restored copy. The table `database_identity` names the Postgres, the database and its
//! table of events. A dump carries the row along, and the copy has other names.
//!
//! A copy may be older than what the stores beside it hold: Redis and Elasticsearch may have data of events that its log
//! never had. So a copy gets an identifier that is a part of its names there ([`CopyId`]), and its log another [`LogId`]:
//! positions of the other life are refused. A recovery from a base backup keeps the names, and a promoted replica too,
//! but both begin another timeline of Postgres. A copy of the files of a stopped Postgres has everything the same, and is
//! not noticed.

use chrono::{DateTime, Utc};
use domain::ids::LogId;
use sqlx::{PgConnection, query_as, query_scalar};
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
    /// The identifier of its log. `None` if no server has used it.
    pub log_id: Option<LogId>,
    /// Whether the timeline of Postgres was stored. Earlier releases did not store it.
    pub has_timeline: bool,
    /// The release that used it last. `None` if no server of a release that records it has used it.
    pub release: Option<String>,
    /// When it was first used after it was restored.
    pub restored_at: Option<DateTime<Utc>>,
}

struct Stored {
    identity: String,
    timeline: Option<i32>,
    copy_id: Option<Uuid>,
    log_id: Uuid,
    release: String,
    restored_at: Option<DateTime<Utc>>,
}

/// The database, as it is now. A process that sees it change must stop: its memory is of another log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The Postgres, the database and its table of events.
    identity: String,
    /// The timeline of Postgres.
    timeline: i32,
    /// The identifier of the log. `None` if no server has used it.
    log_id: Option<LogId>,
}

impl Standing {
    /// Whether the log is the same as before, and goes on.
    #[must_use]
    pub fn goes_on_as(&self, now: &Self) -> bool {
        let is_same_life = self.log_id.is_none() || self.log_id == now.log_id;
        is_same_life && (&self.identity, self.timeline) == (&now.identity, now.timeline)
    }
}

/// Reads the identity.
///
/// # Errors
/// Postgres cannot be used.
pub async fn read(connection: &mut PgConnection) -> sqlx::Result<Identity> {
    let stored = query_as!(Stored, "SELECT identity, timeline, copy_id, log_id, release, restored_at FROM public.database_identity");
    let Some(stored) = stored.fetch_optional(&mut *connection).await? else {
        return Ok(Identity {
            is_new_copy: false,
            copy_id: CopyId(None),
            log_id: None,
            has_timeline: false,
            release: None,
            restored_at: None,
        });
    };
    let (identity, timeline) = current(connection).await?;
    // Earlier releases did not store the timeline.
    let is_new_copy = stored.identity != identity || stored.timeline.is_some_and(|stored| stored != timeline);
    Ok(Identity {
        is_new_copy,
        copy_id: CopyId(stored.copy_id),
        // The first process that comes to a new copy begins another life.
        log_id: Some(LogId(stored.log_id)),
        has_timeline: stored.timeline.is_some(),
        release: Some(stored.release),
        restored_at: stored.restored_at,
    })
}

/// Reads the present state of the database.
///
/// # Errors
/// Postgres cannot be used.
pub async fn standing(connection: &mut PgConnection) -> sqlx::Result<Standing> {
    let (identity, timeline) = current(connection).await?;
    let log_id = query_scalar::<_, Uuid>("SELECT log_id FROM public.database_identity").fetch_optional(connection).await?;
    Ok(Standing { identity, timeline, log_id: log_id.map(LogId) })
}

/// Binds the row to this database, and returns the identifier of its log. `copy_id` is that of a new copy, or the one
/// that it has. `log_id` begins another life. Without it, the life goes on, or the first one begins.
///
/// # Errors
/// Postgres cannot be used.
pub async fn bind(
    connection: &mut PgConnection,
    copy_id: CopyId,
    log_id: Option<LogId>,
    restored_at: Option<DateTime<Utc>>,
) -> sqlx::Result<LogId> {
    let (identity, timeline) = current(connection).await?;
    let bound = query_scalar!(
        "INSERT INTO public.database_identity AS d (identity, timeline, copy_id, log_id, release, restored_at)
         VALUES ($1, $2, $3, COALESCE($4, gen_random_uuid()), $5, $6)
         ON CONFLICT (only_row) DO UPDATE
         SET identity = $1, timeline = $2, copy_id = $3, log_id = COALESCE($4, d.log_id), release = $5, restored_at = $6
         RETURNING log_id",
        identity,
        timeline,
        copy_id.0,
        log_id.map(|id| id.0),
        Release::this().version.to_string(),
        restored_at
    );
    bound.fetch_one(connection).await.map(LogId)
}

/// The names: those of the cluster of databases, of the database, and of the table of events. A restore into the same
/// database makes the table anew. And the timeline: the first eight digits of the name of the WAL file that is written
/// now. The control file would name the one of the last checkpoint.
async fn current(connection: &mut PgConnection) -> sqlx::Result<(String, i32)> {
    query_as(
        "SELECT concat_ws(':', (SELECT system_identifier FROM pg_control_system()),
                          (SELECT oid FROM pg_database WHERE datname = current_database()), 'public.events'::regclass::oid),
                CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
                     ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::integer END",
    )
    .fetch_one(connection)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_goes_on_only_in_the_same_database_on_the_same_timeline_in_the_same_life() {
        let (one, other) = (LogId(Uuid::from_u128(1)), LogId(Uuid::from_u128(2)));
        let at = |identity: &str, timeline, log_id| Standing { identity: identity.into(), timeline, log_id };
        let first = at("a", 1, Some(one));
        assert!(first.goes_on_as(&first) && at("a", 1, None).goes_on_as(&first));
        for other in [at("b", 1, Some(one)), at("a", 2, Some(one)), at("a", 1, Some(other))] {
            assert!(!first.goes_on_as(&other), "{other:?}");
        }
    }

    #[test]
    fn only_a_copy_has_names_of_its_own() {
        assert_eq!(CopyId(None).prefix(':'), "");
        assert_eq!(CopyId(Some(Uuid::from_u128(0x1234_5678_9abc))).prefix('_'), "copy56789abc_");
    }
}
