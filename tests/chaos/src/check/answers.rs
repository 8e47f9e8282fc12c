//! Every caller got the requested result, a refusal with a reason, or a 503 with a time to retry. Every query result
//! was correct.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Violation, tell};
use crate::record::{Expects, Outcome, Query, Taken};

/// The statuses of a refusal: forbidden, not found, conflict, invalid.
const REFUSALS: [u16; 4] = [403, 404, 409, 422];

/// The number of rows on a full page.
const PAGE_ROWS: usize = 100;

/// Judges every answer.
pub(crate) fn check(taken: &Taken, found: &mut Vec<Violation>) {
    for command in &taken.commands {
        for attempt in &command.attempts {
            judge(&command.request, &attempt.outcome, found);
        }
    }
    for query in &taken.queries {
        judge(&query.request, &query.outcome, found);
        judge_query(query, found);
    }
}

fn judge(request: &str, outcome: &Outcome, found: &mut Vec<Violation>) {
    match outcome {
        Outcome::Broken { excused: true, .. } | Outcome::Answered { status: 200..300, .. } => {}
        Outcome::Broken { error, .. } => tell(found, "no answer, and the server was there", || format!("{request}: {error}")),
        Outcome::Answered { status: 503, retry_after: Some(_), problem: Some(_), .. } => {}
        Outcome::Answered { status: 503, .. } => tell(found, "503 that is not clear", || format!("{request}: {outcome:?}")),
        Outcome::Answered { status, problem: Some(code), .. } if REFUSALS.contains(status) && code != "idempotency.key_reused" => {}
        Outcome::Answered { .. } => tell(found, "wrong answer", || format!("{request}: {outcome:?}")),
    }
}

fn judge_query(query: &Query, found: &mut Vec<Violation>) {
    let Outcome::Answered { status, position, body, .. } = &query.outcome else { return };
    if *status == 503 {
        return;
    }
    match &query.expects {
        Expects::Refusal if *status == 403 || *status == 404 => {}
        Expects::Refusal => tell(found, "heard after a removal", || format!("{query:?}")),
        Expects::Message { id, content } => {
            if *status != 200 || !is_message(body, *id, content) || *position < query.min_position {
                tell(found, "own write not seen", || format!("{query:?}"));
            }
        }
        Expects::Found { id, content } => {
            let is_it = |body: &Value| match hits(body) {
                Some([hit]) => hit.get("message").is_some_and(|message| is_message(message, *id, content)),
                _ => false,
            };
            if *status != 200 || !is_it(body) || *position < query.min_position {
                tell(found, "own write not found", || format!("{query:?}"));
            }
        }
        Expects::OnPage { id } => {
            if *status != 200 || !is_on_page(body, *id) || *position < query.min_position {
                tell(found, "own write not on the page", || format!("{query:?}"));
            }
        }
        Expects::NothingIn { channel } => {
            let is_there = |hit: &Value| hit.pointer("/message/channel_id").and_then(Value::as_str) == Some(&channel.to_string());
            if *status != 200 || hits(body).is_none_or(|hits| hits.iter().any(is_there)) {
                tell(found, "found after a removal", || format!("{query:?}"));
            }
        }
    }
}

/// Whether a page has this message. A page without it is correct if all of its messages are newer.
fn is_on_page(body: &Value, id: Uuid) -> bool {
    let Some(rows) = hits(body) else { return false };
    let text = |row: &Value, field: &str| Some(row.get(field)?.as_str()?.to_owned());
    // An identifier begins with the time at which it was drawn, in milliseconds. The message was recorded later, and its
    // place is the time of recording.
    let is_newer = |row: &Value| {
        let created_at = text(row, "created_at").and_then(|at| at.parse::<DateTime<Utc>>().ok());
        created_at.and_then(|at| u128::try_from(at.timestamp_millis()).ok()).is_some_and(|at| at >= id.as_u128() >> 80)
    };
    let is_there = rows.iter().any(|row| text(row, "message_id").is_some_and(|other| other == id.to_string()));
    is_there || (rows.len() >= PAGE_ROWS && rows.iter().all(is_newer))
}

fn hits(body: &Value) -> Option<&[Value]> {
    body.get("items")?.as_array().map(Vec::as_slice)
}

fn is_message(body: &Value, id: Uuid, content: &str) -> bool {
    let text = |field| body.get(field).and_then(Value::as_str).unwrap_or_default();
    text("message_id") == id.to_string() && text("content") == content
}
