//! Finds columns of the live tables that this release does not write, because a newer release added them. This release
//! can neither build their values nor compare them. While such a column exists, it does not replace or repair the live
//! tables, and builds no view.

use sqlx::{Executor, PgConnection, query};

use super::report::RebuildError;
use super::shadow::{LIVE, tables};
use crate::relational;

/// Refuses live tables with a column that this release does not write.
pub(super) async fn refuse_newer(connection: &mut PgConnection) -> Result<(), RebuildError> {
    let found = query!(
        r#"SELECT t.relname::text AS "table!", a.attname::text AS "name!" FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid
           WHERE t.relnamespace = $1::text::regnamespace AND t.relkind IN ('r', 'p') AND NOT t.relispartition
             AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
           ORDER BY t.relname, a.attnum"#,
        LIVE
    );
    let found = found.fetch_all(connection).await?;
    let newer = found.into_iter().filter(|column| !relational::columns_of(&column.table).contains(&column.name.as_str()));
    let newer = newer.map(|column| format!("{}.{}", column.table, column.name)).collect::<Vec<_>>();
    if newer.is_empty() { Ok(()) } else { Err(RebuildError::NewerColumns(newer)) }
}

/// As [`refuse_newer`], and locks the tables so that no migration adds a column until the transaction ends. A migration
/// may have run since the rebuild began.
pub(super) async fn refuse_newer_and_lock(transaction: &mut PgConnection) -> Result<(), RebuildError> {
    for table in tables(transaction).await? {
        transaction.execute(format!("LOCK TABLE ONLY {LIVE}.{table} IN ACCESS SHARE MODE").as_str()).await?;
    }
    refuse_newer(transaction).await
}
