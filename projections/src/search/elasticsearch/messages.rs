//! Translates a query on messages to Elasticsearch, and reads the answer.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use stores::elasticsearch::ElasticError;
use uuid::Uuid;

use super::backend::findable;
use crate::relational::messages::Cursor;
use crate::search::words::{emoji as emoji_without_selectors, plain, stem_of};
use crate::search::{
    Addressee, BackendName, Hit, Hits, MessageQuery, Order, PageKey, Property, Requirement, SearchError, Span, TOTAL_MAX, Text, TextTerm,
};

/// The most values of one `terms` clause that Elasticsearch allows by default.
const TERMS_MAX: usize = 65_536;
/// The most words that a prefix inside a phrase may match.
const EXPANSIONS_MAX: u32 = 10_000;
/// How much a word's exact form adds to the score of its stem.
const EXACT_BOOST: f32 = 0.5;

/// Checks that a page by relevance comes from this backend: another backend's scores have another meaning.
pub(super) fn check_page(query: &MessageQuery) -> Result<(), SearchError> {
    let Some(after) = query.after else { return Ok(()) };
    let is_ours = after.backend == BackendName::Elasticsearch || query.order == Order::Newest;
    if is_ours && after.order == query.order { Ok(()) } else { Err(SearchError::ForeignPage) }
}

/// The request. It asks for one hit more than the page has, which shows whether there is another page.
pub(super) fn body(query: &MessageQuery) -> Value {
    let (wanted, unwanted): (Vec<&TextTerm>, Vec<&TextTerm>) = query.text.iter().partition(|term| term.wanted == Requirement::Must);
    let mut filter = findable(query.workspace_id.0);
    filter.push(in_one_of("channel_id", query.channels.iter().map(|id| id.0).collect()));
    filter.extend(query.authors.as_ref().map(|authors| in_one_of("user_id", authors.iter().map(|id| id.0).collect())));
    filter.extend(query.to.iter().map(addressed_to));
    filter.extend(within(&query.during));
    filter.extend(up_to_the_first_page(query));
    let mut must_not = unwanted.iter().map(|term| words(&term.text)).collect::<Vec<_>>();
    must_not.push(in_one_of("user_id", query.not_authors.iter().map(|id| id.0).collect()));
    must_not.extend(query.not_to.iter().map(addressed_to));
    must_not.extend(query.not_during.iter().map(|span| within(span).unwrap_or_else(|| json!({"match_all": {}}))));
    for (property, is) in &query.properties {
        if *is == Requirement::Must { filter.push(has_property(property)) } else { must_not.push(has_property(property)) }
    }
    let must = wanted.iter().map(|term| words(&term.text)).collect::<Vec<_>>();
    let should = wanted.iter().filter_map(|term| exact_form(&term.text)).collect::<Vec<_>>();
    let mut body = json!({
        "query": {"bool": {"must": must, "should": should, "filter": filter, "must_not": must_not}},
        "sort": sort(query.order),
        "size": query.limit + 1,
        "_source": false,
        "docvalue_fields": ["channel_id", "sent_micros"],
    });
    match query.after {
        None => {
            body["track_total_hits"] = json!(TOTAL_MAX);
        }
        Some(after) => {
            body["track_total_hits"] = json!(false);
            body["search_after"] = place(&after);
        }
    }
    body
}

/// Words match next to each other: by their stems, exactly, or by their plain forms with a beginning at the end.
fn words(text: &Text) -> Value {
    let joined = |form: fn(&str) -> String| text.words().iter().map(|word| form(word)).collect::<Vec<_>>().join(" ");
    match text {
        Text::Words(_) => json!({"match_phrase": {"stems": joined(stem_of)}}),
        Text::Exact(words) => json!({"match_phrase": {"words": words.join(" ")}}),
        // A text without accents has no plain words: its words are plain.
        Text::Prefix(_) => {
            let plain = joined(|word| plain(word).into_owned());
            any(["words", "plain"].map(|field| beginning(field, &plain)).into())
        }
    }
}

/// The words as they were typed, which add to the score.
fn exact_form(text: &Text) -> Option<Value> {
    match text {
        Text::Words(words) => Some(json!({"match_phrase": {"words": {"query": words.join(" "), "boost": EXACT_BOOST}}})),
        Text::Exact(_) | Text::Prefix(_) => None,
    }
}

fn beginning(field: &str, words: &str) -> Value {
    if words.contains(' ') {
        json!({"match_phrase_prefix": {field: {"query": words, "max_expansions": EXPANSIONS_MAX}}})
    } else {
        json!({"prefix": {field: {"value": words}}})
    }
}

fn has_property(property: &Property) -> Value {
    match property {
        Property::Link => json!({"term": {"has_links": true}}),
        Property::File => json!({"term": {"has_files": true}}),
        Property::FileNamed { words, is_beginning } => named(words, *is_beginning),
        Property::Reaction => json!({"range": {"reaction_count": {"gt": 0}}}),
        Property::Emoji(emoji) => {
            let forms = emoji.with_skin_tones().iter().map(|form| emoji_without_selectors(form)).collect::<Vec<_>>();
            json!({"terms": {"reactions": forms}})
        }
        Property::Pinned => json!({"term": {"is_pinned": true}}),
        Property::Thread => any(vec![json!({"exists": {"field": "thread_id"}}), json!({"range": {"reply_count": {"gt": 0}}})]),
    }
}

fn named(words: &[String], is_beginning: bool) -> Value {
    let whole = |word: &String| json!({"term": {"file_words": word}});
    let mut all = words.iter().map(whole).collect::<Vec<_>>();
    if let Some((last, word)) = all.last_mut().zip(words.last()).filter(|_| is_beginning) {
        *last = json!({"prefix": {"file_words": word}});
    }
    json!({"bool": {"filter": all}})
}

fn addressed_to(Addressee { user_id, conversations }: &Addressee) -> Value {
    let conversation = in_one_of("channel_id", conversations.iter().map(|id| id.0).collect());
    let by_another = json!({"bool": {"filter": conversation, "must_not": {"term": {"user_id": user_id.0}}}});
    any(vec![json!({"term": {"mentions": user_id.0}}), by_another])
}

/// If there are more values than one clause allows, there are more clauses.
fn in_one_of(field: &str, ids: Vec<Uuid>) -> Value {
    match ids.chunks(TERMS_MAX).collect::<Vec<_>>().as_slice() {
        [] => json!({"match_none": {}}),
        [all] => json!({"terms": {field: all}}),
        chunks => any(chunks.iter().map(|chunk| json!({"terms": {field: chunk}})).collect()),
    }
}

fn any(clauses: Vec<Value>) -> Value {
    json!({"bool": {"should": clauses, "minimum_should_match": 1}})
}

/// The filter for a span. `None` if the span is open at both ends.
pub(super) fn within(span: &Span) -> Option<Value> {
    let mut range = serde_json::Map::new();
    range.extend(span.from.map(|from| ("gte".to_owned(), json!(from.timestamp_micros()))));
    range.extend(span.to.map(|to| ("lt".to_owned(), json!(to.timestamp_micros()))));
    (!range.is_empty()).then(|| json!({"range": {"sent_micros": range}}))
}

/// Leaves out messages that were sent after the first page was asked for: they would shift the pages by relevance.
fn up_to_the_first_page(query: &MessageQuery) -> Option<Value> {
    let after = query.after.filter(|_| query.order == Order::Relevance)?;
    Some(json!({"range": {"sent_micros": {"lte": after.newest.created_at.timestamp_micros()}}}))
}

fn sort(order: Order) -> Value {
    match order {
        Order::Relevance => json!([{"_score": "desc"}, {"sent_micros": "desc"}, {"message_id": "desc"}]),
        Order::Newest => json!([{"sent_micros": "desc"}, {"message_id": "desc"}]),
    }
}

fn place(after: &PageKey) -> Value {
    let (micros, id) = (after.place.created_at.timestamp_micros(), after.place.message_id);
    match after.order {
        Order::Relevance => json!([after.score, micros, id]),
        Order::Newest => json!([micros, id]),
    }
}

/// Reads the answer to a query asked at this time. Later pages leave out messages that were sent after it.
pub(super) fn page(query: &MessageQuery, answer: &Value, asked_at: DateTime<Utc>) -> Result<Hits, ElasticError> {
    let unreadable = || ElasticError::Unreadable("the answer to a search has no hits");
    let found = answer["hits"]["hits"].as_array().ok_or_else(unreadable)?;
    let mut hits = found.iter().map(hit).collect::<Option<Vec<_>>>().ok_or_else(unreadable)?;
    let more = hits.len() > usize::from(query.limit);
    hits.truncate(usize::from(query.limit));
    let (total, total_is_exact) = match query.after {
        Some(after) => (after.total, after.total_is_exact),
        None => {
            let total = &answer["hits"]["total"];
            (total["value"].as_u64().ok_or_else(unreadable)?, total["relation"] == "eq")
        }
    };
    let newest = query.after.map_or(Cursor { created_at: asked_at, message_id: Uuid::max() }, |after| after.newest);
    let next = hits.last().filter(|_| more).map(|last| {
        let place = Cursor { created_at: last.created_at, message_id: last.message_id.0 };
        let (backend, order) = (BackendName::Elasticsearch, query.order);
        PageKey { backend, order, score: last.score, place, newest, total, total_is_exact }
    });
    Ok(Hits { total, total_is_exact, hits, next })
}

fn hit(found: &Value) -> Option<Hit> {
    let fields = &found["fields"];
    Some(Hit {
        message_id: found["_id"].as_str()?.parse::<Uuid>().ok()?.into(),
        channel_id: fields["channel_id"][0].as_str()?.parse::<Uuid>().ok()?.into(),
        created_at: DateTime::<Utc>::from_timestamp_micros(fields["sent_micros"][0].as_i64()?)?,
        score: score(&found["_score"]),
    })
}

/// A score is a single-precision number: it is parsed from as many digits as that needs.
fn score(value: &Value) -> f32 {
    value.to_string().parse::<f32>().unwrap_or(0.0)
}
