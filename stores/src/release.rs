//! Which releases may run on a database, because several run at the same time during an upgrade: the release of this
//! process, the database's requirements, and why the process may not run.
//!
//! The table `release_floor` holds the smallest release that may run, and the event format that every process must be
//! able to read. Neither is ever lowered. The table `migration_records` says which release applied a migration, and
//! beside which earlier releases it may stand. `commands::event_store` lists the running processes.

use std::sync::OnceLock;

use domain::format::EventFormat;
use migrations::RunsBeside;
use semver::Version;
use sqlx::{PgConnection, PgPool, query, query_as, query_scalar};

use crate::postgres::{Migration, unknown_migrations};

/// The commit that this program was built from.
static COMMIT: OnceLock<&'static str> = OnceLock::new();

/// Sets the commit that this program was built from. The first call counts. An empty text is no commit.
pub fn set_commit(commit: Option<&'static str>) {
    let _ = COMMIT.set(commit.filter(|commit| !commit.is_empty()).unwrap_or(UNKNOWN));
}

/// The commit that this program was built from, or `unknown`.
#[must_use]
pub fn commit() -> &'static str {
    COMMIT.get().copied().unwrap_or(UNKNOWN)
}

const UNKNOWN: &str = "unknown";

/// The release of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its version.
    pub version: Version,
    /// The newest event format that it reads.
    pub reads: EventFormat,
}

impl Release {
    /// The release of this process.
    #[must_use]
    pub fn this() -> Self {
        // Cargo accepts only valid versions.
        let version = Version::parse(env!("CARGO_PKG_VERSION")).unwrap_or_else(|_| Version::new(0, 0, 0));
        Self { version, reads: EventFormat::CURRENT }
    }
}

/// The version and the commit of this program, for operators: `0.2.0 (71c0b4910a2b)`.
#[must_use]
pub fn described() -> String {
    format!("{} ({})", env!("CARGO_PKG_VERSION"), commit())
}

/// Why a process may not run on a database: a later release has changed it.
#[derive(Debug, thiserror::Error)]
pub enum Outdated {
    /// The database requires a later release.
    #[error("this is backscroll {ours}, and the database needs {needed} or later: install that release, and start it")]
    Release {
        /// The version of this process.
        ours: Version,
        /// The smallest version that may run.
        needed: Version,
    },
    /// The log has events that this process cannot read.
    #[error(
        "this is backscroll {ours}, which reads events up to format {reads}, and the log has events of format {written}, written by backscroll \
         {written_by}: install that release, or another one that reads them, and start it"
    )]
    Format {
        /// The version of this process.
        ours: Version,
        /// The newest format that it reads.
        reads: EventFormat,
        /// The newest format of the log.
        written: EventFormat,
        /// The first release that wrote this format.
        written_by: String,
    },
    /// The schema has a migration that this process does not know, and that may not stand beside it.
    #[error(
        "this is backscroll {ours}, which does not know the migration {migration} of the database, applied by backscroll {applied_by}: \
         install that release or a later one, and start it; to go back, restore the backup from before the upgrade"
    )]
    Migration {
        /// The version and the commit of this process.
        ours: String,
        /// The migration.
        migration: String,
        /// The release that applied it.
        applied_by: String,
    },
    /// The log is another one than when this process started.
    #[error(
        "the log of the database is another one than when this process started: Postgres was recovered, or a replica took its place; \
         start the process again, so that it forgets what the other log had"
    )]
    AnotherLog,
}

/// Why a process does not run on a database.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// A later release has changed the database.
    #[error(transparent)]
    Outdated(#[from] Outdated),
    /// The database cannot be reached.
    #[error("the releases that may run on the database cannot be read")]
    Postgres(#[from] sqlx::Error),
}

/// The requirements of a database for every process.
#[derive(Debug)]
pub struct Floor {
    min_release: String,
    /// The newest format that the log has or may get.
    pub min_format: EventFormat,
    written_by: String,
}

impl Floor {
    /// Checks whether a release may run.
    pub fn admits(&self, release: &Release) -> Result<(), Outdated> {
        let ours = || release.version.clone();
        match Version::parse(&self.min_release) {
            Ok(needed) if release.version < needed => return Err(Outdated::Release { ours: ours(), needed }),
            Ok(_) => {}
            Err(error) => tracing::warn!(min_release = self.min_release, %error, "the smallest release in the database is not a version"),
        }
        if release.reads < self.min_format {
            let (written, written_by) = (self.min_format, self.written_by.clone());
            return Err(Outdated::Format { ours: ours(), reads: release.reads, written, written_by });
        }
        Ok(())
    }
}

/// Refuses a database that requires a later release than this one. A database that is not migrated yet requires
/// nothing.
///
/// # Errors
/// The database requires a later release, or it cannot be reached.
pub async fn check(pool: &PgPool) -> Result<(), ReleaseError> {
    if is_there(pool, "public.release_floor").await? {
        read_for_share(&mut *pool.acquire().await?).await?.admits(&Release::this())?;
    }
    match unknown_migrations(pool).await?.as_slice() {
        [] => Ok(()),
        unknown => check_unknown(pool, unknown).await,
    }
}

/// Not checked at compile time: the database of an earlier release lacks the table.
async fn is_there(pool: &PgPool, table: &str) -> sqlx::Result<bool> {
    query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(table).fetch_one(pool).await
}

/// The record of an applied migration.
struct MigrationRecord {
    version: i64,
    applied_by: String,
    runs_beside: Option<String>,
}

/// Refuses a migration that this release does not know, unless its record says that it may stand beside this release.
async fn check_unknown(pool: &PgPool, unknown: &[Migration]) -> Result<(), ReleaseError> {
    let records = if is_there(pool, "public.migration_records").await? { records(pool).await? } else { Vec::new() };
    let ours = Release::this().version;
    for migration in unknown {
        let record = records.iter().find(|record| record.version == migration.version);
        if record.is_some_and(|record| record.admits(&ours)) {
            continue;
        }
        let applied_by = record.map_or_else(|| "of a later release (it left no record)".into(), |record| record.applied_by.clone());
        return Err(Outdated::Migration { ours: described(), migration: migration.to_string(), applied_by }.into());
    }
    Ok(())
}

impl MigrationRecord {
    fn admits(&self, release: &Version) -> bool {
        let first = self.runs_beside.as_deref().and_then(|first| Version::parse(first).ok());
        first.is_some_and(|first| *release >= first)
    }
}

async fn records(pool: &PgPool) -> sqlx::Result<Vec<MigrationRecord>> {
    query_as!(MigrationRecord, "SELECT version, applied_by, runs_beside FROM public.migration_records").fetch_all(pool).await
}

/// Records that this release applied the migrations that have no record yet. If one of `new` may stand beside no earlier
/// release, earlier releases may not run any more.
///
/// # Errors
/// The database cannot be reached.
pub async fn record_migrations(pool: &PgPool, new: &[i64]) -> sqlx::Result<()> {
    let (mut versions, mut runs_beside, mut must_be_known) = (Vec::new(), Vec::new(), false);
    for migration in migrations::POSTGRES.iter() {
        let said = migrations::runs_beside(&migration.sql);
        must_be_known |= said == RunsBeside::None && new.contains(&migration.version);
        versions.push(migration.version);
        runs_beside.push(match said {
            RunsBeside::Release(release) => Some(release.to_owned()),
            RunsBeside::None | RunsBeside::Unsaid => None,
        });
    }
    let mut tx = pool.begin().await?;
    query!(
        "INSERT INTO public.migration_records (version, applied_by, runs_beside)
         SELECT version, $2, runs_beside FROM UNNEST($1::bigint[], $3::text[]) AS applied (version, runs_beside) ON CONFLICT DO NOTHING",
        &versions,
        described(),
        &runs_beside as &[Option<String>],
    )
    .execute(&mut *tx)
    .await?;
    if must_be_known {
        require_release(&mut tx, &Release::this().version).await?;
    }
    tx.commit().await
}

/// Requires from now on at least this release. A higher one stays required.
///
/// # Errors
/// The database cannot be reached.
pub async fn require_release(transaction: &mut PgConnection, to: &Version) -> sqlx::Result<()> {
    let floor = read_for_update(transaction).await?;
    if Version::parse(&floor.min_release).is_ok_and(|now| now >= *to) {
        return Ok(());
    }
    query!("UPDATE public.release_floor SET min_release = $1", to.to_string()).execute(transaction).await.map(drop)
}

/// Reads the requirements. They cannot be raised before the transaction ends.
pub async fn read_for_share(transaction: &mut PgConnection) -> sqlx::Result<Floor> {
    let row =
        query!("SELECT min_release, min_format, format_written_by FROM public.release_floor FOR SHARE").fetch_one(transaction).await?;
    Ok(Floor { min_release: row.min_release, min_format: EventFormat(row.min_format), written_by: row.format_written_by })
}

/// Reads the requirements, to raise them. No process can be listed before the transaction ends.
pub async fn read_for_update(transaction: &mut PgConnection) -> sqlx::Result<Floor> {
    let row =
        query!("SELECT min_release, min_format, format_written_by FROM public.release_floor FOR UPDATE").fetch_one(transaction).await?;
    Ok(Floor { min_release: row.min_release, min_format: EventFormat(row.min_format), written_by: row.format_written_by })
}

/// Requires from now on that every process reads this format.
pub async fn raise(transaction: &mut PgConnection, to: EventFormat, by: &Version) -> sqlx::Result<()> {
    query!("UPDATE public.release_floor SET min_format = $1, format_written_by = $2 WHERE min_format < $1", to.0, by.to_string())
        .execute(transaction)
        .await
        .map(drop)
}

/// The host and the process number, for operators.
#[must_use]
pub fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", if host.trim().is_empty() { "localhost" } else { host.trim() }, std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(min_release: &str, min_format: i32) -> Floor {
        Floor { min_release: min_release.into(), min_format: EventFormat(min_format), written_by: "0.3.1".into() }
    }

    fn release(version: &str, reads: i32) -> Release {
        Release { version: version.parse().expect("a version"), reads: EventFormat(reads) }
    }

    #[test]
    fn this_release_is_the_version_of_the_package() {
        assert_eq!(Release::this().version.to_string(), env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(floor("0.9.0", 1).admits(&release("0.10.0", 1)).is_ok());
        assert!(floor("0.10.0", 1).admits(&release("0.9.9", 1)).is_err());
        assert!(floor("0.2.0", 1).admits(&release("0.2.0-rc.1", 1)).is_err(), "a candidate comes before its release");
    }

    #[test]
    fn a_process_that_cannot_read_the_log_names_the_release_that_can() {
        let refused = floor("0.1.0", 3).admits(&release("0.2.0", 2)).expect_err("format 3 is newer");
        let said = refused.to_string();
        assert!(said.contains("backscroll 0.2.0") && said.contains("format 3") && said.contains("0.3.1"), "{said}");
    }

    #[test]
    fn an_unknown_migration_is_admitted_only_beside_the_releases_that_its_record_names() {
        let record = |runs_beside: Option<&str>| MigrationRecord {
            version: 1,
            applied_by: "0.3.0".into(),
            runs_beside: runs_beside.map(str::to_owned),
        };
        let ours = Version::new(0, 2, 0);
        assert!(record(Some("0.1.0")).admits(&ours) && record(Some("0.2.0")).admits(&ours));
        assert!(!record(Some("0.3.0")).admits(&ours) && !record(None).admits(&ours) && !record(Some("soon")).admits(&ours));
    }

    #[test]
    fn an_invalid_smallest_release_refuses_no_process() {
        assert!(floor("soon", 1).admits(&release("0.1.0", 1)).is_ok());
    }
}
