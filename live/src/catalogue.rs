//! The tables of docs/LIVE.md: every event with its frame, or why it has none.

use std::fmt::Write;

use chrono::DateTime;
use domain::catalogue::{EVENTS, EventEntry};
use domain::context::Metadata;
use domain::ids::{ChannelId, EventId, UserId};
use domain::personal::{NoKeys, Place};
use domain::{AggregateType, Context, Event, Recorded, StreamId};
use uuid::Uuid;

use crate::audience::{audience, in_words};
use crate::frame::EventFrame;

/// The tables, as Markdown.
#[must_use]
pub fn frames_markdown() -> String {
    let (mut sent, mut unsent) =
        (String::from("| event | who gets it | frame |\n|---|---|---|\n"), String::from("| event without a frame | why |\n|---|---|\n"));
    for entry in EVENTS {
        // Every example can be read: a test of the domain reads them. Writing to a String cannot fail.
        let Some(recorded) = example(entry) else { continue };
        let name = entry.wire_name;
        let _ = match audience(&recorded, |_| Some(ChannelId(Uuid::nil()))) {
            Ok(audience) => writeln!(sent, "| [`{name}`]({}) | {} | `{}` |", link(name), in_words(&audience), frame_of(name)),
            Err(reason) => writeln!(unsent, "| [`{name}`]({}) | {} |", link(name), reason.0),
        };
    }
    format!("{sent}\n{unsent}")
}

/// The event of an example.
fn example(entry: &EventEntry) -> Option<Recorded<Event>> {
    let aggregate = AggregateType::named(entry.wire_name.split_once('.')?.0)?;
    let stream = StreamId { aggregate, id: Uuid::nil() };
    let place = Place { stream, sequence: 1, event_type: entry.wire_name };
    let event = Event::decode(&place, entry.version, entry.example, &NoKeys).ok()?;
    let metadata: Metadata = Context::of(UserId::SYSTEM, DateTime::UNIX_EPOCH, Uuid::nil()).metadata("example");
    let (event_id, recorded_at) = (EventId(Uuid::nil()), DateTime::UNIX_EPOCH);
    Some(Recorded { position: 1, event_id, stream, sequence: 1, workspace_id: None, recorded_at, metadata, event })
}

fn frame_of(name: &str) -> &'static str {
    EventFrame::ALL.iter().find(|(event, _)| *event == name).map_or("", |(_, frame)| frame)
}

fn link(name: &str) -> String {
    format!("EVENTS.md#{}", name.replace('.', ""))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_event_has_a_frame_exactly_if_somebody_gets_it() {
        for entry in EVENTS {
            let recorded = example(entry).unwrap_or_else(|| panic!("the example of {} cannot be read", entry.wire_name));
            let is_told = audience(&recorded, |_| Some(ChannelId(Uuid::nil()))).is_ok();
            assert_eq!(is_told, !frame_of(entry.wire_name).is_empty(), "{}", entry.wire_name);
        }
        let names = EVENTS.iter().map(|entry| entry.wire_name).collect::<BTreeSet<_>>();
        assert!(EventFrame::ALL.iter().all(|(event, _)| names.contains(event)), "a frame names an event of the catalogue");
    }

    #[test]
    fn every_event_is_in_one_of_the_tables() {
        let page = frames_markdown();
        for entry in EVENTS {
            assert_eq!(page.matches(&format!("[`{}`]", entry.wire_name)).count(), 1, "{}", entry.wire_name);
        }
    }
}
