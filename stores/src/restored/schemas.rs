//! The schemas of the database, and those that can be made again: `read` and `state` hold nothing that a backup must
//! have, and `proof` follows from the log, except for the history of signed heads.

use std::collections::{BTreeMap, BTreeSet};

use migrations::derived::{self, DerivedSchema};
use sqlx::{Connection, Executor, PgConnection, query_scalar};

/// The advisory lock: one process makes schemas at a time. Those of the event store are 4701 and 4702.
const LOCK: i64 = 4_703;

/// Schemas without anything of their own: if a table is missing, the whole schema is made again.
const WITHOUT_ORIGINALS: [&str; 2] = ["read", "state"];

/// Why schemas could not be made again.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// Postgres cannot be used, or refuses a statement.
    #[error("the schemas that the backup left out cannot be created")]
    Postgres(#[from] sqlx::Error),
    /// No release ended with the last migration of this database.
    #[error(
        "the database lacks the schema {schema}, and its last migration is {version}, which no release ended with: restore a backup that \
         has the schema, with the release that wrote it"
    )]
    UnknownVersion {
        /// A missing schema.
        schema: String,
        /// The last migration that was applied.
        version: i64,
    },
}

/// The tables that a database lacks, by schema.
pub type MissingTables = BTreeMap<String, BTreeSet<String>>;

/// Returns the last migration that was applied, or `None` if none was.
///
/// # Errors
/// Postgres cannot be used.
pub async fn last_migration(connection: &mut PgConnection) -> sqlx::Result<Option<i64>> {
    let there = query_scalar::<_, bool>("SELECT to_regclass('public._sqlx_migrations') IS NOT NULL");
    if !there.fetch_one(&mut *connection).await? {
        return Ok(None);
    }
    query_scalar("SELECT max(version) FROM public._sqlx_migrations WHERE success").fetch_one(connection).await
}

/// Returns the tables that the applied migrations have made and that are not there. Only tables that belong to no
/// partitioned table count.
///
/// # Errors
/// Postgres cannot be used.
pub async fn missing_tables(connection: &mut PgConnection) -> sqlx::Result<MissingTables> {
    let Some(last) = last_migration(connection).await? else { return Ok(MissingTables::new()) };
    let there = query_scalar!(
        r#"SELECT n.nspname || '.' || c.relname AS "name!" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^(pg_|information_schema)'"#
    );
    let there = there.fetch_all(connection).await?.into_iter().collect::<BTreeSet<_>>();
    let mut missing = MissingTables::new();
    for (schema, table) in tables_of(last) {
        if !there.contains(&format!("{schema}.{table}")) {
            missing.entry(schema).or_default().insert(table);
        }
    }
    Ok(missing)
}

/// The tables that the migrations up to `last` have made, each with its schema. A migration creates a table with a
/// statement that begins a line.
fn tables_of(last: i64) -> BTreeSet<(String, String)> {
    let mut tables = BTreeSet::new();
    for line in migrations::POSTGRES.iter().filter(|migration| migration.version <= last).flat_map(|migration| migration.sql.lines()) {
        if let Some(rest) = line.strip_prefix("CREATE TABLE ").or_else(|| line.strip_prefix("CREATE UNLOGGED TABLE ")) {
            tables.extend(named(rest));
        } else if let Some(name) = line.strip_prefix("DROP TABLE ").and_then(named) {
            tables.remove(&name);
        }
    }
    tables
}

fn named(rest: &str) -> Option<(String, String)> {
    let name = rest.split([' ', '(', ';']).next().filter(|name| !name.is_empty())?;
    let (schema, table) = name.split_once('.').unwrap_or(("public", name));
    Some((schema.to_owned(), table.to_owned()))
}

/// The schemas that can be made again, if tables of them are missing.
#[must_use]
pub fn makeable(missing: &MissingTables) -> Vec<&'static str> {
    let all = derived::VERSIONS.last().map_or(&[][..], |version| version.schemas);
    all.iter().map(|schema| schema.name).filter(|name| missing.contains_key(*name)).collect()
}

/// Makes the missing schemas again as the applied migrations left them, without rows. Returns their names. A database
/// without migrations is left alone.
///
/// # Errors
/// Postgres refuses, or the database is of no release.
pub async fn make_missing(connection: &mut PgConnection) -> Result<Vec<&'static str>, SchemaError> {
    if makeable(&missing_tables(connection).await?).is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *tx).await?;
    // Another process may have made them meanwhile.
    let missing = missing_tables(&mut tx).await?;
    let version = last_migration(&mut tx).await?.unwrap_or_default();
    let mut made = Vec::new();
    for name in makeable(&missing) {
        let schema = schema_at(name, version).ok_or_else(|| SchemaError::UnknownVersion { schema: name.into(), version })?;
        if make(&mut tx, schema).await? {
            made.push(name);
        }
    }
    tx.commit().await?;
    Ok(made)
}

fn schema_at(name: &str, version: i64) -> Option<&'static DerivedSchema> {
    let valid = derived::VERSIONS.iter().rev().find(|known| known.version <= version)?;
    valid.schemas.iter().find(|schema| schema.name == name)
}

/// Makes one schema. A part of `proof` is left as it is: signed heads must not be removed here.
async fn make(tx: &mut PgConnection, schema: &DerivedSchema) -> sqlx::Result<bool> {
    if WITHOUT_ORIGINALS.contains(&schema.name) {
        tx.execute(format!("DROP SCHEMA IF EXISTS {} CASCADE", schema.name).as_str()).await?;
    } else if exists(tx, schema.name).await? {
        return Ok(false);
    }
    tx.execute(schema.sql).await?;
    Ok(true)
}

async fn exists(connection: &mut PgConnection, schema: &str) -> sqlx::Result<bool> {
    query_scalar!(r#"SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS "there!""#, schema).fetch_one(connection).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_the_migrations_are_found_with_their_schemas() {
        let tables = tables_of(i64::MAX);
        for (schema, table) in
            [("public", "events"), ("public", "replays"), ("read", "messages"), ("secret", "person_keys"), ("state", "exports")]
        {
            assert!(tables.contains(&(schema.to_owned(), table.to_owned())), "{schema}.{table}");
        }
        assert!(tables_of(20_261_126_000_200).iter().all(|(schema, _)| schema != "state"), "0.1.0 had no schema `state`");
    }

    #[test]
    fn the_schemas_are_those_of_the_last_release_up_to_the_version() {
        assert!(schema_at("read", 20_261_126_000_199).is_none());
        assert!(schema_at("state", 20_261_126_000_200).is_none());
        assert!(schema_at("read", 20_261_126_000_201).is_some_and(|schema| schema.sql.contains("CREATE TABLE read.messages ")));
        let latest = schema_at("read", i64::MAX).expect("a schema");
        assert!(latest.sql.contains("CREATE TABLE read.message_edits "), "the latest version");
    }
}
