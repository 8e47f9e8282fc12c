//! Shows where two tables differ: the first differing rows, side by side, and the events that made them.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use serde_json::{Map, Value};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, query_as, query_scalar};

use super::report::{DifferingColumn, DifferingRow, MadeBy};
use super::shadow::LIVE;
use crate::relational;

/// The most rows that are shown of each table.
const ROWS_MAX: usize = 10;

/// The most events that are shown of each row: the latest ones.
const EVENTS_MAX: i64 = 10;

/// One of the two models.
pub(super) struct Side<'a> {
    pub(super) connection: &'a mut PgConnection,
    pub(super) schema: &'a str,
}

/// A table, and the condition for the rows that are compared.
#[derive(Clone, Copy)]
pub(super) struct ComparedTable<'a> {
    pub(super) table: &'a str,
    /// A condition on `t`, in which `$1` is `keys`.
    pub(super) wanted: &'a str,
    pub(super) keys: &'a [String],
    /// The position of both models.
    pub(super) position: i64,
}

/// Returns the first differing rows, in order of their keys.
pub(super) async fn first(live: Side<'_>, next: Side<'_>, compared: ComparedTable<'_>) -> sqlx::Result<Vec<DifferingRow>> {
    let key = key_of(live.connection, compared.table).await?;
    let keys = differing_keys((live.connection, live.schema), (next.connection, next.schema), compared, &key).await?;
    let old = rows(live.connection, live.schema, compared.table, &key, &keys).await?;
    let new = rows(next.connection, next.schema, compared.table, &key, &keys).await?;
    let follows = following(live.connection, compared.table).await?;
    let mut differing = Vec::new();
    for key in keys {
        let (old, new) = (old.get(&key), new.get(&key));
        let events = match new.or(old) {
            Some(row) => made_by(live.connection, compared.table, compared.position, row).await?,
            None => Vec::new(),
        };
        let mut columns = columns(old, new);
        columns.retain(|column| !follows.contains(&column.column));
        differing.push(DifferingRow { columns, in_live: old.is_some(), in_new: new.is_some(), key, events });
    }
    Ok(differing)
}

/// The primary key, as a text expression on `t`.
async fn key_of(connection: &mut PgConnection, table: &str) -> sqlx::Result<String> {
    let found = query_scalar!(
        r#"SELECT string_agg('t.' || quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
           FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey)
           WHERE x.indrelid = ($1::text || '.' || quote_ident($2::text))::regclass AND x.indisprimary"#,
        LIVE,
        table
    );
    // A table without a primary key is compared by whole rows.
    let columns = found.fetch_one(connection).await?.unwrap_or_else(|| "t".into());
    Ok(format!("jsonb_build_array({columns})::text"))
}

/// The generated columns. Their differences follow from those of other columns, so they are not shown.
async fn following(connection: &mut PgConnection, table: &str) -> sqlx::Result<Vec<String>> {
    let found = query_scalar!(
        r#"SELECT attname::text AS "name!" FROM pg_attribute
           WHERE attrelid = ($1::text || '.' || quote_ident($2::text))::regclass AND attnum > 0 AND attgenerated <> ''"#,
        LIVE,
        table
    );
    found.fetch_all(connection).await
}

/// Reads both sides in order of their keys, in parallel, until enough differences are found.
async fn differing_keys(
    live: (&mut PgConnection, &str),
    next: (&mut PgConnection, &str),
    compared: ComparedTable<'_>,
    key: &str,
) -> sqlx::Result<Vec<String>> {
    let statement = |schema: &str| {
        let (table, wanted) = (compared.table, compared.wanted);
        format!(
            r#"SELECT {key} COLLATE "C" AS key, hashtextextended(t::text, 0) AS hash FROM {schema}.{table} t
               WHERE ({wanted}) AND $1::text[] IS NOT NULL ORDER BY 1"#
        )
    };
    let (of_live, of_next) = (statement(live.1), statement(next.1));
    let read = |row: PgRow| Ok::<(String, i64), sqlx::Error>((row.try_get(0)?, row.try_get(1)?));
    let mut old = sqlx::query(&of_live).bind(compared.keys).fetch(live.0).and_then(|row| std::future::ready(read(row)));
    let mut new = sqlx::query(&of_next).bind(compared.keys).fetch(next.0).and_then(|row| std::future::ready(read(row)));
    let mut keys = Vec::new();
    let (mut left, mut right) = (old.try_next().await?, new.try_next().await?);
    while keys.len() < ROWS_MAX {
        let first = match (&left, &right) {
            (None, None) => break,
            (Some((key, _)), None) | (None, Some((key, _))) => key.clone(),
            (Some((left, _)), Some((right, _))) => left.min(right).clone(),
        };
        if left != right {
            keys.push(first.clone());
        }
        if left.as_ref().is_some_and(|(key, _)| *key == first) {
            left = old.try_next().await?;
        }
        if right.as_ref().is_some_and(|(key, _)| *key == first) {
            right = new.try_next().await?;
        }
    }
    Ok(keys)
}

/// Reads rows by their keys.
async fn rows(
    connection: &mut PgConnection,
    schema: &str,
    table: &str,
    key: &str,
    keys: &[String],
) -> sqlx::Result<BTreeMap<String, Map<String, Value>>> {
    let statement = format!("SELECT {key}, to_jsonb(t) FROM {schema}.{table} t WHERE {key} = ANY ($1)");
    let found = sqlx::query(&statement).bind(keys).fetch_all(connection).await?;
    let row = |row: PgRow| Ok((row.try_get(0)?, row.try_get::<sqlx::types::Json<Map<String, Value>>, _>(1)?.0));
    found.into_iter().map(row).collect()
}

/// The differing columns, or all columns if only one side has the row.
fn columns(old: Option<&Map<String, Value>>, new: Option<&Map<String, Value>>) -> Vec<DifferingColumn> {
    let names = old.into_iter().chain(new).flat_map(|row| row.keys()).collect::<BTreeSet<_>>();
    let of = |row: Option<&Map<String, Value>>, name: &String| row.and_then(|row| row.get(name)).cloned();
    let sides = names.into_iter().map(|name| DifferingColumn { column: name.clone(), live: of(old, name), new: of(new, name) });
    sides.filter(|column| column.live != column.new).collect()
}

/// Reads the latest events, up to a position, of the thing that a row is about.
pub(crate) async fn made_by(connection: &mut PgConnection, table: &str, upto: i64, row: &Map<String, Value>) -> sqlx::Result<Vec<MadeBy>> {
    let text = |column: &str| row.get(column).and_then(Value::as_str).map(str::to_owned);
    if table == "audit_log" {
        let position = row.get("position").and_then(Value::as_i64);
        let found = query_as!(MadeBy, "SELECT position, event_type FROM events WHERE position = $1", position);
        return found.fetch_all(connection).await;
    }
    let Some(origin) = relational::origin_of(table) else { return Ok(Vec::new()) };
    query_as!(
        MadeBy,
        "SELECT position, event_type FROM events
         WHERE aggregate_type = $1 AND aggregate_id = $2 AND position <= $3 AND ($4::text IS NULL OR strpos(payload::text, $4) > 0)
         ORDER BY sequence DESC LIMIT $5",
        origin.aggregate.as_str(),
        text(origin.id),
        upto,
        origin.names.and_then(text),
        EVENTS_MAX
    )
    .fetch_all(connection)
    .await
}
