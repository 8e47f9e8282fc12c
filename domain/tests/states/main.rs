//! The states that snapshots hold: `domain/states` records the state of an aggregate after each event of a history.
//!
//! The next release uses the snapshots of this one. So a release must raise `STATE_VERSION` if it folds the same events
//! into another state, or writes the state as other JSON. These tests fail until it does.
#![expect(clippy::disallowed_methods, reason = "a test may read and write its recordings")]
#![expect(clippy::expect_used, clippy::panic, reason = "a panic in a test is a failed test, with its line; the helpers are tests too")]

mod history;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{read_dir, read_to_string, write};
use std::path::PathBuf;

use cqrs_es::{Aggregate, DomainEvent};
use domain::catalogue::EVENTS;
use domain::personal::{NoKeys, Place};
use domain::{AggregateType, Audit, Channel, Event, Installation, Retention, StreamId, Workspace, upcast};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// Fields that are always empty in a snapshot: personal data are left out, and `keep_pinned` is written only if it is
/// false.
const WITHOUT_VALUE: [&str; 3] = ["members.*.department", "members.*.title", "settings.retention_policy.keep_pinned"];

/// An aggregate that has snapshots.
struct Kept<A: Aggregate> {
    version: u32,
    history: Vec<A::Event>,
    event: fn(Event) -> Option<A::Event>,
    in_a_snapshot: fn(&A) -> A,
}

/// A line of a recording: an event, and the state after it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Line<S> {
    event: String,
    state: S,
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

impl<A: Aggregate + Clone + Serialize> Kept<A> {
    /// The recording of today's folds, as text: a line of JSON for each event of the history, and for each event of an
    /// older version.
    fn recording(&self) -> String {
        let mut state = A::default();
        let mut text = String::new();
        let mut record = |event: String, state: &A| {
            text += &serde_json::to_string(&Line { event, state: (self.in_a_snapshot)(state) }).expect("JSON");
            text.push('\n');
        };
        for event in self.history.iter().cloned() {
            let name = event.event_type();
            state.apply(event);
            record(name, &state);
        }
        for (name, event) in self.old_events() {
            let mut state = A::default();
            state.apply(self.history[0].clone());
            state.apply(event);
            record(name, &state);
        }
        text
    }

    /// The stored events of older versions. Snapshots hold the result of today's upcasters.
    fn old_events(&self) -> BTreeMap<String, A::Event> {
        let aggregate = AggregateType::named(A::TYPE).expect("a type");
        let stream = StreamId { aggregate, id: Uuid::from_u128(1) };
        let mut old = BTreeMap::new();
        for path in read_dir(folder("fixtures")).expect("the fixtures").map(|entry| entry.expect("an entry").path()) {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
            let (event_type, version) = stem.rsplit_once(".v").expect("a version");
            let is_ours = event_type.split_once('.').is_some_and(|(name, _)| name == A::TYPE);
            if is_ours && !upcast::is_current(event_type, version) {
                let payload = read_to_string(&path).expect("a payload");
                let event = Event::decode(&Place { stream, sequence: 1, event_type }, version, &payload, &NoKeys).expect("an event");
                old.insert(format!("{event_type} of version {version}"), (self.event)(event).expect("an event of this aggregate"));
            }
        }
        old
    }

    /// Compares today's folds with the recording of this version. Lines that the recording lacks are added to it.
    fn compare(self) {
        let path = folder("states").join(format!("{}.v{}.jsonl", A::TYPE, self.version));
        let today = self.recording();
        let recorded = read_to_string(&path).unwrap_or_default();
        let (history_today, old_today) = lines(&today);
        let (history, old) = lines(&recorded);
        let because = "is not what snapshots of this version hold: raise STATE_VERSION, and run this test again to record it";
        for (place, (today, recorded)) in history_today.iter().zip(&history).enumerate() {
            assert_eq!(today, recorded, "line {} of {} {because}", place + 1, path.display());
        }
        for line in &old {
            assert!(old_today.contains(line), "{} in {} {because}", line.event, path.display());
        }
        assert!(history_today.len() >= history.len(), "the history of the {} ends too early", A::TYPE);
        if (history_today.len(), old_today.len()) != (history.len(), old.len()) {
            write(&path, today).expect("a recording");
            panic!("{} has new lines: commit it, and delete the recording of the version before", path.display());
        }
    }
}

/// The lines of a recording: those of the history, and those of events of older versions.
fn lines(recording: &str) -> (Vec<Line<Value>>, Vec<Line<Value>>) {
    let lines = recording.lines().map(|line| serde_json::from_str::<Line<Value>>(line).expect("a line"));
    lines.partition(|line| !line.event.contains(' '))
}

macro_rules! kept {
    ($aggregate:ident, $history:path, $in_a_snapshot:path) => {
        Kept::<$aggregate> {
            version: $aggregate::STATE_VERSION,
            history: $history(),
            event: |event| if let Event::$aggregate(event) = event { Some(event) } else { None },
            in_a_snapshot: $in_a_snapshot,
        }
    };
}

#[test]
fn a_snapshot_of_a_workspace_is_what_it_was() {
    kept!(Workspace, history::workspace, Workspace::impersonal).compare();
}

#[test]
fn a_snapshot_of_a_channel_is_what_it_was() {
    kept!(Channel, history::channel, Channel::clone).compare();
}

#[test]
fn a_snapshot_of_a_retention_is_what_it_was() {
    kept!(Retention, history::retention, Retention::clone).compare();
}

#[test]
fn a_snapshot_of_an_installation_is_what_it_was() {
    kept!(Installation, history::installation, Installation::clone).compare();
}

#[test]
fn a_snapshot_of_an_audit_is_what_it_was() {
    kept!(Audit, history::audit, Audit::clone).compare();
}

/// Today's folds, by the name of the aggregate.
fn folds() -> [(&'static str, String); 5] {
    [
        (Workspace::TYPE, kept!(Workspace, history::workspace, Workspace::impersonal).recording()),
        (Channel::TYPE, kept!(Channel, history::channel, Channel::clone).recording()),
        (Retention::TYPE, kept!(Retention, history::retention, Retention::clone).recording()),
        (Installation::TYPE, kept!(Installation, history::installation, Installation::clone).recording()),
        (Audit::TYPE, kept!(Audit, history::audit, Audit::clone).recording()),
    ]
}

#[test]
fn every_event_is_in_the_history_of_its_aggregate() {
    for (aggregate, fold) in folds() {
        let history = lines(&fold).0.into_iter().map(|line| line.event).collect::<BTreeSet<_>>();
        let prefix = format!("{aggregate}.");
        let mut there = EVENTS.iter().map(|event| event.wire_name).filter(|name| name.starts_with(&prefix));
        assert!(there.all(|name| history.contains(name)), "the history of the {aggregate} has only {history:?}");
    }
}

#[test]
fn every_field_of_a_state_has_a_value_somewhere_in_its_history() {
    for (aggregate, fold) in folds() {
        let (mut there, mut with_value) = (BTreeSet::new(), BTreeSet::new());
        for line in lines(&fold).0 {
            fields("", &line.state, &mut there, &mut with_value);
        }
        let without = there.difference(&with_value).filter(|field| !WITHOUT_VALUE.contains(&field.as_str())).collect::<Vec<_>>();
        assert!(without.is_empty(), "nothing happens to {without:?} in the history of the {aggregate}");
    }
}

/// Collects the paths of all fields, and of those that have a value. In a map whose keys are identifiers or
/// permissions, the path has `*`.
fn fields(path: &str, value: &Value, there: &mut BTreeSet<String>, with_value: &mut BTreeSet<String>) {
    let has_value = match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_u64() != Some(0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => {
            for (name, value) in members {
                let is_key = Uuid::try_parse(name).is_ok() || name.contains('.');
                let name = if is_key { "*" } else { name };
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                fields(&path, value, there, with_value);
            }
            !members.is_empty()
        }
    };
    there.insert(path.to_owned());
    if has_value {
        with_value.insert(path.to_owned());
    }
}

#[test]
fn no_recording_of_an_older_version_is_left_behind() {
    let files = read_dir(folder("states")).expect("the recordings").count();
    assert_eq!(files, folds().len(), "domain/states has a recording for each aggregate: delete those of older versions");
}
