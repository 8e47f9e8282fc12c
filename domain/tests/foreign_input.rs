//! Any text from outside is either parsed or refused, and nothing panics.
#![expect(clippy::expect_used, reason = "a panic in a test is a failed test, with its line")]
#![expect(clippy::disallowed_methods, reason = "the fixtures are files")]

use domain::formatting::FormattedContent;
use domain::personal::NoKeys;
use domain::text::*;
use domain::{Event, Recorded, WireEvent};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::{Index, select};

/// Texts that have caused errors in other programs: empty, blank, half characters, characters without width, right to
/// left, markup, other languages.
const CORPUS: [&str; 24] = [
    "",
    " ",
    "\0",
    "a\0b",
    "\u{feff}",
    "\u{200b}\u{200d}",
    "\u{202e}txt.exe",
    "\u{fffd}",
    "\u{10ffff}",
    "e\u{301}",
    "ﷺ",
    "👨‍👩‍👧‍👦",
    "İıſK",
    "<script>alert(1)</script>",
    "'; DROP TABLE events; --",
    "../../etc/passwd",
    "${jndi:ldap://x}",
    "%00%ff",
    "a@b@c.d",
    "javascript:alert(1)",
    "https://\u{7f}",
    "\r\nSet-Cookie: x",
    "-",
    "2026-02-30T25:61:61Z",
];

/// A text that is foreign, long, or almost valid.
fn text() -> impl Strategy<Value = String> {
    let long = (select(CORPUS.to_vec()), 0..3_000_usize).prop_map(|(piece, times)| piece.repeat(times));
    let near = "[a-z]{1,5}(@|://)?[a-z.-]{0,8}\\PC{0,2}";
    proptest::prop_oneof![select(CORPUS.to_vec()).prop_map(str::to_owned), long, near, any::<String>()]
}

macro_rules! every_value_type {
    ($($name:ident),+ $(,)?) => {
        proptest! {
            #[test]
            fn a_text_is_refused_or_whole_short_and_the_same_when_read_again(text in text()) {
                $(if let Ok(value) = $name::parse(&text) {
                    prop_assert!((1..=$name::CHARS_MAX).contains(&value.as_str().chars().count()));
                    prop_assert!(!value.as_str().contains('\0'));
                                        prop_assert_eq!($name::parse(value.as_str()).ok(), Some(value.clone()));
                    let json = serde_json::to_string(&value).expect("JSON");
                    prop_assert_eq!(serde_json::from_str::<$name>(&json).expect("the same"), value);
                })+
            }
        }
    };
}

every_value_type!(
    Email,
    Username,
    DisplayName,
    Title,
    Department,
    Phone,
    Bio,
    Pronouns,
    Timezone,
    Language,
    AvatarUrl,
    StatusText,
    Reason,
    WorkspaceName,
    WorkspaceDomain,
    ChannelName,
    ChannelDisplayName,
    Topic,
    Purpose,
    Description,
    MessageBody,
    Emoji,
    ClientMsgId,
);

/// Pieces of markup, valid and broken.
fn markup() -> impl Strategy<Value = String> {
    let pieces =
        ["<", ">", "<@", "<#", "<!", "|", "@", "https://", "http://x", "mailto:", "here>", "channel", " ", "*", "`", "&lt;", "é", "\n"];
    let id = any::<u128>().prop_map(|id| uuid::Uuid::from_u128(id).to_string());
    vec(proptest::prop_oneof![4 => select(pieces.to_vec()).prop_map(str::to_owned), 1 => id], 0..200).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn every_reference_of_a_message_is_in_its_text(text in markup()) {
        let content = FormattedContent::of(&text);
        let there = |sign: &str, id: &dyn std::fmt::Display| text.contains(&format!("<{sign}{id}"));
        prop_assert!(content.mentions.iter().all(|id| there("@", id)));
        prop_assert!(content.channels.iter().all(|id| there("#", id)));
        prop_assert!(content.links.iter().all(|link| text.contains(&link.url)));
        prop_assert!(content.links.len() <= FormattedContent::REFERENCES_MAX);
        let json = serde_json::to_string(&content).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<FormattedContent>(&json).expect("the same"), content);
    }
}

/// The longest and hardest messages. A parser that looks back for each piece would take too long for them.
#[test]
fn the_longest_markup_is_read_in_one_pass() {
    let links = (0..4_000).map(|n| format!("http://{n} ")).collect::<String>();
    for text in ["<", ">", "<>", "<@", "<|", "http:// ", "<https://x|", "> <", "\u{10ffff}", links.as_str()] {
        let text = text.repeat(MessageBody::CHARS_MAX / text.chars().count());
        let content = FormattedContent::of(&text);
        assert!(content.links.len() <= FormattedContent::REFERENCES_MAX);
    }
}

/// A feed message for each fixture, so for every kind of event.
fn messages() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let files = std::fs::read_dir(folder).expect("the fixtures").map(|file| file.expect("a fixture").path());
    let mut files = files.collect::<Vec<_>>();
    files.sort();
    let message = |path: &std::path::PathBuf| {
        let payload = std::fs::read_to_string(path).expect("a fixture");
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".json")).expect("a name");
        let (name, version) = name.rsplit_once(".v").expect("a version");
        let aggregate = name.split('.').next().expect("an aggregate");
        let id = uuid::Uuid::from_u128(7);
        format!(
            r#"{{"position":12,"event_id":"{id}","aggregate_type":"{aggregate}","aggregate_id":"{id}","sequence":3,"workspace_id":null,
            "recorded_at":"2026-01-02T03:04:05.678901Z","event_type":"{name}","event_version":"{version}","payload":{payload},
            "metadata":{{"actor":"{id}","command":"a command","correlation_id":"{id}"}}}}"#
        )
    };
    files.iter().map(message).collect()
}

fn read(message: &[u8]) -> Option<Recorded<Event>> {
    serde_json::from_slice::<WireEvent>(message).ok().and_then(|wire| wire.as_row().decode(&NoKeys).ok())
}

#[test]
fn every_kind_of_event_is_read_from_the_feed() {
    let messages = messages();
    assert!(messages.len() > 35);
    for message in messages {
        assert!(read(message.as_bytes()).is_some(), "{message}");
    }
}

proptest! {
    #[test]
    fn a_message_of_the_feed_that_was_damaged_is_refused_or_read(which: Index, damage in vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..4)) {
        let mut message = which.get(&messages()).clone().into_bytes();
        for (place, byte, kind) in damage {
            let at = place.index(message.len());
            match kind {
                0 => message[at] = byte,
                1 => message.insert(at, byte),
                2 => drop(message.remove(at)),
                _ => message.truncate(at + 1),
            }
        }
        if let Some(read_once) = read(&message) {
            let wire = serde_json::from_slice::<WireEvent>(&message).expect("read before");
            let again = serde_json::to_vec(&wire).expect("JSON");
            prop_assert_eq!(read(&again).map(|event| (event.position, event.event)), Some((read_once.position, read_once.event)));
        }
    }

    #[test]
    fn bytes_that_are_no_message_of_the_feed_are_refused(bytes in vec(any::<u8>(), 0..2_000)) {
        prop_assert!(read(&bytes).is_none());
    }
}

#[test]
fn a_message_of_the_feed_that_is_too_deep_is_refused() {
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert!(read(deep.as_bytes()).is_none());
    let message = messages()[0].replacen(r#""payload":"#, &format!(r#""payload":{deep},"more":"#), 1);
    assert!(read(message.as_bytes()).is_none());
}
