//! The versioned schema of Postgres, the streams of NATS and the indices of Elasticsearch. Nothing else, and no logic.
//!
//! A migration of Postgres says in a comment beside which releases it may stand (`-- Runs beside: 0.2.0`): the first
//! release that works with it, without knowing it. `-- Runs beside: none` means that every process must know it
//! (docs/decisions/0042-a-migration-says-beside-which-releases-it-may-stand.md).

pub mod derived;
pub mod elasticsearch;
pub mod nats;

/// All migrations of Postgres, in order, embedded in the binary.
pub static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("./postgres");

/// What the comment of a migration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsBeside<'a> {
    /// It may stand beside this release and later ones.
    Release(&'a str),
    /// It may stand beside no earlier release.
    None,
    /// Migrations from before there were such comments say nothing.
    Unsaid,
}

/// Reads the comment of a migration.
#[must_use]
pub fn runs_beside(sql: &str) -> RunsBeside<'_> {
    match sql.lines().find_map(|line| line.strip_prefix("-- Runs beside: ")).map(str::trim) {
        Some("none") => RunsBeside::None,
        Some(release) => RunsBeside::Release(release),
        None => RunsBeside::Unsaid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Migrations from this one on must say beside which releases they may stand.
    const MUST_SAY: i64 = 20_261_201_000_000;

    #[test]
    fn the_comment_of_a_migration_names_the_first_release_that_works_with_it() {
        assert_eq!(runs_beside("-- Runs beside: 0.2.0\n\nSELECT 1;"), RunsBeside::Release("0.2.0"));
        assert_eq!(runs_beside("-- Why.\n-- Runs beside: none\nSELECT 1;"), RunsBeside::None);
        assert_eq!(runs_beside("SELECT 1;"), RunsBeside::Unsaid);
    }

    #[test]
    fn every_new_migration_says_beside_which_releases_it_may_stand() {
        for migration in POSTGRES.iter().filter(|migration| migration.version >= MUST_SAY) {
            let said = runs_beside(&migration.sql);
            assert_ne!(said, RunsBeside::Unsaid, "{} {} lacks `-- Runs beside: …`", migration.version, migration.description);
        }
    }
}
