//! Finds people by the beginning of a part of their names. If these do not fill the page, it finds similar names too.
//!
//! It needs no Postgres extension: the members of a workspace fit into memory, and spelling errors are searched only if
//! the page is not full.

use sqlx::{PgPool, query_file_as};
use uuid::Uuid;

use crate::search::{PeopleQuery, PersonHit, PersonKey, SearchError, names, words};

/// The most people that are compared for spelling errors: those who joined last.
const NEARLY_AMONG_MAX: i64 = 20_000;

/// How many names are read at once.
const NAMES_AT_ONCE: i64 = 5_000;

/// A person, with their names.
struct PersonNames {
    user_id: Uuid,
    username: String,
    display_name: String,
}

impl PersonNames {
    /// The words that a search finds the person by.
    fn words(&self) -> String {
        names::names_of(&self.username, &self.display_name)
    }
}

/// Returns the people found, with one more than was asked for if there are more.
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

/// The channels whose people are searched. `None` means all members of the workspace.
fn among(query: &PeopleQuery) -> Option<Vec<Uuid>> {
    query.in_channels.as_ref().map(|channels| channels.iter().map(|id| id.0).collect())
}

/// Returns people with a part of a name that begins with the text.
async fn beginning(pool: &PgPool, query: &PeopleQuery, sought: &str, after: Option<PersonKey>) -> Result<Vec<PersonHit>, SearchError> {
    let (mut after, mut hits) = (after.map_or(Uuid::nil(), |key| key.user_id.0), Vec::new());
    loop {
        let file = query_file_as!(
            PersonNames,
            "src/search/sql/people_beginning.sql",
            query.workspace_id.0,
            after,
            NAMES_AT_ONCE,
            among(query) as _
        );
        let found = file.fetch_all(pool).await?;
        let beginning = found.iter().filter(|named| names::begins(sought, &named.words()));
        hits.extend(beginning.map(|named| PersonHit { user_id: named.user_id.into(), distance: 0 }));
        let last = found.last().filter(|_| i64::try_from(found.len()).is_ok_and(|read| read >= NAMES_AT_ONCE));
        match last {
            Some(last) if hits.len() <= usize::from(query.limit) => after = last.user_id,
            _ => break,
        }
    }
    hits.truncate(usize::from(query.limit) + 1);
    Ok(hits)
}

/// Returns people with a part of a name that nearly begins with the text, the nearest first.
async fn nearly(pool: &PgPool, query: &PeopleQuery, sought: &str) -> Result<Vec<PersonHit>, SearchError> {
    let file = query_file_as!(PersonNames, "src/search/sql/people_names.sql", query.workspace_id.0, NEARLY_AMONG_MAX, among(query) as _);
    let (wrong_max, sought) = (names::wrong_max(sought), sought.chars().collect::<Vec<_>>());
    let distance = |named: &PersonNames| names::nearest(&sought, &named.words()).filter(|distance| (1..=wrong_max).contains(distance));
    let mut hits = file.fetch_all(pool).await?.iter().filter_map(|named| Some((distance(named)?, named.user_id))).collect::<Vec<_>>();
    hits.sort_unstable();
    let hits = hits.into_iter().map(|(distance, user_id)| PersonHit { user_id: user_id.into(), distance });
    Ok(hits.filter(|hit| query.after.is_none_or(|after| PersonKey { distance: hit.distance, user_id: hit.user_id } > after)).collect())
}
