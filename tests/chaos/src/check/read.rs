//! Compares the read models with the log, row by row.

use std::collections::HashMap;

use anyhow::Result;
use serde_json::{Map, Value};
use sqlx::{PgPool, Row};
use uuid::Uuid;

use super::fold::{Fold, RowName, Table};
use super::{Violation, tell};

/// Compares the rows that have changed since the last call, or all rows. It always counts all rows.
pub(crate) async fn check(pool: &PgPool, fold: &mut Fold, head: i64, thorough: bool, found: &mut Vec<Violation>) -> Result<()> {
    for table in Table::ALL {
        let changed = fold.changed.iter().filter(|(of, _, _)| *of == table as u8);
        let keys = if thorough { None } else { Some(changed.map(|(_, first, second)| (*first, *second)).collect::<Vec<_>>()) };
        let stored = rows(pool, table, keys.as_deref()).await?;
        let names = match &keys {
            Some(keys) => keys.iter().map(|(first, second)| (table, *first, *second)).collect::<Vec<_>>(),
            None => fold.rows.keys().filter(|(of, _, _)| *of == table).copied().collect(),
        };
        for name in names {
            compare(name, fold.rows.get(&name), stored.get(&name), found);
        }
        let (expected, counted) = (fold.count(table) as i64, count(pool, table.name_and_key().0).await?);
        if expected != counted {
            tell(found, "read model has other rows", || format!("{table:?} has {counted} rows, the log says {expected}"));
        }
    }
    if count(pool, "audit_log").await? != head {
        tell(found, "read model has other rows", || format!("audit_log does not have {head} rows"));
    }
    let parked = sqlx::query_scalar::<_, String>("SELECT park_key || ': ' || error FROM public.parked_keys").fetch_all(pool).await?;
    for key in parked {
        tell(found, "parked", || key);
    }
    if thorough {
        check_names(pool, found).await?;
    }
    fold.changed.clear();
    Ok(())
}

/// Every name in use is claimed by its holder, and no other name is claimed. Email addresses and usernames are claimed
/// in a form that hides them; for those the check only counts the claims of each holder.
async fn check_names(pool: &PgPool, found: &mut Vec<Violation>) -> Result<()> {
    let sql = "WITH had AS (
            SELECT 'email' AS kind, NULL::uuid AS scope, '' AS value, user_id AS holder FROM read.users
            UNION ALL SELECT 'username', NULL, '', user_id FROM read.users
            UNION ALL SELECT 'workspace_domain', NULL, lower(domain), workspace_id FROM read.workspaces WHERE domain IS NOT NULL
            UNION ALL SELECT 'channel_name', workspace_id, lower(name), channel_id FROM read.channels WHERE name IS NOT NULL
        ), claimed AS (
            SELECT kind, nullif(scope, '00000000-0000-0000-0000-000000000000') AS scope,
                   CASE WHEN kind IN ('email', 'username') THEN '' ELSE value END AS value, holder
            FROM public.claims WHERE kind IN (SELECT kind FROM had)
        )
        SELECT 'had and not claimed: ' || d::text FROM (SELECT * FROM had EXCEPT ALL SELECT * FROM claimed) d
        UNION ALL SELECT 'claimed and not had: ' || d::text FROM (SELECT * FROM claimed EXCEPT ALL SELECT * FROM had) d";
    for name in sqlx::query_scalar::<_, String>(sql).fetch_all(pool).await? {
        tell(found, "name", || name);
    }
    Ok(())
}

/// Compares a row with its expected content.
pub(crate) fn compare(name: RowName, expected: Option<&Map<String, Value>>, stored: Option<&Value>, found: &mut Vec<Violation>) {
    let Some(expected) = expected else { return };
    let Some(stored) = stored else {
        return tell(found, "read model lacks a row", || format!("{name:?}"));
    };
    for (column, value) in expected {
        let is = stored.get(column).unwrap_or(&Value::Null);
        if is != value {
            tell(found, "read model differs", || format!("{name:?} {column} is {is}, the log says {value}"));
        }
    }
}

async fn count(pool: &PgPool, table: &str) -> Result<i64> {
    Ok(sqlx::query_scalar(&format!("SELECT count(*) FROM read.{table}")).fetch_one(pool).await?)
}

async fn rows(pool: &PgPool, table: Table, keys: Option<&[(Uuid, Uuid)]>) -> Result<HashMap<RowName, Value>> {
    let (name, first, second) = table.name_and_key();
    let more = match table {
        Table::Messages => {
            "|| jsonb_build_object(
                 'earlier', (SELECT coalesce(jsonb_agg(e.content ORDER BY e.position), '[]')
                             FROM read.message_edits e WHERE e.message_id = t.message_id),
                 'mentions', (SELECT coalesce(jsonb_agg(m.user_id ORDER BY m.user_id), '[]')
                              FROM read.mentions m WHERE m.message_id = t.message_id))"
        }
        _ => "",
    };
    let only = if keys.is_some() { format!("WHERE {first} = ANY($1)") } else { "WHERE cardinality($1::uuid[]) = 0".to_owned() };
    let sql = format!("SELECT {first} AS first, {second} AS second, to_jsonb(t) {more} AS fields FROM read.{name} t {only}");
    let firsts = keys.unwrap_or_default().iter().map(|(first, _)| *first).collect::<Vec<_>>();
    let rows = sqlx::query(&sql).bind(firsts).fetch_all(pool).await?;
    rows.into_iter().map(|row| Ok(((table, row.try_get("first")?, row.try_get("second")?), row.try_get("fields")?))).collect()
}
