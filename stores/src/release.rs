//! Which releases may run on a database, because several run at the same time during an upgrade: the release of this
//! process, the database's requirements, and why the process may not run.
//!
//! The table `release_floor` holds the smallest release that may run, and the event format that every process must be
//! able to read. Neither is ever lowered. `commands::event_store` lists the running processes.

use domain::format::EventFormat;
use semver::Version;
use sqlx::{PgConnection, PgPool, query};

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
    let there = sqlx::query_scalar::<_, bool>("SELECT to_regclass('public.release_floor') IS NOT NULL").fetch_one(pool).await?;
    if there { Ok(read_for_share(&mut *pool.acquire().await?).await?.admits(&Release::this())?) } else { Ok(()) }
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
    fn an_invalid_smallest_release_refuses_no_process() {
        assert!(floor("soon", 1).admits(&release("0.1.0", 1)).is_ok());
    }
}
