//! People, by how a part of their names begins; where too few do, by how it nearly begins.
//!
//! No extension of Postgres is needed: who is in a workspace fits into memory, and typing errors are looked for only where a page is left
//! unfilled.

use sqlx::{PgPool, query_file_as};
use uuid::Uuid;

use crate::search::{PeopleQuery, PersonHit, PersonKey, SearchError, words};

/// The most people among whom typing errors are looked for: those who joined last.
const NEARLY_AMONG_MAX: i64 = 20_000;
/// From so many characters on one of them may be wrong.
const ONE_WRONG_FROM_CHARS: usize = 4;
/// From so many characters on two of them may be wrong.
const TWO_WRONG_FROM_CHARS: usize = 8;

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
    if hits.len() < limit && sought.chars().count() >= ONE_WRONG_FROM_CHARS {
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
    let sought = sought.chars().collect::<Vec<_>>();
    let wrong_max = if sought.len() >= TWO_WRONG_FROM_CHARS { 2 } else { 1 };
    let distance = |named: &Named| nearest(&sought, &named.names).filter(|distance| (1..=wrong_max).contains(distance));
    let mut hits = file.fetch_all(pool).await?.iter().filter_map(|named| Some((distance(named)?, named.user_id))).collect::<Vec<_>>();
    hits.sort_unstable();
    let hits = hits.into_iter().map(|(distance, user_id)| PersonHit { user_id: user_id.into(), distance });
    Ok(hits.filter(|hit| query.after.is_none_or(|after| PersonKey { distance: hit.distance, user_id: hit.user_id } > after)).collect())
}

/// How far what is looked for is from the beginning of the nearest part of a name. A name that begins so is not among those: it is found
/// without this.
fn nearest(sought: &[char], names: &str) -> Option<u16> {
    let begins = names.match_indices(' ').map(|(at, _)| at + 1).chain([0]);
    begins.map(|at| distance_to_beginning(sought, &names[at..].chars().take(sought.len() + 2).collect::<Vec<_>>())).min()
}

/// The fewest characters to insert, leave out, replace or swap with the next (optimal string alignment), to come from what is looked for to
/// some beginning of the name.
fn distance_to_beginning(sought: &[char], name: &[char]) -> u16 {
    let width = name.len() + 1;
    let mut rows = vec![(0..width).collect::<Vec<usize>>()];
    for (i, c) in sought.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, d) in name.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(c != d);
            let mut least = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *c == name[j - 1] && sought[i - 1] == *d {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    let least = rows.last().and_then(|row| row.iter().min()).copied().unwrap_or_default();
    u16::try_from(least).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(sought: &str, names: &str) -> Option<u16> {
        nearest(&sought.chars().collect::<Vec<_>>(), names)
    }

    #[test]
    fn a_beginning_is_no_error_and_each_error_counts_once() {
        assert_eq!(distance("quin", "ann quincy"), Some(0));
        assert_eq!(distance("qiun", "ann quincy"), Some(1), "swapped");
        assert_eq!(distance("quicy", "ann quincy"), Some(1), "left out");
        assert_eq!(distance("quuincy", "ann quincy"), Some(1), "too much");
        assert_eq!(distance("quantcy", "ann quincy"), Some(2));
        assert_eq!(distance("bertha", "ann quincy").map(|distance| distance > 2), Some(true));
    }
}
