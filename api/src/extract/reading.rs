//! A query: the caller, and the position that the read model must have reached. It is the position of the caller's own
//! last write, on any node, so people read their own writes. A client may ask for a later position, or for no wait at
//! all.

use std::str::FromStr;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::http::header::ContentType;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use commands::{CommandError, Commands, ReadAccess};
use domain::Context;
use domain::ids::UserId;
use futures::future::LocalBoxFuture;
use live::Changes;
use projections::relational::messages::Cursor as Place;
use projections::{Progress, QueryError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::condition::Tagged;
use super::{Actor, MIN_POSITION, POSITION, header, part, reject_unless_moment};
use crate::problem::Problem;

/// The longest time that a query waits for its position.
pub const WAIT_MAX: Duration = Duration::from_secs(5);
/// The default number of rows of a page.
const PAGE_ROWS: u16 = 50;
/// The most rows of a page.
pub const PAGE_ROWS_MAX: u16 = 100;

/// A request for a query, by a signed-in user who is not suspended. The read model has everything that the user wrote,
/// and has reached the requested position.
pub struct Reading {
    /// The caller.
    pub actor: UserId,
    /// The caller's access.
    pub access: ReadAccess,
    /// The position that the answer must include.
    pub min_position: i64,
    /// The position that the client asked for.
    requested: Option<i64>,
    caller: Actor,
    progress: Progress,
    /// The position of the read model before the query.
    position: i64,
}

impl Reading {
    /// The context of the event that records this query.
    pub fn context(&self) -> Context {
        self.caller.context()
    }

    /// The position that the answer must include, if the client asked for one. A search index makes new documents
    /// visible at intervals, so to wait there for every write of the caller would make searches slow.
    pub fn requested_position(&self) -> Option<i64> {
        self.requested.filter(|position| *position > 0)
    }

    /// Returns a row that the log has, according to the write side. If the read model lacks it, this waits until the
    /// read model is where the log was when the request arrived.
    ///
    /// # Errors
    /// The read model is too far behind, or cannot be read.
    pub async fn row<T>(&self, read: impl AsyncFn() -> Result<Option<T>, QueryError>) -> Result<T, Problem> {
        if let Some(row) = read().await? {
            return Ok(row);
        }
        self.progress.wait_for(projections::RELATIONAL, self.access.position(), WAIT_MAX).await?;
        read().await?.ok_or_else(Problem::not_projected_yet)
    }

    /// An answer that has its own position.
    pub fn answer_at<T: Serialize>(position: i64, body: T) -> QueryAnswer<T> {
        QueryAnswer { position, body }
    }

    /// An answer that has its own position, and is already JSON.
    pub fn answer_json_at(position: i64, json: String) -> HttpResponse {
        HttpResponse::Ok().insert_header((POSITION, position)).content_type(ContentType::json()).body(json)
    }

    /// The answer for one row, whose last change has this position. It has an `ETag`.
    pub fn answer_row<T: Serialize>(&self, changed: i64, row: T) -> Tagged<T> {
        Tagged { position: self.position, changed, row }
    }

    /// The answer, with the position of the read model.
    pub fn answer<T: Serialize>(&self, body: T) -> QueryAnswer<T> {
        QueryAnswer { position: self.position, body }
    }
}

impl FromRequest for Reading {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(Self::of(request.clone(), Wait::OwnWrites))
    }
}

/// The same for a query that waits only for the position that the client asked for: one about the projections
/// themselves, so that operators see a projection that is behind, and a search, whose index shows new documents a
/// moment later anyway.
pub struct ReadingNow(pub Reading);

impl FromRequest for ReadingNow {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Reading::of(request, Wait::Requested).await.map(Self) })
    }
}

/// The position that a query waits for if the client does not ask for one.
#[derive(Clone, Copy)]
enum Wait {
    OwnWrites,
    Requested,
}

impl Reading {
    async fn of(request: HttpRequest, wait: Wait) -> Result<Self, Problem> {
        let caller = Actor::extract(&request).await?;
        let actor = caller.user_id;
        let (commands, progress) = (part::<Commands>(&request)?, part::<Progress>(&request)?);
        let mut access = commands.read_access(actor).await?;
        let requested = min_position(&request)?;
        let min_position = match (requested, wait) {
            (Some(0), _) | (None, Wait::Requested) => 0,
            (Some(position), Wait::Requested) => position,
            // The access has read the log to its end, so this process knows what the caller wrote on any node.
            (requested, Wait::OwnWrites) => commands.store().last_write_of(actor).max(requested.unwrap_or(0)),
        };
        let mut position = progress.position(projections::RELATIONAL).await?;
        if position < min_position {
            // The caller may have written more since the access was read.
            reject_unless_in_the_log(&access, requested.unwrap_or(0))?;
            let reached = progress.wait_for(projections::RELATIONAL, min_position, WAIT_MAX).await;
            // The access is read again, so that a removal during the wait takes effect. A suspended user is refused
            // even if the wait failed.
            access = commands.read_access(actor).await?;
            position = reached?;
        }
        let progress = progress.get_ref().clone();
        Ok(Self { actor, access, min_position, requested, caller, progress, position })
    }
}

/// Waits until the read model has everything that the log has now. A command that needs the read model's help calls it,
/// so that the help is not outdated.
///
/// # Errors
/// The read model is too far behind, or a store failed.
pub async fn catch_up(commands: &Commands, progress: &Progress) -> Result<(), Problem> {
    let head = commands.store().catch_up().await.map_err(CommandError::from)?;
    progress.wait_for(projections::RELATIONAL, head, WAIT_MAX).await?;
    Ok(())
}

/// Refuses a position that is not in the log yet.
fn reject_unless_in_the_log(access: &ReadAccess, position: i64) -> Result<(), Problem> {
    let head = access.position();
    if position <= head {
        return Ok(());
    }
    let detail = format!("the log ends at position {head}: send the Backscroll-Position of a command");
    Err(Problem::malformed("request.position_unknown", Some(MIN_POSITION.into()), detail))
}

/// The position that the client asks for. 0 means that the query does not wait.
pub(super) fn min_position(request: &HttpRequest) -> Result<Option<i64>, Problem> {
    let Some(text) = header(request, MIN_POSITION)? else {
        return Ok(None);
    };
    let refused = || {
        Problem::malformed(
            "request.header_invalid",
            Some(MIN_POSITION.into()),
            format!("{MIN_POSITION} must be a position: a whole number, alone or behind a log_id and a colon"),
        )
    };
    if let Some((log_id, _)) = text.split_once(':') {
        let cursor = text.parse::<live::Cursor>().map_err(|_| refused())?;
        let is_ours = request.app_data::<Data<Changes>>().is_some_and(|changes| changes.log_id() == cursor.log_id);
        return if is_ours { Ok(Some(cursor.position)) } else { Err(of_another_log(log_id)) };
    }
    text.parse::<i64>().ok().filter(|position| *position >= 0).map(Some).ok_or_else(refused)
}

/// A position of another log says nothing about this one.
fn of_another_log(log_id: &str) -> Problem {
    let detail = format!(
        "the position is of the log {log_id}, and this server has another one: its database was restored; read the state again, and forget the position"
    );
    Problem::malformed("request.position_of_another_log", Some(MIN_POSITION.into()), detail)
}

/// The answer of a query, with the position at which it was read.
pub struct QueryAnswer<T> {
    position: i64,
    body: T,
}

impl<T: Serialize> Responder for QueryAnswer<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().insert_header((POSITION, self.position)).json(self.body)
    }
}

/// One page of a list. For the next page, send the cursor `next`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The cursor of the next page. It is absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts a page out of at most `limit + 1` rows. The surplus row means that there is a next page.
    pub fn cut<C: Serialize>(mut rows: Vec<T>, limit: u16, cursor: impl FnOnce(&T) -> C) -> Self {
        let more = rows.len() > usize::from(limit);
        rows.truncate(usize::from(limit));
        let next = rows.last().filter(|_| more).map(|row| Cursor(cursor(row)).to_string());
        Self { items: rows, next }
    }

    /// Cuts a page out of a whole list that is short enough to read at once: at most `limit` rows, after the row with
    /// the key `after`. The rows must be in the order of their keys.
    pub fn among<C: Serialize + PartialOrd>(rows: Vec<T>, after: Option<C>, limit: u16, key: impl Fn(&T) -> C) -> Self {
        let follows = |row: &T| after.as_ref().is_none_or(|after| key(row) > *after);
        let rows = rows.into_iter().filter(follows).take(usize::from(limit) + 1).collect();
        Self::cut(rows, limit, &key)
    }

    /// A list that is always short. Its operation, with the reason, is in the list of `tests/it/http/pages.rs`.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// The number of rows of a page.
///
/// # Errors
/// It is 0.
pub fn page_limit(limit: Option<u16>) -> Result<u16, Problem> {
    row_limit(limit, PAGE_ROWS, PAGE_ROWS_MAX)
}

/// The number of rows of an answer: `default` if the caller names none. A number above `max` is lowered to `max`, so
/// that a client need not know it.
///
/// # Errors
/// It is 0.
pub fn row_limit(limit: Option<u16>, default: u16, max: u16) -> Result<u16, Problem> {
    match limit.unwrap_or(default) {
        0 => Err(Problem::malformed("request.query_invalid", Some("limit".into()), "limit must be a whole number from 1, not \"0\"")),
        limit => Ok(limit.min(max)),
    }
}

/// A place in a list. Clients must treat it as opaque, so that its content can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor<T>(pub T);

impl<T: Serialize> std::fmt::Display for Cursor<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let json = serde_json::to_vec(&self.0).map_err(|_| std::fmt::Error)?;
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(json))
    }
}

impl<T: for<'de> Deserialize<'de>> FromStr for Cursor<T> {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let json = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(drop)?;
        serde_json::from_slice(&json).map(Self).map_err(drop)
    }
}

impl<T: for<'de> Deserialize<'de>> Cursor<T> {
    /// Reads the cursor that a client sends.
    ///
    /// # Errors
    /// The text is not a cursor of this server.
    pub fn read(field: &'static str, text: Option<&str>) -> Result<Option<T>, Problem> {
        text.map(|text| text.parse::<Self>().map(|cursor| cursor.0).map_err(|()| no_cursor(field))).transpose()
    }
}

/// The problem for a text that is not a cursor of this server.
pub fn no_cursor(field: &'static str) -> Problem {
    let detail = format!("{field} must be a cursor of an earlier answer, unchanged");
    Problem::malformed("request.cursor_invalid", Some(field.into()), detail)
}

/// Reads the cursor of a message list that a client sends.
///
/// # Errors
/// The text is not a cursor of this server, or no message can have its time.
pub fn read_place(field: &'static str, text: Option<&str>) -> Result<Option<Place>, Problem> {
    let place = Cursor::<Place>::read(field, text)?;
    match place.map(|place| reject_unless_moment(field, place.created_at)) {
        Some(Err(_)) => Err(no_cursor(field)),
        _ => Ok(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_as_it_was_sent() {
        let text = Cursor((7_i64, "x".to_owned())).to_string();
        assert_eq!(text.parse::<Cursor<(i64, String)>>(), Ok(Cursor((7, "x".to_owned()))));
        assert!("nonsense!".parse::<Cursor<(i64, String)>>().is_err());
    }

    #[test]
    fn a_short_list_is_paged_by_its_keys_even_if_a_row_is_gone() {
        let page = |after| Page::among(vec![1, 3, 5], after, 2, |row| *row).items;
        assert_eq!((page(None), page(Some(3)), page(Some(2)), page(Some(5))), (vec![1, 3], vec![5], vec![3, 5], vec![]));
    }

    #[test]
    fn the_surplus_row_means_that_there_is_more() {
        let page = Page::cut(vec![1, 2, 3], 2, |row| *row);
        assert_eq!((page.items, page.next.is_some()), (vec![1, 2], true));
        assert_eq!(Page::cut(vec![1, 2], 2, |row| *row).next, None);
    }
}
