//! Every event that was ever written can still be read. There is a stored payload of each version of each event.
#![expect(clippy::disallowed_methods, reason = "a test may read its fixtures")]
#![expect(clippy::expect_used, reason = "a panic in a test is a failed test, with its line; the helpers are tests too")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use domain::catalogue::EVENTS;
use domain::format;
use domain::personal::{NoKeys, Place};
use domain::upcast::is_current;
use domain::{
    AggregateType, AuditEvent, ChannelEvent, DecodeError, Event, InstallationEvent, MessageEvent, RetentionEvent, SessionEvent, StreamId,
    UserEvent, WorkspaceEvent,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

/// A stored payload: the event's name on the wire, its version, and the JSON.
struct Fixture {
    wire_name: String,
    version: String,
    payload: String,
}

impl Fixture {
    fn load(path: &Path) -> Self {
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        let stem = name.strip_suffix(".json").expect("a .json file");
        let (wire_name, version) = stem.rsplit_once(".v").expect("a version");
        let payload = std::fs::read_to_string(path).expect("a text");
        Self { wire_name: wire_name.into(), version: version.into(), payload }
    }

    fn decode(&self) -> Event {
        let aggregate = self.wire_name.split_once('.').and_then(|(name, _)| AggregateType::named(name)).expect("an aggregate");
        decode(aggregate, &self.wire_name, &self.version, &self.payload).expect("a payload that can be read")
    }
}

fn decode(aggregate: AggregateType, event_type: &str, version: &str, payload: &str) -> Result<Event, DecodeError> {
    let stream = StreamId { aggregate, id: Uuid::from_u128(1) };
    Event::decode(&Place { stream, sequence: 1, event_type }, version, payload, &NoKeys)
}

fn fixtures() -> Vec<Fixture> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let entries = std::fs::read_dir(folder).expect("the fixtures");
    entries.map(|entry| Fixture::load(&entry.expect("an entry").path())).collect()
}

/// The names of an event's variants. serde lists them in its error about an unknown variant.
fn variants<E: DeserializeOwned>() -> BTreeSet<String> {
    let error = serde_json::from_value::<E>(json!({"no such event": {}})).err().expect("no such event");
    let message = error.to_string();
    let names = message.split('`').skip(1).step_by(2).map(str::to_owned);
    names.filter(|name| name != "no such event").collect()
}

fn all_variants() -> BTreeSet<String> {
    let of_aggregates = [
        variants::<UserEvent>(),
        variants::<WorkspaceEvent>(),
        variants::<ChannelEvent>(),
        variants::<MessageEvent>(),
        variants::<RetentionEvent>(),
        variants::<InstallationEvent>(),
        variants::<SessionEvent>(),
        variants::<AuditEvent>(),
    ];
    of_aggregates.into_iter().flatten().collect()
}

#[test]
fn every_fixture_is_the_event_that_its_name_says() {
    for fixture in fixtures() {
        let event = fixture.decode();
        assert_eq!(event.wire_name(), fixture.wire_name);
        assert!(is_current(&fixture.wire_name, event.version()), "{}", fixture.wire_name);
        let written = serde_json::to_value(&event).expect("JSON");
        let tags = written.as_object().expect("an object").keys().collect::<Vec<_>>();
        assert_eq!(tags, [&fixture.wire_name]);
    }
}

#[test]
fn a_payload_of_todays_version_is_written_as_it_was_read() {
    for fixture in fixtures().iter().filter(|f| is_current(&f.wire_name, &f.version)) {
        let read = serde_json::from_str::<Value>(&fixture.payload).expect("JSON");
        let written = serde_json::to_value(fixture.decode()).expect("JSON");
        assert_eq!(written, read, "{}", fixture.wire_name);
    }
}

#[test]
fn no_event_lacks_a_fixture_of_each_of_its_versions_or_a_line_in_the_catalogue() {
    let versions = fixtures().into_iter().map(|f| (f.wire_name, f.version)).collect::<BTreeSet<_>>();
    let listed = EVENTS.iter().map(|event| event.wire_name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(listed, all_variants(), "the catalogue and the events differ");
    assert_eq!(listed.len(), EVENTS.len(), "an event is listed twice");
    assert_eq!(versions.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>(), listed, "the fixtures and the events differ");
    for event in EVENTS {
        assert!(is_current(event.wire_name, event.version), "{} is listed with an old version", event.wire_name);
        let newest = event.version.parse::<u32>().expect("a number");
        for version in 1..=newest {
            assert!(versions.contains(&(event.wire_name.into(), version.to_string())), "{} lacks version {version}", event.wire_name);
        }
    }
}

#[test]
fn every_line_of_the_formats_is_an_event_that_there_is() {
    let versions = fixtures().into_iter().map(|f| (f.wire_name, f.version)).collect::<BTreeSet<_>>();
    for (wire_name, version, format) in format::lines() {
        assert!(versions.contains(&(wire_name.into(), version.into())), "format {format} has version {version} of {wire_name}");
    }
}

#[test]
fn an_event_of_a_later_release_is_distinguished_from_a_wrong_one() {
    let later = |aggregate, event_type: &str, version: &str, payload: &str| {
        decode(aggregate, event_type, version, payload).expect_err("it cannot be read").is_of_later_release()
    };
    let archived = r#"{"channel.archived":{"by":"019f0b6e-3a00-7c41-9d52-8f1c2b7e4a01"}}"#;
    assert!(later(AggregateType::Channel, "channel.archived", "2", archived), "a new version");
    assert!(later(AggregateType::Channel, "channel.muted", "1", r#"{"channel.muted":{}}"#), "a new event");
    assert!(!later(AggregateType::Channel, "channel.archived", "1", r#"{"channel.archived":{}}"#), "a known event without its fields");
}

#[test]
fn a_payload_of_the_wrong_aggregate_or_of_a_later_version_is_refused() {
    let payload = r#"{"channel.archived":{"by":"019f0b6e-3a00-7c41-9d52-8f1c2b7e4a01"}}"#;
    assert!(decode(AggregateType::Channel, "channel.archived", "1", payload).is_ok());
    assert!(decode(AggregateType::Workspace, "channel.archived", "1", payload).is_err());
    assert!(decode(AggregateType::Channel, "channel.archived", "2", payload).is_err());
    assert!(decode(AggregateType::Channel, "channel.archived", "1", "{}").is_err());
}
