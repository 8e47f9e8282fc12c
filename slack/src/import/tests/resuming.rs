//! Tests of second runs and of interrupted runs.

use domain::text::Emoji;
use domain::{MessageEvent, StreamId};
use serde_json::{Value, json};

use super::exports::{Export, message, ts, with};
use super::memory::{Memory, OWNER};
use crate::import::ImportError;

/// An export of some thousand messages, in channels with many members.
fn large() -> Export {
    let users = (0..700).map(|n| json!({"id": format!("U{n}"), "name": format!("picker{n}"), "deleted": n % 7 == 0})).collect::<Vec<_>>();
    let members = (0..700).map(|n| format!("U{n}")).collect::<Vec<_>>();
    let channels = json!([
        {"id": "C0", "name": "general", "is_general": true, "members": members, "topic": {"value": "all"}},
        {"id": "C1", "name": "orchard", "members": members, "creator": "U3"},
        {"id": "C2", "name": "cellar", "members": ["U1"], "is_archived": true},
    ]);
    let day = |channel: u32| {
        let messages = (0..600).map(|n| {
            let reacted = json!({"thread_ts": ts(n - n % 10), "reactions": [{"name": "apple", "users": ["U1", "U2"], "count": 2}]});
            with(message(&format!("U{}", (n + channel) % 800), n, "apple"), &reacted)
        });
        Value::Array(messages.collect())
    };
    Export::of_two()
        .with("users.json", &Value::Array(users))
        .with("channels.json", &channels)
        .with("general/2025-01-01.json", &day(0))
        .with("orchard/2025-01-01.json", &day(1))
        .with("cellar/2025-01-01.json", &day(2))
}

#[tokio::test]
async fn a_second_run_appends_nothing() {
    let memory = Memory::with_a_workspace(1_000);
    let first = large().import(&memory).await.expect("an import");
    let before = memory.len();
    let second = large().import(&memory).await.expect("an import");
    assert_eq!((memory.len(), second.events_appended()), (before, 0));
    assert_eq!((first.messages.imported, second.messages.already_there), (1_800, 1_800));
    assert_eq!((first.reactions.imported, second.reactions.already_there), (3_600, 3_600));
}

#[tokio::test]
async fn a_run_interrupted_anywhere_continues_where_it_stopped() {
    let whole = Memory::with_a_workspace(1_000);
    large().import(&whole).await.expect("an import");
    for appends in 0..12 {
        let memory = Memory::with_a_workspace(1_000);
        memory.fail_after(Some(appends));
        let interrupted = large().import(&memory).await;
        memory.fail_after(None);
        large().import(&memory).await.expect("an import");
        assert_eq!(memory.len(), whole.len(), "after {appends} appends: {interrupted:?}");
        assert!(memory.messages() == whole.messages());
        assert!(memory.workspace_state() == whole.workspace_state());
        let (mut here, mut there) = (memory.channels(), whole.channels());
        here.sort_by_key(|(id, _)| *id);
        there.sort_by_key(|(id, _)| *id);
        assert!(here == there);
    }
}

#[tokio::test]
async fn two_runs_at_once_import_everything_once() {
    let whole = Memory::with_a_workspace(1_000);
    large().import(&whole).await.expect("an import");
    let memory = Memory::with_a_workspace(1_000);
    let (large_a, large_b) = (large(), large());
    let (a, b) = futures::join!(large_a.import(&memory), large_b.import(&memory));
    let (a, b) = (a.expect("an import"), b.expect("an import"));
    assert_eq!(memory.len(), whole.len());
    assert_eq!(a.messages.imported + b.messages.imported, 1_800);
}

#[tokio::test]
async fn later_changes_by_people_stay() {
    let reacted = json!({"reactions": [{"name": "apple", "users": ["U1", "U2"], "count": 2}]});
    let export = Export::of_two().saying(&json!([with(message("U1", 1, "harvest"), &reacted)]));
    let (memory, _) = export.imported().await;
    let (id, message) = memory.messages().remove(0);
    let taken_back = *message.reactions.values().next().and_then(|users| users.first()).expect("a reaction");
    let emoji = Emoji::parse("apple").expect("an emoji");
    memory.happen(StreamId::message(id), [MessageEvent::ReactionRemoved { user_id: taken_back, emoji }.into()]);
    let before = memory.len();
    export.import(&memory).await.expect("an import");
    assert_eq!(memory.len(), before);
}

#[tokio::test]
async fn a_later_export_adds_what_is_new() {
    let short = Export::of_two().saying(&json!([message("U1", 1, "harvest")]));
    let (memory, _) = short.imported().await;
    let (id, _) = memory.messages().remove(0);
    memory.happen(StreamId::message(id), [MessageEvent::Pinned { by: OWNER }.into()]);
    let reacted = json!({"reactions": [{"name": "apple", "users": ["U1", "U2"], "count": 2}], "pinned_to": ["C1"]});
    let longer = short.saying(&json!([with(message("U1", 1, "harvest"), &reacted), message("U2", 2, "at last")]));
    let report = longer.import(&memory).await.expect("an import");
    assert_eq!((report.messages.imported, report.messages.already_there, report.reactions.imported), (1, 1, 2));
    assert_eq!((report.pins.imported, report.pins.already_there), (0, 1));
    assert_eq!(longer.import(&memory).await.expect("an import").events_appended(), 0);
}

#[tokio::test]
async fn the_error_of_a_failing_store_is_returned() {
    let memory = Memory::with_a_workspace(1_000);
    memory.fail_after(Some(1));
    assert!(matches!(large().import(&memory).await, Err(ImportError::Store(_))));
}
