//! Exports that other programs wrote, zipped again, or spoiled: everything that can be read is imported.

use serde_json::{Value, json};

use super::exports::{Export, message, ts, with, zip};
use super::memory::{Memory, settings};
use crate::import::{ImportReport, slack_from};

fn texts(memory: &Memory) -> Vec<String> {
    memory.postings().iter().map(|posting| posting.content.as_str().to_owned()).collect()
}

async fn import_twice(export: &Export) -> (Memory, ImportReport) {
    let (memory, report) = export.imported().await;
    let again = export.import(&memory).await.expect("an import");
    assert_eq!(again.events_appended(), 0, "a second run appends nothing");
    (memory, report)
}

#[tokio::test]
async fn a_day_that_is_odd_is_skipped_and_named_and_later_days_are_there() {
    for odd in ["", " \n", "null", "{}", "7", "\"x\"", "[{\"type\":", "[1, 2", "{\"messages\": []}", "nonsense", "\u{feff}"] {
        let export = Export::of_two()
            .saying(&json!([message("U1", 1, "before")]))
            .with_text("orchard/2025-01-02.json", odd)
            .with("orchard/2025-01-03.json", &json!([message("U1", 2 * 86_400, "after")]));
        let (memory, report) = import_twice(&export).await;
        assert_eq!(texts(&memory), ["before", "after"], "{odd:?}");
        let skipped = &report.skipped["file: a day that is no list of messages"];
        assert!(skipped.count == 1 && skipped.examples[0].starts_with("orchard/2025-01-02.json"), "{odd:?}: {skipped:?}");
        // The corrected export adds the day.
        let corrected = export.with("orchard/2025-01-02.json", &json!([message("U1", 86_400, "between")]));
        corrected.import(&memory).await.expect("an import");
        assert_eq!(texts(&memory), ["before", "between", "after"], "{odd:?}");
    }
}

#[tokio::test]
async fn odd_entries_of_lists_are_skipped_and_lists_that_say_nothing_are_named() {
    let users = json!([null, 7, [], "U9", {}, {"id": null, "name": "x"}, {"id": "U1", "name": "ann", "profile": null, "deleted": "no"}]);
    let channels = json!([null, 7, {"id": null}, {"id": "C1", "name": "orchard", "members": null, "topic": 7, "pins": {}, "created": []}]);
    for nothing in ["", "null", "{}", "[]"] {
        let export = Export::of_two()
            .with("users.json", &users)
            .with("channels.json", &channels)
            .with_text("dms.json", nothing)
            .saying(&json!([message("U1", 1, "here")]));
        let (memory, report) = import_twice(&export).await;
        assert_eq!(texts(&memory), ["here"]);
        assert_eq!((report.users.in_file, report.users.skipped, report.channels.in_file, report.channels.skipped), (7, 6, 4, 3));
        let named = report.skipped.get("file: a list that says nothing").map(|tally| tally.examples.clone());
        assert_eq!(named, (nothing != "[]").then(|| vec!["dms.json".to_owned()]), "{nothing:?}");
    }
}

fn changed(second: u32, named: u32, text: &str) -> Value {
    let after = with(message("U1", named, text), &json!({"edited": {"user": "U2", "ts": ts(second)}}));
    json!({"type": "message", "subtype": "message_changed", "hidden": true, "channel": "C1", "ts": ts(second), "message": after,
        "previous_message": message("U1", named, "before")})
}

fn tombstone(second: u32, named: u32) -> Value {
    let place = with(message("USLACKBOT", named, "This message was deleted."), &json!({"subtype": "tombstone", "hidden": true}));
    json!({"type": "message", "subtype": "message_changed", "hidden": true, "ts": ts(second), "message": place})
}

fn deleted(second: u32, named: u32) -> Value {
    json!({"type": "message", "subtype": "message_deleted", "hidden": true, "ts": ts(second), "deleted_ts": ts(named), "user": "U2"})
}

#[tokio::test]
async fn changes_are_applied_to_the_messages_that_they_name() {
    let replied = json!({"type": "message", "subtype": "message_replied", "ts": ts(8), "hidden": true,
        "message": with(message("U1", 1, "before"), &json!({"thread_ts": ts(1), "reply_count": 1, "replies": [{"user": "U2", "ts": ts(7)}]}))});
    let without_hidden = |mut change: Value| {
        change.as_object_mut().expect("an object").remove("hidden");
        change
    };
    for visible in [false, true] {
        let shape = |change: Value| if visible { without_hidden(change) } else { change };
        let export = Export::of_two()
            .saying(&json!([
                shape(changed(5, 1, "first edit")),
                message("U1", 1, "before"),
                message("U1", 2, "to be deleted"),
                message("U1", 3, "leaves its place"),
                shape(changed(6, 1, "<@U2> &amp; last edit")),
                shape(changed(9, 77, "of nothing")),
                shape(deleted(9, 78)),
                shape(replied.clone()),
                shape(json!({"subtype": "message_changed", "ts": ts(9)})),
                shape(json!({"subtype": "message_deleted", "ts": ts(9), "previous_message": {"ts": ts(79), "text": "?"}})),
                message("U2", 7, "an answer without a thread of its own"),
            ]))
            .with("orchard/2025-01-02.json", &json!([shape(deleted(86_400, 2)), shape(tombstone(86_401, 3))]));
        let (memory, report) = import_twice(&export).await;
        let messages = memory.messages();
        let bob = memory.registrations()["bob"].0;
        let edited = messages[0].1.posting.as_ref().expect("posted");
        assert_eq!(edited.content.as_str(), format!("<@{bob}> & last edit"));
        assert_eq!((edited.formatted.mentions.clone(), messages[0].1.edits), (vec![bob], 1));
        assert_eq!(messages.iter().map(|(_, message)| message.deleted).collect::<Vec<_>>(), [false, true, true, false]);
        assert_eq!(messages[3].1.posting.as_ref().expect("posted").thread_id, Some(messages[0].0));
        assert!(!texts(&memory).iter().any(|text| text == "(empty message)"));
        assert_eq!((report.messages.in_file, report.messages.imported, report.read.changes), (4, 4, 9));
        assert_eq!(report.turned_into["change of a message into an edit or a deletion of it"].count, 4);
        assert_eq!(report.skipped["change of a message that is not in the export"].count, 3);
        assert_eq!(report.skipped["change that names no message"].count, 1);
    }
}

#[tokio::test]
async fn a_change_keeps_its_time_and_its_actor_and_later_edits_by_people_stay() {
    let export = Export::of_two().saying(&json!([message("U1", 1, "before"), changed(60, 1, "after")]));
    let (memory, _) = export.imported().await;
    let (stream, pending) = memory.events().pop().expect("an event");
    let domain::Event::Message(domain::MessageEvent::Edited { content, by, .. }) = &pending.event else { panic!("edited") };
    let bob = memory.registrations()["bob"].0;
    assert_eq!((content.as_str(), *by, pending.original.map(|(_, at)| at.timestamp())), ("after", bob, Some(1_735_689_660)));
    let here = domain::MessageEvent::Edited {
        content: domain::text::MessageBody::parse("by hand").expect("a text"),
        formatted: domain::formatting::FormattedContent::default(),
        by: bob,
        erased: false,
    };
    memory.happen(stream, [here.into()]);
    let later = export.saying(&json!([message("U1", 1, "before"), changed(60, 1, "after"), changed(70, 1, "later still")]));
    assert_eq!(later.import(&memory).await.expect("an import").events_appended(), 0);
    assert_eq!(texts(&memory), ["by hand"]);
}

#[tokio::test]
async fn a_hidden_message_without_a_text_is_skipped_and_one_with_a_text_is_kept() {
    let hidden = |second, text: &str| with(message("U1", second, text), &json!({"hidden": true, "subtype": "something_new"}));
    let reacted = json!({"type": "reaction_added", "user": "U1", "ts": ts(3), "reaction": "apple", "item": {"ts": ts(2)}});
    let (memory, report) = Export::of_two().saying(&json!([hidden(1, ""), hidden(2, "words"), reacted])).imported().await;
    assert_eq!((texts(&memory), report.messages.skipped), (vec!["words".to_owned()], 2));
}

#[tokio::test]
async fn names_of_folders_are_compared_in_composed_form_without_case_and_with_earlier_names() {
    let channels = json!([
        {"id": "C1", "name": "café", "members": ["U1"]},
        {"id": "C2", "name": "한국", "members": ["U1"]},
        {"id": "C3", "name": "straße-ÅÄÖ", "members": ["U1"]},
        {"id": "C4", "name": "new-name", "previous_names": ["oldest", "old-name"], "members": ["U1"]},
        {"id": "C5", "name": "other", "previous_names": ["orchard"], "members": ["U1"]},
        {"id": "C6", "name": "orchard", "members": ["U1"]},
    ]);
    let folders = [
        "cafe\u{301}",
        "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}",
        "STRASSE-x",
        "Straße-A\u{30a}A\u{308}O\u{308}",
        "old-name",
        "orchard",
    ];
    let export = folders.iter().zip(1..).fold(Export::of_two().with("channels.json", &channels), |export, (folder, n)| {
        export.with(&format!("{folder}/2025-01-01.json"), &json!([message("U1", n, folder)]))
    });
    let (memory, report) = import_twice(&export).await;
    let channels = memory.channels().into_iter().collect::<std::collections::HashMap<_, _>>();
    let name_of = |id| channels[&id].creation.as_ref().and_then(|creation| creation.name.as_ref()).map(|name| name.as_str().to_owned());
    let places = memory.postings().iter().filter_map(|posting| name_of(posting.channel_id)).collect::<Vec<_>>();
    assert_eq!(places, ["café", "한국", "strasse-x", "straße-åäö", "new-name", "orchard"]);
    assert_eq!((report.channels.in_file, report.channels.imported), (7, 7));
}

#[tokio::test]
async fn two_folders_that_differ_in_case_are_of_two_channels() {
    let channels = json!([{"id": "C1", "name": "ORCHARD", "members": ["U1"]}]);
    let export = ["orchard", "Orchard"].iter().zip(1..).fold(Export::of_two().with("channels.json", &channels), |export, (folder, n)| {
        export.with(&format!("{folder}/2025-01-01.json"), &json!([message("U1", n, folder)]))
    });
    let (_, report) = export.imported().await;
    assert_eq!((report.channels.in_file, report.messages.imported), (3, 2));
}

/// An archive with these files, whose names are written by another system.
async fn imported_as(rename: impl Fn(&str) -> String, more: &[(&str, &[u8])]) -> (Memory, ImportReport) {
    let users = json!([{"id": "U1", "name": "ann"}]).to_string();
    let channels = json!([{"id": "C1", "name": "orchard", "members": ["U1"]}]).to_string();
    let day = json!([message("U1", 1, "hello")]).to_string();
    let files = [("users.json", users), ("channels.json", channels), ("orchard/2025-01-01.json", day)];
    let renamed = files.iter().map(|(path, content)| (rename(path), content.as_bytes())).collect::<Vec<_>>();
    let memory = Memory::with_a_workspace(100);
    let all = renamed.iter().map(|(path, content)| (path.as_str(), *content)).chain(more.iter().copied());
    let report = slack_from(&memory, zip(all), &settings(), &()).await.expect("an import");
    (memory, report)
}

/// How a system names a file of the export.
type Rename = fn(&str) -> String;

#[tokio::test]
async fn archives_that_other_systems_wrote_are_read() {
    let beside: [(&str, &[u8]); 4] =
        [("__MACOSX/._users.json", b"x"), ("__MACOSX/export/users.json", b"x"), (".DS_Store", b"x"), ("Thumbs.db", b"x")];
    let writers: [(&str, Rename); 7] = [
        ("as Slack writes it", |path| path.to_owned()),
        ("backslashes", |path| path.replace('/', "\\")),
        ("a dot", |path| format!("./{path}")),
        ("one folder", |path| format!("export/{path}")),
        ("two folders", |path| format!("downloads/My export/{path}")),
        ("two folders and backslashes", |path| format!("downloads\\export\\{}", path.replace('/', "\\"))),
        ("a dot and a folder", |path| format!("./export/{path}")),
    ];
    for (writer, rename) in writers {
        let (memory, report) = imported_as(rename, &beside).await;
        assert_eq!((texts(&memory).len(), report.channels.imported), (1, 1), "{writer}");
        assert_eq!(report.skipped["file: left by the system that zipped the archive"].count, 4, "{writer}");
    }
}

#[tokio::test]
async fn a_reply_that_is_shown_in_the_channel_too_is_there_once_and_in_its_thread() {
    let parent = with(message("U1", 1, "who waters?"), &json!({"thread_ts": ts(1)}));
    let reacted = json!({"reactions": [{"name": "apple", "users": ["U1"], "count": 1}]});
    let broadcast = |more: &Value| with(with(message("U2", 2, "I do"), &json!({"subtype": "thread_broadcast", "thread_ts": ts(1)})), more);
    let of_root = with(message("U2", 2, "I do"), &json!({"subtype": "reply_broadcast", "root": {"ts": ts(1), "user": "U1"}}));
    let plain = || message("U2", 2, "I do");
    let plain_in_thread = with(plain(), &json!({"thread_ts": ts(1)}));
    let nothing = json!({});
    for pair in [
        [broadcast(&nothing), with(plain(), &reacted)],
        [with(plain(), &reacted), broadcast(&nothing)],
        [plain_in_thread.clone(), broadcast(&reacted)],
        [with(broadcast(&reacted), &json!({"text": "I do (sent to the channel)"})), plain()],
        [with(of_root, &reacted), plain()],
    ] {
        let export = Export::of_two().saying(&json!([parent, pair[0], pair[1]]));
        let (memory, report) = import_twice(&export).await;
        let messages = memory.messages();
        let threads = messages.iter().map(|(_, m)| m.posting.as_ref().and_then(|p| p.thread_id)).collect::<Vec<_>>();
        assert_eq!(threads, [None, Some(messages[0].0)], "{pair:?}");
        assert_eq!((report.messages.imported, report.messages.skipped, report.reactions.imported), (2, 1, 1), "{pair:?}");
    }
}

#[tokio::test]
async fn a_reply_that_is_filed_before_its_parent_is_in_its_thread() {
    let reply = |second, text: &str| with(message("U2", second, text), &json!({"thread_ts": ts(86_400)}));
    let parent = |second| with(message("U1", second, "who waters?"), &json!({"thread_ts": ts(second)}));
    let export = Export::of_two()
        .with("orchard/2024-12-25.json", &json!([reply(86_403, "a week early"), reply(86_402, "too")]))
        .saying(&json!([reply(86_401, "a day early"), with(message("U2", 5, "in vain"), &json!({"thread_ts": ts(999)}))]))
        .with("orchard/2025-01-02.json", &json!([parent(86_400), reply(86_404, "in order")]));
    let (memory, report) = import_twice(&export).await;
    let messages = memory.messages();
    let thread = |text: &str| {
        let found = messages.iter().find(|(_, m)| m.posting.as_ref().is_some_and(|p| p.content.as_str() == text));
        found.and_then(|(_, m)| m.posting.as_ref()?.thread_id)
    };
    let parent = messages.iter().find(|(_, m)| m.posting.as_ref().is_some_and(|p| p.content.as_str() == "who waters?")).map(|(id, _)| *id);
    for text in ["a week early", "too", "a day early", "in order"] {
        assert!(parent.is_some() && thread(text) == parent, "{text}");
    }
    assert_eq!((thread("in vain"), report.read.replies), (None, 5));
    assert_eq!(report.turned_into["reply to a message that is not in the export into a message of the channel"].count, 1);
}

#[tokio::test]
async fn a_message_that_stands_in_two_days_is_imported_once() {
    let twice = with(message("U1", 1, "once"), &json!({"client_msg_id": "a1"}));
    let edited = with(twice.clone(), &json!({"text": "once, edited"}));
    let export = Export::of_two()
        .saying(&json!([twice, message("U2", 2, "no identifier")]))
        .with("orchard/2025-01-02.json", &json!([edited, message("U2", 2, "no identifier"), message("U2", 3, "new")]));
    let (memory, report) = import_twice(&export).await;
    assert_eq!(texts(&memory), ["once", "no identifier", "new"]);
    assert_eq!(report.skipped["copy of a message that is there already"].count, 2);
    // A later export that overlaps adds what is new.
    let later = Export::of_two().with("orchard/2025-01-02.json", &json!([message("U2", 3, "new"), message("U2", 4, "newer")]));
    let report = later.import(&memory).await.expect("an import");
    assert_eq!((report.messages.imported, report.messages.already_there), (1, 1));
}

#[tokio::test]
async fn odd_fields_of_a_message_do_not_lose_it() {
    let odd = |second, more: Value| with(message("U1", second, "x"), &more);
    let (memory, report) = Export::of_two()
        .saying(&json!([
            {"ts": "1735689601", "text": "no fraction", "user": "U1"},
            {"ts": 1_735_689_602, "text": "a number", "user": null},
            {"ts": "1735689603.12345678901234567890", "text": "a long fraction", "user": {}},
            {"ts": "99999999999999.000100", "text": "too late", "user": "U1"},
            {"ts": "-1", "text": "too early", "user": "U1"},
            odd(4, json!({"subtype": "bot_message", "user": null, "bot_id": null, "username": null})),
            odd(5, json!({"reactions": [{"name": "apple", "users": ["U77", null, ""], "count": 3}, {"users": ["U1"]}, null, {"name": "pear"}]})),
            odd(6, json!({"pinned_to": "C1", "pinned_info": 7})),
            odd(7, json!({"edited": {"ts": ts(8)}})),
            odd(8, json!({"edited": {"user": "U1"}})),
            with(odd(9, json!({"replies": [{"user": "U2", "ts": ts(10)}, {}, null, {"ts": "soon"}], "reply_count": 1})), &json!({"thread_ts": null})),
            message("U2", 10, "an answer that only its parent names"),
            odd(11, json!({"thread_ts": "soon"})),
            odd(12, json!({"user": ["U1"], "type": null, "subtype": 7, "text": ["x"], "blocks": "none"})),
        ]))
        .imported()
        .await;
    let messages = memory.messages();
    assert_eq!((report.messages.in_file, report.messages.imported, report.messages.skipped), (14, 12, 2));
    let posting =
        |text: &str| messages.iter().filter_map(|(_, m)| m.posting.as_ref()).find(|p| p.content.as_str() == text).expect("a message");
    assert_eq!(posting("no fraction").sent_at.timestamp_micros(), 1_735_689_601_000_000);
    assert_eq!(posting("a long fraction").sent_at.timestamp_micros(), 1_735_689_603_123_456);
    let parent =
        messages.iter().find(|(_, m)| m.posting.as_ref().is_some_and(|p| p.sent_at.timestamp() == 1_735_689_609)).map(|(id, _)| *id);
    assert_eq!(posting("an answer that only its parent names").thread_id, parent);
    assert_eq!((report.pins.imported, report.read.edited_messages), (1, 1));
}
