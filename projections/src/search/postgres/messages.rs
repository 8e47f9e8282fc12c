//! Finds messages by their `search_vector` and by their columns.
//!
//! The newest hits are found first, and at most one more than [`TOTAL_MAX`]: those are counted and ranked. So a word
//! that half of all messages contain costs no more than a word that a thousand contain. The ranked hits are the recent
//! ones, which people mostly look for.

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, UserId};
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use super::ages::{AgeBounds, AgeBoundsCache};
use super::lexemes::Lexemes;
use crate::relational::messages::Cursor;
use crate::search::vector::quoted;
use crate::search::{Addressee, BackendName, Hit, Hits, MessageQuery, Order, PageKey, SearchError, Span, TOTAL_MAX};

/// How much a lexeme counts by its weight (D, C, B, A), which says the form of the word that it is (`vector`). In every
/// case, the very word that is sought counts more than another form of it: C is more than A and D, B more than D, and D
/// with B more than C.
const WEIGHTS: &str = "'{0.4, 0.8, 0.5, 0.6}'";

type Statement = QueryBuilder<'static, Postgres>;

/// A hit, and the number of hits, counted up to one more than [`TOTAL_MAX`].
#[derive(FromRow)]
struct FoundRow {
    message_id: Uuid,
    channel_id: Uuid,
    created_at: DateTime<Utc>,
    score: f32,
    total: i64,
    newest_at: DateTime<Utc>,
    newest_id: Uuid,
}

/// Returns one page of hits.
pub(super) async fn search(pool: &PgPool, ages: &AgeBoundsCache, query: &MessageQuery) -> Result<Hits, SearchError> {
    if query.channels.is_empty() {
        return Ok(Hits { total_is_exact: true, ..Hits::default() });
    }
    if query
        .after
        .is_some_and(|after| after.order != query.order || (after.backend != BackendName::Postgres && query.order == Order::Relevance))
    {
        return Err(SearchError::ForeignPage);
    }
    let bounds = ages.bounds(pool).await?;
    let found = statement(query, &bounds).build_query_as::<FoundRow>().fetch_all(pool).await?;
    Ok(page(query, found))
}

/// Not checked at compile time: it contains only the conditions of the query, because no single plan suits all queries.
fn statement(query: &MessageQuery, bounds: &AgeBounds) -> Statement {
    let wanted = Lexemes::wanted(query);
    let mut sql = Statement::new("WITH candidates AS MATERIALIZED (SELECT found.* FROM (");
    parts(&mut sql, query, bounds, wanted.as_ref());
    sql.push(") found LIMIT ").push_bind(candidates(query));
    sql.push("), hits AS (SELECT message_id, channel_id, created_at, ");
    match Lexemes::ranked(query).filter(|_| is_ranked(query)) {
        Some(ranked) => {
            sql.push("ts_rank(").push(WEIGHTS).push(", search_vector, (SELECT ").push_bind(ranked).push("::tsquery))");
        }
        None => drop(sql.push("0::real")),
    }
    sql.push(
        " AS score, count(*) OVER () AS total, first_value(created_at) OVER newest AS newest_at,
          first_value(message_id) OVER newest AS newest_id
          FROM candidates WINDOW newest AS (ORDER BY created_at DESC, message_id DESC)) SELECT * FROM hits",
    );
    if let Some(after) = query.after.filter(|_| query.order == Order::Relevance) {
        sql.push(" WHERE (score, created_at, message_id) < (").push_bind(after.score);
        sql.push(", ").push_bind(after.place.created_at).push(", ").push_bind(after.place.message_id).push(")");
    }
    sql.push(" ORDER BY score DESC, created_at DESC, message_id DESC LIMIT ").push_bind(i64::from(query.limit) + 1);
    sql
}

/// The candidates of each part of the months, the newest part first. Postgres reads the parts of a UNION ALL one after
/// the other, because a part with a LIMIT is not read in parallel, and stops when it has enough. A condition that
/// applies to all parts is written and bound once.
fn parts(sql: &mut Statement, query: &MessageQuery, bounds: &AgeBounds, wanted: Option<&Lexemes>) {
    let vector = if is_ranked(query) { "search_vector" } else { "NULL::tsvector AS search_vector" };
    let begin = |condition: String| format!("(SELECT message_id, channel_id, created_at, {vector} FROM messages m WHERE {condition}");
    let mut ages = bounds.conditions().into_iter().map(begin);
    sql.push(ages.next().unwrap_or_default());
    let begins = sql.sql().len();
    conditions(sql, query, wanted);
    sql.push(" ORDER BY created_at DESC, message_id DESC LIMIT ").push_bind(candidates(query)).push(")");
    let everywhere = sql.sql()[begins..].to_owned();
    for age in ages {
        sql.push(" UNION ALL ").push(age).push(&everywhere);
    }
}

fn conditions(sql: &mut Statement, query: &MessageQuery, wanted: Option<&Lexemes>) {
    sql.push(" AND NOT is_deleted AND message_type <> 'system' AND workspace_id = ").push_bind(query.workspace_id.0);
    in_channels(sql, query);
    if let Some(wanted) = wanted {
        sql.push(" AND ");
        matching(sql, wanted);
    }
    for unwanted in Lexemes::unwanted(query) {
        sql.push(" AND NOT (");
        matching(sql, &unwanted);
        sql.push(")");
    }
    by_whom(sql, query);
    when(sql, query);
    up_to_the_end_of_the_page_before(sql, query);
}

fn is_ranked(query: &MessageQuery) -> bool {
    query.order == Order::Relevance
}

/// How many of the newest hits are read. Later pages by time do not count again.
fn candidates(query: &MessageQuery) -> i64 {
    match (query.order, query.after) {
        (Order::Newest, Some(_)) => i64::from(query.limit) + 1,
        (Order::Newest | Order::Relevance, _) => i64::try_from(TOTAL_MAX).unwrap_or(i64::MAX) + 1,
    }
}

fn in_channels(sql: &mut Statement, query: &MessageQuery) {
    let channels = ids(&query.channels);
    if query.is_narrowed {
        sql.push(" AND channel_id = ANY (").push_bind(channels).push(")");
    } else {
        // `IS TRUE` prevents a join: the list of channels becomes a hash lookup, and the rows stay in order.
        sql.push(" AND (channel_id IN (SELECT unnest(").push_bind(channels).push("))) IS TRUE");
    }
}

fn by_whom(sql: &mut Statement, query: &MessageQuery) {
    if let Some(authors) = &query.authors {
        sql.push(" AND user_id = ANY (").push_bind(users(authors)).push(")");
    }
    if !query.not_authors.is_empty() {
        sql.push(" AND user_id <> ALL (").push_bind(users(&query.not_authors)).push(")");
    }
    for addressee in &query.to {
        sql.push(" AND ");
        to(sql, addressee);
    }
    for addressee in &query.not_to {
        sql.push(" AND NOT ");
        to(sql, addressee);
    }
}

fn to(sql: &mut Statement, Addressee { user_id, conversations }: &Addressee) {
    sql.push("(search_vector @@ (SELECT ").push_bind(quoted(&format!("@{user_id}"))).push("::tsquery)");
    if !conversations.is_empty() {
        sql.push(" OR (channel_id = ANY (").push_bind(ids(conversations)).push(") AND user_id <> ").push_bind(user_id.0).push(")");
    }
    sql.push(")");
}

fn when(sql: &mut Statement, query: &MessageQuery) {
    if let Some(from) = query.during.from {
        sql.push(" AND created_at >= ").push_bind(from);
    }
    if let Some(to) = query.during.to {
        sql.push(" AND created_at < ").push_bind(to);
    }
    for Span { from, to } in &query.not_during {
        let (from, to) = (from.unwrap_or(DateTime::UNIX_EPOCH), *to);
        sql.push(" AND NOT (created_at >= ").push_bind(from);
        if let Some(to) = to {
            sql.push(" AND created_at < ").push_bind(to);
        }
        sql.push(")");
    }
}

/// By time: the messages before the last page's end. By relevance: among the candidates of the first page.
fn up_to_the_end_of_the_page_before(sql: &mut Statement, query: &MessageQuery) {
    let Some(after) = query.after else { return };
    let (Cursor { created_at, message_id }, comparison) = match query.order {
        Order::Newest => (after.place, "<"),
        Order::Relevance => (after.newest, "<="),
    };
    // The first condition lets Postgres leave out months.
    sql.push(" AND created_at <= ").push_bind(created_at);
    sql.push(" AND (created_at, message_id) ").push(comparison).push(" (").push_bind(created_at).push(", ").push_bind(message_id).push(")");
}

/// The condition on the vector, and for a long text on its words.
fn matching(sql: &mut Statement, Lexemes { query, parts }: &Lexemes) {
    sql.push("search_vector @@ (SELECT ").push_bind(query.clone()).push("::tsquery)");
    for part in parts {
        sql.push(" AND (long_words IS NULL OR strpos(long_words, ").push_bind(part.clone()).push(") > 0)");
    }
}

fn ids(channels: &[ChannelId]) -> Vec<Uuid> {
    channels.iter().map(|id| id.0).collect()
}

fn users(users: &[UserId]) -> Vec<Uuid> {
    users.iter().map(|id| id.0).collect()
}

/// A page, from at most one row more than was asked for.
fn page(query: &MessageQuery, mut found: Vec<FoundRow>) -> Hits {
    let more = found.len() > usize::from(query.limit);
    found.truncate(usize::from(query.limit));
    let (total, total_is_exact) = match query.after {
        Some(after) => (after.total, after.total_is_exact),
        None => {
            let counted = found.first().map_or(0, |hit| u64::try_from(hit.total).unwrap_or(0));
            (counted.min(TOTAL_MAX), counted <= TOTAL_MAX)
        }
    };
    let next = found.last().filter(|_| more).map(|last| PageKey {
        backend: BackendName::Postgres,
        order: query.order,
        score: last.score,
        place: Cursor { created_at: last.created_at, message_id: last.message_id },
        newest: query.after.map_or(Cursor { created_at: last.newest_at, message_id: last.newest_id }, |after| after.newest),
        total,
        total_is_exact,
    });
    Hits { total, total_is_exact, hits: found.iter().map(Hit::from).collect(), next }
}

impl From<&FoundRow> for Hit {
    fn from(row: &FoundRow) -> Self {
        Self { message_id: row.message_id.into(), channel_id: row.channel_id.into(), created_at: row.created_at, score: row.score }
    }
}
