use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::catalogue::EVENTS;
use crate::context::{Context, Metadata};
use crate::ids::UserId;
use crate::session::{Attempt, RefusalCause};
use crate::{AggregateType, DecodeError, Event, MessageEvent, SessionEvent};

const KEY: Uuid = Uuid::from_u128(0xbeef);

/// "Seals" by writing each byte as digits: the tests are about places, not about cryptography.
struct Digits;

impl Keys for Digits {
    fn unseal(&self, key_id: Uuid, _: &Place<'_>, sealed: &str, text: &mut Vec<u8>) -> Unsealed {
        if key_id != KEY {
            return Unsealed::NotHeld;
        }
        let pairs = (0..sealed.len()).step_by(2).map(|at| u8::from_str_radix(sealed.get(at..at + 2).unwrap_or("x"), 16));
        match pairs.collect::<Result<Vec<_>, _>>() {
            Ok(bytes) => text.extend(bytes),
            Err(_) => return Unsealed::Wrong,
        }
        Unsealed::Yes
    }
}

/// Every key is destroyed.
struct Destroyed;

impl Keys for Destroyed {
    fn unseal(&self, _: Uuid, _: &Place<'_>, _: &str, _: &mut Vec<u8>) -> Unsealed {
        Unsealed::Destroyed
    }
}

fn place(event_type: &str) -> Place<'_> {
    let aggregate = event_type.split_once('.').and_then(|(name, _)| AggregateType::named(name)).expect("an aggregate");
    Place { stream: StreamId { aggregate, id: Uuid::from_u128(0xabc) }, sequence: 7, event_type }
}

fn version(event_type: &str) -> &'static str {
    EVENTS.iter().find(|event| event.wire_name == event_type).expect("an event").version
}

fn compact(example: &str) -> String {
    serde_json::from_str::<Value>(example).expect("JSON").to_string()
}

fn sealed(event_type: &str, payload: &str) -> Option<String> {
    let cut = cut(event_type, payload)?;
    let digits = cut.personal.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    Some(cut.sealed(KEY, &digits))
}

fn decode(event_type: &str, payload: &str, keys: &dyn Keys) -> Event {
    Event::decode(&place(event_type), version(event_type), payload, keys).expect("an event")
}

#[test]
fn every_event_is_listed_and_nothing_else_is() {
    let listed = PARTS.iter().map(|part| part.event_type).collect::<BTreeSet<_>>();
    assert_eq!(listed, EVENTS.iter().map(|event| event.wire_name).collect(), "personal/parts.rs must list its personal fields");
    assert_eq!(listed.len(), PARTS.len(), "an event is listed twice");
}

#[test]
fn events_with_personal_fields_have_an_owner_and_other_events_have_none() {
    for (event, part) in EVENTS.iter().map(|event| (event, PARTS.iter().find(|part| part.event_type == event.wire_name).expect("a part"))) {
        let read = decode(event.wire_name, event.example, &NoKeys);
        let owner = owner(place(event.wire_name).stream, &read);
        assert_eq!(owner.is_some(), part.owner != PartOwner::None, "{}", event.wire_name);
        assert_eq!(part.fields.is_empty(), part.owner == PartOwner::None, "{}", event.wire_name);
        for field in part.fields {
            assert!(!serde_json::from_str::<Value>(event.example).expect("JSON")[event.wire_name][field].is_null(), "{field}");
        }
    }
}

#[test]
fn a_sealed_part_is_read_as_before_and_its_stored_form_shows_nothing() {
    for event in EVENTS {
        for payload in [compact(event.example), event.example.to_owned()] {
            let Some(stored) = sealed(event.wire_name, &payload) else { continue };
            let as_it_was = decode(event.wire_name, &payload, &NoKeys);
            assert_eq!(decode(event.wire_name, &stored, &Digits), as_it_was, "{stored}");
            assert_eq!(key_of(event.wire_name, &stored), Some(KEY));
            let fields = serde_json::from_str::<Value>(&stored).expect("JSON");
            for field in PARTS.iter().find(|part| part.event_type == event.wire_name).expect("a part").fields {
                assert!(fields[event.wire_name].get(field).is_none(), "{field} is in {stored}");
            }
            let mut value = fields;
            assert_eq!(key_of_value(event.wire_name, &value), Some(KEY));
            reveal_value(&place(event.wire_name), &mut value, &Digits).expect("a payload");
            assert_eq!(value, serde_json::from_str::<Value>(&payload).expect("JSON"));
        }
    }
}

#[test]
fn a_destroyed_key_and_the_erased_form_are_read_as_the_same_tombstone() {
    for event in EVENTS {
        let Some(stored) = sealed(event.wire_name, &compact(event.example)) else { continue };
        let tombstone = decode(event.wire_name, &stored, &Destroyed);
        for erased in [erase(event.wire_name, &stored), erase(event.wire_name, event.example)] {
            let erased = erased.expect("something to erase");
            assert_eq!(decode(event.wire_name, &erased, &NoKeys), tombstone, "{erased}");
            assert_eq!(erase(event.wire_name, &erased), None, "it is erased already");
            for payload in [&erased, &stored] {
                let mut value = serde_json::from_str::<Value>(payload).expect("JSON");
                reveal_value(&place(event.wire_name), &mut value, &Destroyed).expect("a payload");
                let read = Event::decode(&place(event.wire_name), event.version, &value.to_string(), &NoKeys).expect("an event");
                assert_eq!(read, tombstone, "{payload}");
            }
        }
    }
}

#[test]
fn an_erased_message_says_so_and_keeps_its_place() {
    let payload = compact(EVENTS.iter().find(|event| event.wire_name == "message.posted").expect("an event").example);
    let stored = sealed("message.posted", &payload).expect("a sealed one");
    let Event::Message(MessageEvent::Posted(posting)) = decode("message.posted", &stored, &Destroyed) else { panic!("another event") };
    assert!(posting.erased && posting.content.as_str().is_empty() && posting.formatted.is_empty());
    assert!(posting.thread_id.is_some());
}

#[test]
fn an_erased_user_has_valid_names() {
    let payload = EVENTS.iter().find(|event| event.wire_name == "user.registered").expect("an event").example;
    let erased = erase("user.registered", payload).expect("something to erase");
    let Event::User(crate::UserEvent::Registered(read)) = decode("user.registered", &erased, &NoKeys) else { panic!("another event") };
    assert!(crate::text::Email::parse(read.email.as_str()).is_ok());
    assert!(crate::text::Username::parse(read.username.as_str()).is_ok());
    assert_eq!(read.username.as_str(), "erased-000000000abc");
    assert_eq!(read.profile.display_name.as_str(), short_name(Uuid::from_u128(0xabc)));
}

#[test]
fn a_key_that_is_not_in_memory_is_named_and_a_changed_part_is_refused() {
    let payload = compact(EVENTS.iter().find(|event| event.wire_name == "message.edited").expect("an event").example);
    let stored = sealed("message.edited", &payload).expect("a sealed one");
    let missing = Event::decode(&place("message.edited"), "1", &stored, &NoKeys).expect_err("no key");
    assert_eq!(missing.missing_key(), Some(KEY));
    for changed in [stored.replacen('.', "", 2), stored.replace(&KEY.simple().to_string(), "x"), stored.replacen("22", "zz", 1)] {
        let refused = Event::decode(&place("message.edited"), "1", &changed, &Digits);
        assert!(matches!(refused, Err(DecodeError::Sealed { .. } | DecodeError::Payload { .. })), "{changed}: {refused:?}");
    }
}

#[test]
fn braces_quotes_and_field_names_in_a_text_do_not_confuse_the_parser() {
    let content = r#"{"sealed":"x"} \" , } ] "formatted":[{ \\"#;
    let payload = json!({"message.edited": {"content": content, "by": Uuid::nil()}}).to_string();
    let stored = sealed("message.edited", &payload).expect("a sealed one");
    assert_eq!(decode("message.edited", &stored, &Digits), decode("message.edited", &payload, &NoKeys));
    let topic = json!({"channel.topic_changed": {"topic": content}}).to_string();
    assert_eq!(cut("channel.topic_changed", &topic), None, "nothing in it is personal");
    assert!(Event::decode(&place("channel.topic_changed"), "1", &topic, &NoKeys).is_ok());
}

fn metadata(address: Option<&str>, user_agent: Option<&str>) -> Metadata {
    let context = Context::of(UserId(Uuid::from_u128(5)), chrono::DateTime::UNIX_EPOCH, Uuid::from_u128(6));
    Context { address: address.map(str::to_owned), user_agent: user_agent.map(str::to_owned), ..context }.metadata("a command")
}

fn sealed_metadata(metadata: &Metadata) -> Option<String> {
    let cut = SplitMetadata::of(metadata).expect("JSON")?;
    let digits = cut.personal.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    Some(cut.sealed(KEY, &digits))
}

fn read_metadata(stored: &str, keys: &dyn Keys) -> Result<Metadata, SealError> {
    let mut read = serde_json::from_str::<Metadata>(stored).expect("metadata");
    reveal_metadata(&place("channel.archived"), stored, &mut read, keys)?;
    Ok(read)
}

#[test]
fn an_address_and_a_client_are_sealed_and_read_again_until_the_key_is_destroyed() {
    let nasty = r#"quote " brace } {"sealed":"x"} \ and 'ünïcode'"#;
    for (address, user_agent) in [(Some("203.0.113.9"), Some("a browser")), (Some("::1"), None), (None, Some(nasty))] {
        let as_it_was = metadata(address, user_agent);
        let stored = sealed_metadata(&as_it_was).expect("something to seal");
        assert_eq!(key_of_metadata(&stored), Some(KEY));
        assert!(!stored.contains("address") && !stored.contains("user_agent"), "{stored}");
        assert_eq!(read_metadata(&stored, &Digits), Ok(as_it_was));
        assert_eq!(read_metadata(&stored, &Destroyed), Ok(metadata(None, None)));
        assert_eq!(read_metadata(&stored, &NoKeys), Err(SealError::KeyNotHeld(KEY)));
    }
    assert_eq!(sealed_metadata(&metadata(None, None)), None);
}

#[test]
fn metadata_that_were_never_sealed_are_read_unchanged() {
    let plain = metadata(Some("203.0.113.9"), Some("a browser"));
    let stored = serde_json::to_string(&plain).expect("JSON");
    assert_eq!(key_of_metadata(&stored), None);
    assert_eq!(read_metadata(&stored, &NoKeys), Ok(plain));
}

#[test]
fn an_address_belongs_to_the_actor_or_to_the_user_of_a_refused_sign_in() {
    let actor = UserId(Uuid::from_u128(5));
    let refused = |user_id| {
        Event::Session(SessionEvent::Refused(Attempt { user_id, login_digest: None, cause: RefusalCause::UnknownLogin, not_recorded: 0 }))
    };
    assert_eq!(metadata_owner(actor, &refused(None)), Some(actor.0));
    assert_eq!(metadata_owner(UserId::SYSTEM, &refused(Some(actor))), Some(actor.0));
    assert_eq!(metadata_owner(UserId::SYSTEM, &refused(None)), None);
}

#[test]
fn a_sealed_payload_is_not_unsealed_as_metadata_nor_the_reverse() {
    assert!(EVENTS.iter().all(|event| event.wire_name.contains('.') && !METADATA.contains('.')));
    let here = place("message.posted");
    assert_ne!(here.to_bytes(), here.of_metadata().to_bytes());
}
