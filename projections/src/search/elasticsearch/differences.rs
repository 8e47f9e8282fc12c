//! Shows documents that differ from their rows, field by field, and the events that made the rows.

use std::collections::{BTreeMap, BTreeSet};

use elasticsearch::http::Method;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::Elastic;
use super::compare::{pattern, rows_of};
use super::documents::Family;
use super::rebuild::Building;
use crate::rebuild::{DifferingColumn, DifferingRow, RebuildError, made_by};

/// The most documents that are shown of each index.
pub(super) const SHOWN_MAX: usize = 10;

type Fields = Map<String, Value>;

/// Shows documents beside their rows: `live` is the row's value, `new` the document's.
pub(super) async fn show(
    elastic: &Elastic,
    building: &Building<'_>,
    connection: &mut PgConnection,
    family: Family,
    ids: &[&str],
) -> Result<Vec<DifferingRow>, RebuildError> {
    let rows = rows_of(connection, family, ids).await?;
    let documents = sources(elastic, building, family, ids).await?;
    let mut shown = Vec::new();
    for id in ids {
        let row = rows.get(*id).and_then(|row| serde_json::from_slice::<Fields>(&row.source).ok());
        let document = documents.get(*id);
        let (table, key) = row_of(family, id);
        let events = made_by(connection, table, building.position(), &key).await?;
        let columns = columns(row.as_ref(), document);
        shown.push(DifferingRow { key: (*id).to_owned(), in_live: row.is_some(), in_new: document.is_some(), columns, events });
    }
    Ok(shown)
}

/// The row that a document is made from: its table, and its key.
fn row_of(family: Family, id: &str) -> (&'static str, Fields) {
    let (table, names) = match family {
        Family::Messages => ("messages", ["message_id", ""]),
        Family::Users => ("workspace_members", ["workspace_id", "user_id"]),
    };
    (table, names.into_iter().zip(id.split(':')).map(|(name, id)| (name.to_owned(), Value::from(id))).collect())
}

fn columns(row: Option<&Fields>, document: Option<&Fields>) -> Vec<DifferingColumn> {
    let names = row.into_iter().chain(document).flat_map(|fields| fields.keys()).collect::<BTreeSet<_>>();
    let of = |fields: Option<&Fields>, name: &String| fields.and_then(|fields| fields.get(name)).cloned();
    let sides = names.into_iter().map(|name| DifferingColumn { column: name.clone(), live: of(row, name), new: of(document, name) });
    sides.filter(|column| column.live != column.new).collect()
}

async fn sources(
    elastic: &Elastic,
    building: &Building<'_>,
    family: Family,
    ids: &[&str],
) -> Result<BTreeMap<String, Fields>, RebuildError> {
    let body = json!({"query": {"ids": {"values": ids}}, "size": ids.len()});
    let path = format!("/{}/_search", pattern(building, family));
    let mut answer = elastic.client.ask(Method::Post, &path, Some(&body)).await?;
    let Value::Array(hits) = answer["hits"]["hits"].take() else { return Ok(BTreeMap::new()) };
    let of_hit = |mut hit: Value| {
        let Value::Object(source) = hit["_source"].take() else { return None };
        Some((hit["_id"].as_str()?.to_owned(), source))
    };
    Ok(hits.into_iter().filter_map(of_hit).collect())
}
