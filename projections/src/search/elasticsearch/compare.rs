//! Proves that documents equal rows, one by one, while both change. Every row must have its document, with the checksum
//! of the row's content, and there must be no other document. A difference is checked again: the document may be newer
//! than the row that was read, or may still be written by the projector.

use std::collections::{BTreeMap, BTreeSet};

use elasticsearch::http::Method;
use serde_json::{Value, json};
use sqlx::PgConnection;
use stores::elasticsearch::ElasticError;
use uuid::Uuid;

use super::Elastic;
use super::differences::{self, SHOWN_MAX};
use super::documents::{Document, Family};
use super::rebuild::{Building, COMPARED_ROWS, Compared};
use super::rows::{self, Scan};
use crate::rebuild::{Difference, Phase, RebuildError, RebuildProgress};

/// How often to check a difference again before it is reported.
const ROUNDS_MAX: usize = 10;
/// The most documents of one page of a scan. More documents than this mean that rows have several.
const PAGE_DOCUMENTS: i64 = 2 * COMPARED_ROWS;
/// How many differing documents are checked again. More are not caused by timing.
const RECHECKED_MAX: usize = 10_000;
/// How many documents are checked again in one query. During an import, thousands of rows are added between two
/// queries.
const RECHECKED_DOCUMENTS: usize = 1_000;

/// The compared parts of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StoredDocument {
    index: String,
    checksum: i64,
}

/// The differences, by index.
type IndexDifferences = BTreeMap<(Family, String), (String, Difference)>;

/// Compares all documents with all rows.
pub(super) async fn compare(
    elastic: &Elastic,
    building: &mut Building<'_>,
    connection: &mut PgConnection,
    observe: &(dyn Fn(RebuildProgress) + Send + Sync),
) -> Result<Compared, RebuildError> {
    let mut counts = BTreeMap::new();
    let mut candidates = BTreeSet::new();
    let families = [(Scan::Members, Family::Users), (Scan::Messages, Family::Messages)];
    for (done, (scan, family)) in (1..).zip(families) {
        let mut after = Some(Uuid::nil());
        while let Some(from) = after {
            let chunk = rows::scan(connection, scan, from).await?;
            let found = found_between(elastic, building, family, from, chunk.last).await?;
            for StoredDocument { index, .. } in found.values() {
                *counts.entry(index.clone()).or_insert(0) += 1;
            }
            candidates.extend(differing(&chunk.documents, &found).into_iter().map(|id| (family, id)));
            after = chunk.last;
        }
        observe(RebuildProgress { phase: Phase::Comparing, done, total: families.len() as u64 });
    }
    let differences = recheck(elastic, building, connection, candidates).await?;
    Ok(Compared { documents: counts.into_iter().collect(), differences })
}

/// The identifiers of documents that differ from their rows, are missing, or have no row.
fn differing(rows: &[Document], found: &BTreeMap<String, StoredDocument>) -> Vec<String> {
    let wrong = rows.iter().filter(|row| found.get(&row.id).is_none_or(|found| found.checksum != row.checksum));
    let ids = rows.iter().map(|row| row.id.as_str()).collect::<BTreeSet<_>>();
    let without = found.keys().filter(|id| !ids.contains(id.as_str()));
    wrong.map(|row| row.id.clone()).chain(without.cloned()).collect()
}

/// Returns the differences that remain after the projector has caught up, after at most `ROUNDS_MAX` rounds.
async fn recheck(
    elastic: &Elastic,
    building: &mut Building<'_>,
    connection: &mut PgConnection,
    mut candidates: BTreeSet<(Family, String)>,
) -> Result<Vec<Difference>, RebuildError> {
    let mut differing = IndexDifferences::new();
    for _ in 0..ROUNDS_MAX {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        building.approach_rows(connection).await?;
        differing = recheck_once(elastic, building, connection, &candidates).await?;
        if candidates.len() > RECHECKED_MAX {
            break;
        }
        candidates = differing.keys().cloned().collect();
    }
    sum_up(elastic, building, connection, differing).await
}

/// Sums up the differences by index, with the first documents of each.
async fn sum_up(
    elastic: &Elastic,
    building: &Building<'_>,
    connection: &mut PgConnection,
    differing: IndexDifferences,
) -> Result<Vec<Difference>, RebuildError> {
    let mut by_index = BTreeMap::<String, (Family, Vec<String>, Difference)>::new();
    for ((family, id), (index, one)) in differing {
        let (_, ids, sum) = by_index.entry(index.clone()).or_insert_with(|| (family, Vec::new(), Difference::of_counts(&index, 0, 0)));
        sum.live_rows += one.live_rows;
        sum.new_rows += one.new_rows;
        if ids.len() < SHOWN_MAX {
            ids.push(id);
        }
    }
    let mut differences = Vec::new();
    for (family, ids, difference) in by_index.into_values() {
        let ids = ids.iter().map(String::as_str).collect::<Vec<_>>();
        let rows = differences::show(elastic, building, connection, family, &ids).await?;
        differences.push(Difference { rows, ..difference });
    }
    Ok(differences)
}

/// Returns the documents that differ now. A document that is newer than its row was when it was read differs only for a
/// moment.
async fn recheck_once(
    elastic: &Elastic,
    building: &Building<'_>,
    connection: &mut PgConnection,
    candidates: &BTreeSet<(Family, String)>,
) -> Result<IndexDifferences, RebuildError> {
    let mut differing = IndexDifferences::new();
    for family in [Family::Users, Family::Messages] {
        let of_family = candidates.iter().filter(|(of, _)| *of == family).take(RECHECKED_MAX);
        let ids = of_family.map(|(_, id)| id.as_str()).collect::<Vec<_>>();
        elastic.refresh(&pattern(building, family)).await?;
        for ids in ids.chunks(RECHECKED_DOCUMENTS) {
            let rows = rows_of(connection, family, ids).await?;
            let found = search(elastic, building, family, &json!({"ids": {"values": ids}})).await?;
            let differ = ids.iter().filter(|id| rows.get(**id).map(|row| row.checksum) != found.get(**id).map(|found| found.checksum));
            for id in differ {
                let row = rows.get(*id);
                let index = row.and_then(|row| building.model.written_to(row).into_iter().next());
                let index = index.unwrap_or_else(|| family.as_str().into());
                let (live_rows, new_rows) = (i64::from(row.is_some()), i64::from(found.contains_key(*id)));
                let difference = Difference::of_counts(&index, live_rows, new_rows);
                differing.insert((family, (*id).to_owned()), (index, difference));
            }
        }
    }
    Ok(differing)
}

/// Makes the documents of rows, by identifier.
pub(super) async fn rows_of(connection: &mut PgConnection, family: Family, ids: &[&str]) -> sqlx::Result<BTreeMap<String, Document>> {
    let rows = match family {
        Family::Messages => {
            let ids = ids.iter().filter_map(|id| id.parse().ok()).collect::<Vec<_>>();
            rows::messages(connection, &ids).await?.into_iter().map(|(document, _)| document).collect()
        }
        Family::Users => {
            let key = |id: &str| id.split_once(':').and_then(|(workspace, user)| Some((workspace.parse().ok()?, user.parse().ok()?)));
            rows::members(connection, &ids.iter().filter_map(|id| key(id)).collect::<Vec<_>>()).await?
        }
    };
    Ok(rows.into_iter().map(|row: Document| (row.id.clone(), row)).collect())
}

/// Returns the documents with identifiers after `after`, up to `last`.
async fn found_between(
    elastic: &Elastic,
    building: &Building<'_>,
    family: Family,
    after: Uuid,
    last: Option<Uuid>,
) -> Result<BTreeMap<String, StoredDocument>, ElasticError> {
    let field = if family == Family::Messages { "message_id" } else { "member_id" };
    let mut range = json!({"gt": after});
    if let Some(last) = last {
        range["lte"] = json!(last);
    }
    search(elastic, building, family, &json!({"range": {field: range}})).await
}

async fn search(
    elastic: &Elastic,
    building: &Building<'_>,
    family: Family,
    query: &Value,
) -> Result<BTreeMap<String, StoredDocument>, ElasticError> {
    let body =
        json!({"query": query, "size": PAGE_DOCUMENTS, "_source": false, "docvalue_fields": ["checksum"], "track_total_hits": false});
    let path = format!("/{}/_search", pattern(building, family));
    let answer = elastic.client.ask(Method::Post, &path, Some(&body)).await?;
    let hits = answer["hits"]["hits"].as_array().ok_or_else(|| ElasticError::Unreadable("the answer to a search has no hits"))?;
    let found = hits.iter().filter_map(|hit| {
        let index = hit["_index"].as_str()?.to_owned();
        Some((hit["_id"].as_str()?.to_owned(), StoredDocument { index, checksum: hit["fields"]["checksum"][0].as_i64()? }))
    });
    Ok(found.collect())
}

pub(super) fn pattern(building: &Building<'_>, family: Family) -> String {
    format!("{}{}_*-m{}", building.model.prefix, family.as_str(), building.model.model_id)
}
