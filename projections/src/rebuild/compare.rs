//! Proves that the new model equals the live one at the same position: row counts, and for each table a checksum that
//! does not depend on the order of rows. The live model is read in one snapshot together with its checkpoint, so it
//! need not stand still.

use sqlx::{Connection, Executor, PgConnection, Row};
use stores::checkpoint;

use super::catch_up::CatchUp;
use super::differences::{self, Side};
use super::report::{Difference, Phase, RebuildError, RebuildProgress};
use super::shadow::{LIVE, NEXT, Shadow};
use crate::engine::park;
use crate::relational;

/// The result of a comparison.
pub(super) struct Compared {
    /// The position of both models.
    pub(super) position: i64,
    /// The rows of each table of the new model.
    pub(super) rows: Vec<(String, i64)>,
    /// The tables that differ.
    pub(super) differences: Vec<Difference>,
}

/// A table's number of rows, and the sum of their hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checksum {
    pub(super) rows: i64,
    sum: String,
}

/// Compares the two models. Returns `None` if the live model is behind the new one, so that both cannot be read at the
/// same position.
///
/// Keys that are parked in either model are left out: a rebuild is one way to release them.
pub(super) async fn compare(
    shadow: &mut Shadow,
    next: &mut CatchUp,
    observe: &(dyn Fn(RebuildProgress) + Send + Sync),
) -> Result<Option<Compared>, RebuildError> {
    let mut connection = shadow.connect().await?;
    let mut live = connection.begin().await?;
    live.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let Some(stood) = checkpoint::read(&mut live, relational::NAME).await? else { return Ok(None) };
    if stood.position < next.position() {
        return Ok(None);
    }
    next.up_to(shadow, stood.position, observe).await?;
    let mut parked = next.parked();
    parked.extend(park::keys(&mut live, relational::NAME).await?.iter().map(str::to_owned));
    let tables = shadow.tables().await?;
    let mut compared = Compared { position: stood.position, rows: Vec::new(), differences: Vec::new() };
    for (done, table) in (1..).zip(&tables) {
        let wanted = format!("{} <> ALL ($1)", relational::park_key_of(table));
        let wanted = if parked.is_empty() { "TRUE" } else { &wanted };
        let (old, new) = futures::try_join!(
            checksum(&mut live, LIVE, table, wanted, &parked),
            checksum(&mut shadow.connection, NEXT, table, wanted, &parked)
        )?;
        compared.rows.push((table.clone(), new.rows));
        if old != new {
            let rows = differences::ComparedTable { table, wanted, keys: &parked, position: compared.position };
            let (left, right) = (Side { connection: &mut live, schema: LIVE }, Side { connection: &mut shadow.connection, schema: NEXT });
            let rows = differences::first(left, right, rows).await?;
            compared.differences.push(Difference { table: table.clone(), live_rows: old.rows, new_rows: new.rows, rows });
        }
        observe(RebuildProgress { phase: Phase::Comparing, done, total: tables.len() as u64 });
    }
    Ok(Some(compared))
}

/// The checksum of a table's rows that fulfil a condition on `t`, in which `$1` is `keys`.
///
/// Not checked at compile time, because the tables are read from the catalog.
pub(super) async fn checksum(
    connection: &mut PgConnection,
    schema: &str,
    table: &str,
    wanted: &str,
    keys: &[String],
) -> sqlx::Result<Checksum> {
    let statement = format!(
        "SELECT count(*), COALESCE(sum(hashtextextended(t::text, 0)), 0)::text FROM {schema}.{table} t
         WHERE ({wanted}) AND $1::text[] IS NOT NULL"
    );
    let row = sqlx::query(&statement).bind(keys).fetch_one(connection).await?;
    Ok(Checksum { rows: row.try_get(0)?, sum: row.try_get(1)? })
}
