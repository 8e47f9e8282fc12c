//! People, by how a part of their names begins; where too few do, by how it nearly begins.
//!
//! No extension of Postgres is needed: who is in a workspace fits into memory, and typing errors are looked for only where a page is left
//! unfilled.

use sqlx::{PgPool, query_file_as};
use uuid::Uuid;

use crate::search::{PeopleQuery, PersonHit, PersonKey, SearchError, names, words};

/// The most people among whom typing errors are looked for: those who joined last.
const NEARLY_AMONG_MAX: i64 = 20_000;

/// Somebody, with the words of their names.
struct Named {
    user_id: Uuid,
    names: String,
}

/// Whoever is found, one more than was asked for where there are more.
pub(super) async fn search(pool: &PgPool, query: &PeopleQuery) -> Result<Vec<PersonHit>, SearchError> {
    let sought = words::normalised(&query.text);
    if sought.is_empty() {
        return Ok(Vec::new());
    }
    let limit = usize::from(query.limit) + 1;
    let mut hits = match query.after {
        Some(PersonKey { distance: 1.., .. }) => Vec::new(),
        after => beginning(pool, query, &sought, after).await?,
    };
    if hits.len() < limit && names::wrong_max(&sought) > 0 {
        hits.extend(nearly(pool, query, &sought).await?);
        hits.truncate(limit);
    }
    Ok(hits)
}

/// Those of whose names a part begins so.
async fn beginning(pool: &PgPool, query: &PeopleQuery, sought: &str, after: Option<PersonKey>) -> Result<Vec<PersonHit>, SearchError> {
    let after = after.map_or(Uuid::nil(), |key| key.user_id.0);
    let limit = i64::from(query.limit) + 1;
    let file = query_file_as!(Named, "src/search/sql/people_beginning.sql", query.workspace_id.0, sought, after, limit);
    let found = file.fetch_all(pool).await?;
    Ok(found.into_iter().map(|named| PersonHit { user_id: named.user_id.into(), distance: 0 }).collect())
}

/// Those of whose names a part nearly begins so, the nearest first.
async fn nearly(pool: &PgPool, query: &PeopleQuery, sought: &str) -> Result<Vec<PersonHit>, SearchError> {
    let file = query_file_as!(Named, "src/search/sql/people_names.sql", query.workspace_id.0, NEARLY_AMONG_MAX);
    let (wrong_max, sought) = (names::wrong_max(sought), sought.chars().collect::<Vec<_>>());
    let distance = |named: &Named| names::nearest(&sought, &named.names).filter(|distance| (1..=wrong_max).contains(distance));
    let mut hits = file.fetch_all(pool).await?.iter().filter_map(|named| Some((distance(named)?, named.user_id))).collect::<Vec<_>>();
    hits.sort_unstable();
    let hits = hits.into_iter().map(|(distance, user_id)| PersonHit { user_id: user_id.into(), distance });
    Ok(hits.filter(|hit| query.after.is_none_or(|after| PersonKey { distance: hit.distance, user_id: hit.user_id } > after)).collect())
}
