//! Tests how messages become events.

use domain::formatting::Broadcast;
use domain::message::Kind;
use domain::{Event, MessageEvent};
use serde_json::json;

use super::exports::{Export, message, ts, with};
use super::memory::settings;

#[tokio::test]
async fn a_message_keeps_its_time_and_its_author() {
    let (memory, report) = Export::of_two().saying(&json!([message("U1", 5, "good morning")])).imported().await;
    let (stream, pending) = memory.events().pop().expect("an event");
    let Event::Message(MessageEvent::Posted(posting)) = pending.event else { panic!("posted") };
    let ann = memory.registrations()["ann"].0;
    assert_eq!(posting.sent_at.timestamp_micros(), 1_735_689_605_000_100);
    assert_eq!(pending.original, Some((ann, posting.sent_at)));
    assert_eq!((posting.author, posting.kind, posting.content.as_str()), (ann, Kind::Text, "good morning"));
    assert_eq!(domain::ids::MessageId(stream.id).sent_in().map(|t| t.timestamp_millis()), Some(1_735_689_605_000));
    assert_eq!((report.messages.in_file, report.messages.imported), (1, 1));
}

#[tokio::test]
async fn a_message_from_after_the_import_gets_the_moment_of_the_import() {
    let now = settings().at;
    let later = with(message("U1", 5, "see you tomorrow"), &json!({"ts": format!("{}.000100", now.timestamp() + 86_400)}));
    let (memory, report) = Export::of_two().saying(&json!([later])).imported().await;
    let (stream, pending) = memory.events().pop().expect("an event");
    let Event::Message(MessageEvent::Posted(posting)) = pending.event else { panic!("posted") };
    assert_eq!((posting.sent_at, pending.original.map(|(_, at)| at)), (now, Some(now)));
    assert!(domain::ids::MessageId(stream.id).allows(now), "a lookup finds the message");
    assert_eq!(report.turned_into["message from after the import into one of its moment"].count, 1);
}

#[tokio::test]
async fn a_reply_finds_its_parent_on_another_day_and_one_without_a_parent_stays_in_the_channel() {
    let reply = |second, parent| with(message("U2", second, "yes"), &json!({"thread_ts": ts(parent)}));
    let (memory, report) = Export::of_two()
        .saying(&json!([reply(3, 1), with(message("U1", 1, "who waters?"), &json!({"thread_ts": ts(1)})), reply(4, 3)]))
        .with("orchard/2025-01-02.json", &json!([reply(86_400, 1), reply(86_401, 999)]))
        .imported()
        .await;
    let threads = memory.messages().into_iter().map(|(id, m)| (id, m.posting.expect("posted").thread_id)).collect::<Vec<_>>();
    let parent = threads[0].0;
    assert_eq!(threads.iter().map(|(_, thread)| *thread).collect::<Vec<_>>(), [None, Some(parent), None, Some(parent), None]);
    assert_eq!((report.read.threads, report.read.replies), (1, 4));
    assert_eq!(report.turned_into["reply to a message that is not in the export into a message of the channel"].count, 1);
    assert_eq!(report.turned_into["reply to a reply into a message of the channel"].count, 1);
}

#[tokio::test]
async fn reactions_pins_and_edits_are_kept_and_odd_ones_reported() {
    let rich = json!({
        "edited": {"user": "U1", "ts": ts(60)},
        "reactions": [
            {"name": "apple", "users": ["U1", "U2", "U2"], "count": 5},
            {"name": "+1::skin-tone-3", "users": ["U9"], "count": 1},
            {"name": "party_parrot", "users": ["U1"], "count": 1},
            {"name": "heart", "users": ["U1"], "count": 1},
            {"name": "❤", "users": ["U1"], "count": 1},
            {"name": "no emoji", "users": ["U1"], "count": 1},
        ],
        "pinned_to": ["C1"], "pinned_info": {"pinned_by": "U2", "pinned_ts": 1_735_689_700},
    });
    let (memory, report) = Export::of_two().saying(&json!([with(message("U1", 1, "harvest on Friday"), &rich)])).imported().await;
    let (_, message) = memory.messages().remove(0);
    let users = memory.registrations();
    assert_eq!(message.posting.as_ref().and_then(|p| p.edited_at).map(|at| at.timestamp()), Some(1_735_689_660));
    assert_eq!(
        message.reactions.iter().map(|(e, users)| (e.as_str(), users.len())).collect::<Vec<_>>(),
        [("party_parrot", 1), ("❤️", 1), ("🍎", 2), ("👍🏼", 1)]
    );
    assert!(memory.workspace_state().emojis.iter().map(|name| name.as_str()).eq(["party_parrot"]), "the workspace has the emoji");
    assert!(message.pinned && users.contains_key("U9"));
    let pinned = memory.events().into_iter().rfind(|(_, pending)| pending.event.wire_name() == "message.pinned").expect("a pin");
    assert_eq!(pinned.1.original.map(|(by, at)| (by, at.timestamp())), Some((users["bob"].0, 1_735_689_700)));
    assert_eq!((report.reactions.in_file, report.reactions.imported, report.reactions.skipped), (10, 5, 5));
    assert_eq!((report.pins.in_file, report.pins.imported), (1, 1));
}

#[tokio::test]
async fn the_channels_list_of_pins_pins_too() {
    let pins =
        json!([{"id": ts(1), "type": "C", "created": 1_735_690_000, "user": "U2"}, {"id": ts(77), "type": "C"}, {"id": "F1", "type": "F"}]);
    let channels = json!([{"id": "C1", "name": "orchard", "members": ["U1"], "pins": pins}]);
    let (memory, report) = Export::of_two().with("channels.json", &channels).saying(&json!([message("U1", 1, "rules")])).imported().await;
    assert!(memory.messages()[0].1.pinned);
    assert_eq!((report.pins.in_file, report.pins.imported, report.pins.skipped), (3, 1, 2));
}

#[tokio::test]
async fn subtypes_become_kinds() {
    let of = |second, subtype: &str, more| with(with(message("U1", second, "x"), &json!({ "subtype": subtype })), more);
    let nothing = json!({});
    let (memory, report) = Export::of_two()
        .saying(&json!([
            of(1, "channel_join", &nothing),
            of(2, "channel_topic", &nothing),
            of(3, "bot_message", &json!({"user": null, "bot_id": "B1", "username": "Frost Alarm"})),
            of(4, "file_share", &json!({"file": {"id": "F1", "name": "map.pdf", "permalink": "https://files.example/map.pdf"}})),
            of(5, "me_message", &nothing),
            of(6, "thread_broadcast", &json!({"thread_ts": ts(5)})),
            of(7, "something_new", &nothing),
            of(8, "tombstone", &json!({"user": "USLACKBOT", "text": "This message was deleted."})),
            of(9, "file_comment", &json!({"user": null, "comment": {"user": "U2", "comment": "nice map"}, "text": ""})),
            with(message("U1", 10, ""), &json!({"files": [{"name": "a.png"}]})),
            with(message("U1", 11, "hi"), &json!({"bot_id": "B2", "bot_profile": {"name": "Helper"}})),
        ]))
        .imported()
        .await;
    let kinds = memory.postings().iter().map(|p| p.kind).collect::<Vec<_>>();
    use Kind::{Bot, File, System, Text};
    assert_eq!(kinds, [System, System, Bot, File, Text, Text, Text, Text, Text, File, Bot]);
    let postings = memory.postings();
    let users = memory.registrations();
    assert_eq!(postings[2].formatted.bot_name.as_deref(), Some("Frost Alarm"));
    assert_eq!((postings[2].author, users["Frost-Alarm"].1.is_bot), (users["Frost-Alarm"].0, true));
    assert_eq!(postings[3].formatted.files[0].url.as_deref(), Some("https://files.example/map.pdf"));
    assert_eq!((postings[4].content.as_str(), postings[8].content.as_str(), postings[9].content.as_str()), ("_x_", "nice map", "a.png"));
    assert_eq!(postings[8].author, users["bob"].0);
    assert_eq!((postings[10].author, postings[10].formatted.bot_name.as_deref()), (users["ann"].0, Some("Helper")));
    assert!(memory.messages()[7].1.deleted);
    assert_eq!(
        report.turned_into["message of an unknown subtype into a text"].examples,
        [format!("orchard/2025-01-01.json {}: something_new", ts(7))]
    );
}

#[tokio::test]
async fn markup_is_translated_and_its_references_are_found() {
    let text = "<@U2|bob> &amp; <@U7>: <#C1|orchard> <!here> <https://a.example|plan> 1 &lt; 2";
    let (memory, _) = Export::of_two().saying(&json!([message("U1", 1, text)])).imported().await;
    let posting = memory.postings().remove(0);
    let bob = memory.registrations()["bob"].0;
    let (orchard, _) = memory.channel_named("orchard").expect("a channel");
    assert_eq!(posting.content.as_str(), format!("<@{bob}> & @U7: <#{orchard}> <!here> <https://a.example|plan> 1 < 2"));
    assert_eq!((posting.formatted.mentions, posting.formatted.channels), (vec![bob], vec![orchard]));
    assert_eq!((posting.formatted.broadcasts, posting.formatted.links.len()), (vec![Broadcast::Here], 1));
}

#[tokio::test]
async fn every_author_has_a_user() {
    let anonymous = json!({"ts": ts(3), "text": "who am I?"});
    let old_bot = json!({"ts": ts(4), "text": "built", "username": "Jenkins CI", "subtype": "bot_message"});
    let guest = with(message("W7", 5, "hello from next door"), &json!({"user_profile": {"real_name": "Cyd", "name": "cyd"}}));
    let (memory, report) =
        Export::of_two().saying(&json!([message("U9", 1, "a"), message("USLACKBOT", 2, "b"), anonymous, old_bot, guest])).imported().await;
    let users = memory.registrations();
    let authors = memory.postings().iter().map(|p| p.author).collect::<Vec<_>>();
    assert_eq!(authors, ["U9", "USLACKBOT", "Unknown-author", "Jenkins-CI", "Cyd"].map(|name| users[name].0));
    assert!(users["USLACKBOT"].1.is_bot && users["Jenkins-CI"].1.is_bot && !users["Cyd"].1.is_bot);
    assert!(users["U9"].1.email.as_str().ends_with("@imported.invalid"));
    assert!(!memory.workspace_state().members.contains_key(&users["U9"].0));
    assert_eq!(report.users.in_file, 2);
}

#[tokio::test]
async fn copies_and_messages_without_a_moment_are_skipped_and_reported() {
    let reacted = json!({"reactions": [{"name": "apple", "users": ["U2"], "count": 1}]});
    let (memory, report) = Export::of_two()
        .saying(&json!([
            message("U1", 1, "once"),
            with(message("U1", 1, "once"), &reacted),
            message("U2", 1, "at the same moment"),
            {"user": "U1", "text": "when?"},
            {"user": "U1", "text": "never", "ts": "soon"},
            with(json!({"user": "U1", "text": "as a number"}), &json!({"ts": 1_735_689_700.5})),
            "nonsense", null, 7, [],
        ]))
        .imported()
        .await;
    assert_eq!(memory.postings().iter().map(|p| p.content.as_str().to_owned()).collect::<Vec<_>>().len(), 3);
    let account = report.messages;
    assert_eq!((account.in_file, account.imported, account.skipped), (10, 3, 7));
    assert_eq!(report.skipped["copy of a message that is there already"].count, 1);
    assert_eq!(report.skipped["message without a moment"].count, 2);
    assert_eq!(report.skipped["message that is no object"].count, 4);
    assert_eq!((report.reactions.in_file, report.reactions.skipped), (1, 1));
}
