//! Finds people whose names begin with a text and, if these do not fill the page, people whose names are similar.
//! Elasticsearch finds candidates. The distance is computed here, by the code of all backends.

use serde_json::{Value, json};
use stores::elasticsearch::ElasticError;
use uuid::Uuid;

use crate::search::{PeopleQuery, PersonHit, PersonKey, names, words};

/// How many candidates are compared.
const NEARLY_AMONG_MAX: u32 = 1_000;
/// The most words that a prefix, or a spelling error, may match.
const EXPANSIONS_MAX: u32 = 1_000;

/// A text to search for, and where the page begins.
pub(super) struct Search<'a> {
    query: &'a PeopleQuery,
    sought: String,
}

impl<'a> Search<'a> {
    /// `None` if the text has no word.
    pub(super) fn of(query: &'a PeopleQuery) -> Option<Self> {
        let sought = words::normalised(&query.text);
        (!sought.is_empty()).then_some(Self { query, sought })
    }

    /// One hit more than the page has.
    pub(super) fn limit(&self) -> usize {
        usize::from(self.query.limit) + 1
    }

    /// The request for people whose names begin with the text. `None` if the page is behind all of them.
    pub(super) fn beginning(&self) -> Option<Value> {
        let after = match self.query.after {
            Some(PersonKey { distance: 1.., .. }) => return None,
            after => after.map_or(Uuid::nil(), |key| key.user_id.0),
        };
        let begins = json!({"match_phrase_prefix": {"names": {"query": self.sought, "max_expansions": EXPANSIONS_MAX}}});
        let mut body = self.among_members(&begins, self.limit());
        body["sort"] = json!([{"user_id": "asc"}]);
        body["search_after"] = json!([after]);
        Some(body)
    }

    /// The request for people whose names are similar. `None` if the text is too short for spelling errors.
    pub(super) fn nearly(&self) -> Option<Value> {
        let wrong_max = Some(names::wrong_max(&self.sought)).filter(|wrong_max| *wrong_max > 0)?;
        let near =
            |word: &str| json!({"match": {"names.beginnings": {"query": word, "fuzziness": wrong_max, "max_expansions": EXPANSIONS_MAX}}});
        let near = json!({"bool": {"should": self.sought.split(' ').map(near).collect::<Vec<_>>(), "minimum_should_match": 1}});
        Some(self.among_members(&near, NEARLY_AMONG_MAX as usize))
    }

    /// Returns the similar names behind the last page, the nearest first.
    pub(super) fn nearest(&self, answer: &Value) -> Result<Vec<PersonHit>, ElasticError> {
        let (sought, wrong_max) = (self.sought.chars().collect::<Vec<_>>(), names::wrong_max(&self.sought));
        let mut hits = Vec::new();
        for (user_id, names) in people(answer)? {
            if let Some(distance) = names::nearest(&sought, names).filter(|distance| (1..=wrong_max).contains(distance)) {
                hits.push(PersonHit { user_id: user_id.into(), distance });
            }
        }
        hits.retain(|hit| self.query.after.is_none_or(|after| PersonKey { distance: hit.distance, user_id: hit.user_id } > after));
        hits.sort_unstable_by_key(|hit| (hit.distance, hit.user_id));
        Ok(hits)
    }

    fn among_members(&self, names: &Value, size: usize) -> Value {
        let filter = json!([{"term": {"workspace_id": self.query.workspace_id.0}}, {"term": {"status": "active"}}]);
        json!({
            "query": {"bool": {"must": names, "filter": filter}},
            "size": size,
            "track_total_hits": false,
            "_source": ["user_id", "names"],
        })
    }
}

/// Returns the people of the answer, in its order.
pub(super) fn found(answer: &Value) -> Result<Vec<PersonHit>, ElasticError> {
    Ok(people(answer)?.into_iter().map(|(user_id, _)| PersonHit { user_id: user_id.into(), distance: 0 }).collect())
}

fn people(answer: &Value) -> Result<Vec<(Uuid, &str)>, ElasticError> {
    let unreadable = || ElasticError::Unreadable("the answer to a search has no hits");
    let hits = answer["hits"]["hits"].as_array().ok_or_else(unreadable)?;
    let person = |hit: &'_ Value| -> Option<Uuid> { hit["_source"]["user_id"].as_str()?.parse().ok() };
    let people = hits.iter().map(|hit| Some((person(hit)?, hit["_source"]["names"].as_str()?)));
    people.collect::<Option<_>>().ok_or_else(unreadable)
}
