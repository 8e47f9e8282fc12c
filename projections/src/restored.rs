//! Makes the read side of a restored database true: schemas that the backup left out are created, a copy of another
//! database is noticed, and read tables that do not have what their checkpoint says are built again.

use std::time::Duration;

use domain::ids::LogId;
use sqlx::{Connection, PgConnection, PgPool, query};
use stores::checkpoint;
use stores::restored::identity::{self, CopyId};
use stores::restored::keys;
use stores::restored::schemas::SchemaError;
pub use stores::restored::schemas::make_missing as make_schemas;
use tokio::time::sleep;
use tracing::{info, warn};
use uuid::Uuid;

use crate::connections::Connections;
use crate::engine::park;
use crate::rebuild::{FillProgress, RebuildError, RebuildLock, RebuildOptions, RebuildProgress, RebuildReport, rebuild_in};
use crate::relational;

/// The advisory lock: one process examines a copy at a time.
const LOCK: i64 = 4_704;

/// How many events the projector applies by itself at the start of a server whose read tables are empty. If the log has
/// more, they are built before the server answers anything.
pub const APPLIED_LIVE_MAX: i64 = 2_000;

/// The pause before another process's rebuild is looked at again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What was found and done when a process came to a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The identifier of this copy.
    pub copy_id: CopyId,
    /// The identifier of the log.
    pub log_id: LogId,
    /// Whether the database is a copy that no process had used before.
    pub is_new_copy: bool,
    /// Schemas that were missing, and were created without rows.
    pub made: Vec<&'static str>,
    /// How many keys of erased people were destroyed again.
    pub destroyed_keys: u64,
}

/// Whether the read tables have what their checkpoint says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadTables {
    /// They have it.
    Fit {
        /// The position of the last event that they have.
        position: i64,
    },
    /// They have nothing, and their checkpoint says so. The log has events.
    Empty {
        /// The end of the log.
        head: i64,
    },
    /// Their rows end at another position than their checkpoint says.
    Differ {
        /// The checkpoint.
        checkpoint: i64,
        /// The last event of which they have a row.
        rows: i64,
    },
}

/// Creates missing schemas, and notices that the database is a copy. The database has every migration.
///
/// # Errors
/// Postgres cannot be used, or refuses.
pub async fn arrive(pool: &PgPool) -> Result<Arrival, SchemaError> {
    let mut connection = pool.acquire().await?;
    let made = make_schemas(&mut connection).await?;
    let found = identity::read(&mut connection).await?;
    let is_known = found.has_timeline && found.release.as_deref() == Some(env!("CARGO_PKG_VERSION"));
    if let Some(log_id) = found.log_id.filter(|_| is_known && !found.is_new_copy) {
        return Ok(Arrival { copy_id: found.copy_id, log_id, is_new_copy: false, made, destroyed_keys: 0 });
    }
    let mut tx = connection.begin().await?;
    query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *tx).await?;
    // Another process may have come first.
    let found = identity::read(&mut tx).await?;
    let (mut copy_id, mut restored_at, mut destroyed_keys) = (found.copy_id, found.restored_at, 0);
    let is_new_copy = found.is_new_copy && stores::log::head(&mut *tx).await? > 0;
    // Of an empty log, nobody knows a position, but a template of databases must not give its identifier to all.
    let new_life = found.is_new_copy.then(|| LogId(Uuid::now_v7()));
    if is_new_copy {
        copy_id = CopyId(new_life.map(|id| id.0));
        restored_at = Some(chrono::Utc::now());
        destroyed_keys = leave_the_other_history(&mut tx).await?;
    }
    let log_id = identity::bind(&mut tx, copy_id, new_life, restored_at).await?;
    tx.commit().await?;
    let arrival = Arrival { copy_id, log_id, is_new_copy, made, destroyed_keys };
    if arrival.is_new_copy {
        let (copy, log) = (arrival.copy_id.prefix(' '), arrival.log_id);
        warn!(copy = copy.trim_end(), log.id = %log, "this database is a restored copy: redis and elasticsearch are filled anew");
    }
    if arrival.destroyed_keys > 0 {
        warn!(keys = arrival.destroyed_keys, "the backup of the keys had keys of erased people: they were destroyed again");
    }
    Ok(arrival)
}

/// Removes what refers to the processes, the indices and the schemas of the database that this one is a copy of.
async fn leave_the_other_history(tx: &mut PgConnection) -> sqlx::Result<u64> {
    query!("DELETE FROM search_models").execute(&mut *tx).await?;
    query!("DELETE FROM nodes").execute(&mut *tx).await?;
    query!("DELETE FROM projection_fills").execute(&mut *tx).await?;
    query!("DELETE FROM replay_views v WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = v.schema_name)")
        .execute(&mut *tx)
        .await?;
    query!("UPDATE replay_views SET indices = '{}'").execute(&mut *tx).await?;
    keys::destroy_returned(tx).await
}

/// Compares the read tables with their checkpoint. `audit_log` has a row of every event, except of parked and skipped
/// ones. Reads one state of the database.
///
/// # Errors
/// Postgres cannot be used.
pub async fn read_tables(connection: &mut PgConnection) -> sqlx::Result<ReadTables> {
    let skipped = park::skipped(&mut *connection, relational::NAME).await?.into_iter().collect::<Vec<_>>();
    let found = query!(
        r#"SELECT head AS "head!", stored AS "stored!", rows AS "rows!",
                  EXISTS (SELECT FROM public.events e
                          WHERE e.position > rows AND e.position <= stored AND e.position <> ALL ($2::bigint[])
                            AND NOT EXISTS (SELECT FROM public.parked_keys k
                                            WHERE k.projection = $1
                                              AND k.park_key = COALESCE('workspace:' || e.workspace_id, e.aggregate_type || ':' || e.aggregate_id)))
                      AS "lacks!"
           FROM (SELECT (SELECT COALESCE(max(position), 0) FROM public.events) AS head,
                        COALESCE((SELECT position FROM public.projection_checkpoints WHERE projection = $1), 0) AS stored,
                        (SELECT COALESCE(max(position), 0) FROM read.audit_log) AS rows) standing"#,
        relational::NAME,
        &skipped
    );
    let found = found.fetch_one(connection).await?;
    if found.lacks || found.rows > found.stored || found.stored > found.head {
        return Ok(ReadTables::Differ { checkpoint: found.stored, rows: found.rows });
    }
    Ok(if found.stored == 0 && found.head > 0 {
        ReadTables::Empty { head: found.head }
    } else {
        ReadTables::Fit { position: found.stored }
    })
}

/// Builds the read tables from the log, if they do not have what their checkpoint says, or if they are empty and the log
/// has more than `applied_live_max` events. If another process builds them, this one waits for it. Returns `None` if
/// nothing had to be built.
///
/// # Errors
/// The log cannot be read, or a store cannot be used.
pub async fn build_missing(
    stores: &Connections,
    applied_live_max: i64,
    observe: impl Fn(RebuildProgress) + Send + Sync,
) -> Result<Option<RebuildReport>, RebuildError> {
    loop {
        if !must_build(&mut *stores.pool.acquire().await?, applied_live_max).await? {
            return Ok(None);
        }
        match RebuildLock::acquire(&stores.pool, relational::NAME).await {
            Ok(lock) => return build(lock, stores, applied_live_max, &observe).await,
            Err(RebuildError::UnderWay(_)) => sleep(LOOK_AGAIN_AFTER).await,
            Err(error) => return Err(error),
        }
    }
}

async fn must_build(connection: &mut PgConnection, applied_live_max: i64) -> sqlx::Result<bool> {
    Ok(match read_tables(connection).await? {
        ReadTables::Fit { .. } => false,
        ReadTables::Empty { head } => head > applied_live_max,
        ReadTables::Differ { .. } => true,
    })
}

async fn build(
    mut lock: RebuildLock,
    stores: &Connections,
    applied_live_max: i64,
    observe: &(impl Fn(RebuildProgress) + Send + Sync),
) -> Result<Option<RebuildReport>, RebuildError> {
    // Another process may have built them meanwhile.
    if !must_build(&mut lock.connection, applied_live_max).await? {
        lock.release().await;
        return Ok(None);
    }
    let found = read_tables(&mut lock.connection).await?;
    warn!(?found, "the read tables do not have what their checkpoint says, or are empty: they are built from the log");
    forget_checkpoint(&mut lock.connection).await?;
    let progress = FillProgress::new(&stores.pool, relational::NAME);
    let options = RebuildOptions { skip_comparing: true, ..RebuildOptions::default() };
    let note = |at| {
        progress.observe(at);
        observe(at);
    };
    let report = progress.shown_until_end(rebuild_in(lock, stores, options, note)).await?;
    info!(events = report.events, position = report.position, seconds = report.elapsed.as_secs(), "the read tables were built");
    Ok(Some(report))
}

/// Forgets the position of the read tables, so that nothing takes them for complete before they are built.
async fn forget_checkpoint(connection: &mut PgConnection) -> sqlx::Result<()> {
    let mut tx = connection.begin().await?;
    checkpoint::lock(&mut tx, relational::NAME).await?;
    query!("DELETE FROM parked_keys WHERE projection = $1", relational::NAME).execute(&mut *tx).await?;
    query!("DELETE FROM projection_checkpoints WHERE projection = $1", relational::NAME).execute(&mut *tx).await?;
    tx.commit().await
}
