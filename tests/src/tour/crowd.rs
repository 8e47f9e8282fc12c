//! The bulk of the log: users that post, answer, react and edit, in the company's workspace and in an imported one.

use serde_json::json;
use uuid::Uuid;

use super::operations::import;
use super::sentences::sentence;
use super::{Company, archive};
use crate::TestApp;
use crate::team::id;

/// The number of events that the rest of the tour adds after the crowd.
const EVENTS_AFTERWARDS: usize = 40;
/// The number of events of an import beside its messages: users, channels and members.
const EVENTS_OF_PLACES: usize = 220;
const EMOJI: [&str; 6] = ["ferry", "anchor", "tada", "wave", "+1", "umbrella"];

/// Makes users post this number of messages.
pub(super) async fn post(company: &Company, messages: usize) {
    let mut roots = Vec::new();
    for n in 0..messages {
        post_one(company, n, &mut roots).await;
    }
}

/// Imports messages from an export until the log will have about `events` events at the end of the tour.
pub(super) async fn import_until(app: &TestApp, company: &Company, events: usize) {
    let head = usize::try_from(*app.app().commands.store().head().borrow()).expect("a position");
    let messages = events.saturating_sub(head + EVENTS_AFTERWARDS + EVENTS_OF_PLACES) / archive::EVENTS_OF_A_MESSAGE;
    let keeper = company.sailor(6);
    let created = keeper.post("/v1/workspaces", json!({"name": "Friends of the Lightship"})).await.expect(201);
    let file = tempfile::NamedTempFile::new().expect("a file");
    archive::write(file.reopen().expect("a file"), messages);
    import(app, keeper, id(&created, "workspace_id"), file.path()).await;
}

async fn post_one(company: &Company, n: usize, roots: &mut Vec<Uuid>) {
    let (by, channel) = (company.sailor(n), channel(company, n));
    let thread_id = (n % 5 == 3).then(|| roots.last().copied()).flatten().filter(|_| channel == company.logbook);
    let said = json!({"content": sentence(n), "thread_id": thread_id, "client_msg_id": n.is_multiple_of(20).then(|| format!("crowd-{n}"))});
    let posted = by.post(&format!("/v1/channels/{channel}/messages"), said).await.expect(201);
    let message = id(&posted, "message_id");
    let is_deleted = n % 101 == 50;
    if channel == company.logbook && thread_id.is_none() && !is_deleted {
        roots.push(message);
    }
    let path = |below: &str| format!("/v1/messages/{message}{below}");
    if n.is_multiple_of(6) {
        company.sailor(0).put_empty(&path(&format!("/reactions/{}", EMOJI[n % EMOJI.len()]))).await.expect(200);
        company.sailor(1).put_empty(&path(&format!("/reactions/{}", EMOJI[(n / 6) % EMOJI.len()]))).await.expect(200);
    }
    if n.is_multiple_of(17) {
        by.patch(&path(""), json!({"content": format!("{} Or so they say.", sentence(n))})).await.expect(200);
    }
    if n % 211 == 7 {
        by.put_empty(&path("/pin")).await.expect(200);
    }
    if is_deleted {
        by.delete(&path("")).await.expect(204);
    }
}

/// Every member is in the logbook and in #general. A few are in other channels too.
fn channel(company: &Company, n: usize) -> Uuid {
    match (n % 12, n % 7) {
        (0..=2, 5) => company.engine_room,
        (0 | 1, 6) => company.direct,
        (2..=4, 6) => company.group,
        (_, 0 | 1) => company.team.general,
        _ => company.logbook,
    }
}
