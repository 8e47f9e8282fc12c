//! Whatever an export contains, it is imported, accounted for, or refused. Nothing panics.

use std::io::Cursor;

use domain::ids::{ChannelId, UserId};
use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::prop_oneof;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use uuid::Uuid;

use super::exports::{Export, message, with};
use super::memory::{Memory, settings};
use crate::import::markup::{Names, translate, unescape};
use crate::import::report::Report;
use crate::import::slack_from;

/// The fields of an export, one of which is damaged.
const FIELDS: [&str; 30] = [
    "type",
    "subtype",
    "user",
    "ts",
    "text",
    "thread_ts",
    "reactions",
    "edited",
    "files",
    "file",
    "attachments",
    "blocks",
    "bot_id",
    "username",
    "profile",
    "members",
    "id",
    "name",
    "created",
    "creator",
    "topic",
    "purpose",
    "pins",
    "is_archived",
    "deleted",
    "root",
    "inviter",
    "old_name",
    "hidden",
    "replies",
];

/// JSON of any kind, with field names of an export here and there.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        select(vec!["U1", "U2", "C1", "1735689601.000100", "0", "-1.5", "99999999999.999999", "channel_join", "<@U1>", "USLACKBOT"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(select(FIELDS.to_vec()), inner, 0..5).prop_map(|fields| json!(fields)),
        ]
    })
}

/// An object of the export with some damaged fields.
fn spoiled(right: Value) -> impl Strategy<Value = Value> {
    let spoilt = btree_map(select(FIELDS.to_vec()), anything(), 0..4).prop_map(move |spoilt| with(right.clone(), &json!(spoilt)));
    prop_oneof![8 => spoilt, 1 => anything()]
}

fn import(zip: Cursor<Vec<u8>>) -> Option<(Memory, crate::import::ImportReport)> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let memory = Memory::with_a_workspace(100);
    let report = runtime.block_on(slack_from(&memory, zip, &settings(), &())).ok()?;
    Some((memory, report))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn everything_in_any_export_is_accounted_for(
        users in vec(spoiled(json!({"id": "U1", "name": "ann", "profile": {"real_name": "Ann"}})), 0..3),
        channels in vec(spoiled(json!({"id": "C1", "name": "orchard", "created": 1_735_689_600, "members": ["U1"]})), 0..3),
        messages in vec(spoiled(message("U1", 1, "hello <@U2> &amp; all")), 0..6),
    ) {
        let in_file = messages.len() as u64;
        let export = Export::of_two().with("groups.json", &json!(channels)).with("users.json", &json!(users)).saying(&json!(messages));
        let (memory, report) = import(export.zip()).expect("nothing here is a reason to refuse all");
        prop_assert_eq!(report.messages.in_file, in_file);
        prop_assert_eq!(memory.postings().len() as u64, report.messages.imported);
    }

    #[test]
    fn an_archive_that_was_damaged_is_imported_or_refused(damage in vec((any::<Index>(), any::<u8>()), 1..8), end in any::<Index>(), cut: bool) {
        let mut bytes = Export::of_two().saying(&json!([message("U1", 1, "hello")])).zip().into_inner();
        for (place, byte) in damage {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        if let Some((memory, report)) = import(Cursor::new(bytes)) {
            prop_assert_eq!(memory.postings().len() as u64, report.messages.imported);
        }
    }

    #[test]
    fn files_that_are_not_json_are_refused_or_read(users in any::<String>(), day in vec(any::<u8>(), 0..200)) {
        let day = String::from_utf8_lossy(&day).into_owned();
        let users = Export::of_two().with_text("users.json", &format!("x{users}"));
        prop_assert!(import(users.zip()).is_none());
        drop(import(Export::of_two().with_text("orchard/2025-01-01.json", &day).zip()));
    }
}

struct Nobody;

impl Names for Nobody {
    fn user(&self, slack_id: &str) -> Option<UserId> {
        (slack_id == "U1").then_some(UserId(Uuid::nil()))
    }

    fn channel(&self, slack_id: &str) -> Option<ChannelId> {
        (slack_id == "C1").then_some(ChannelId(Uuid::nil()))
    }
}

proptest! {
    #[test]
    fn any_markup_is_translated(pieces in vec(select(vec!["<", ">", "<@U1>", "<@U9|bob>", "<#C1|x>", "<!date^", "^", "|", "&lt;", "&gt;", "&amp;", "&", "é", "http://x", ">|<", "1452837318"]), 0..60)) {
        let text = pieces.concat();
        let translated = translate(&text, &Nobody, &mut Report::default(), "here");
        prop_assert!(translated.len() <= 40 * (text.len() + 1));
        prop_assert!(unescape(&text).len() <= text.len());
    }
}
