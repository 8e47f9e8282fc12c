//! Event formats: a number for each set of events that a release can read. A process reads events of its own format and
//! of every earlier one.
//!
//! If a release adds an event, or a version of an event, that the release before cannot read, then it takes the next
//! format. A process writes such an event only after every running process can read its format
//! (`commands/src/event_store/node.rs`, docs/decisions/0019-releases-side-by-side.md).

use std::fmt;

/// The number of an event format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventFormat(pub i32);

/// Events that came after the first format: the name on the wire, the version, and the format that added it. All other
/// events have the first format. A new line takes the format after that of the newest release (`event_format` in the
/// manifest of tests/fixtures/releases).
const NEW: &[(&str, &str, EventFormat)] = &[
    ("user.made_operator", "1", EventFormat(2)),
    ("user.operator_removed", "1", EventFormat(2)),
    ("user.password_reset", "1", EventFormat(2)),
    ("workspace.domain_changed", "1", EventFormat(2)),
    ("user.erasure_proposed", "1", EventFormat(2)),
    ("message.posted", "2", EventFormat(2)),
    ("workspace.emoji_added", "1", EventFormat(2)),
    ("workspace.emoji_removed", "1", EventFormat(2)),
    ("installation.client_ids_removed", "1", EventFormat(2)),
    ("installation.replay_started", "2", EventFormat(2)),
];

impl EventFormat {
    /// The format of everything that release 0.1.0 wrote.
    pub const FIRST: Self = Self(1);

    /// The format that this release reads. It writes this format once every running process can read it.
    pub const CURRENT: Self = newest(NEW);

    /// The first format that has this version of the event.
    #[must_use]
    pub fn of(event_type: &str, version: &str) -> Self {
        of(NEW, event_type, version)
    }
}

impl fmt::Display for EventFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Every line of the table. Tests compare them with the events of the catalogue.
pub fn lines() -> impl Iterator<Item = (&'static str, &'static str, EventFormat)> {
    NEW.iter().copied()
}

const fn newest(lines: &[(&str, &str, EventFormat)]) -> EventFormat {
    let (mut newest, mut at) = (EventFormat::FIRST, 0);
    while at < lines.len() {
        if lines[at].2.0 > newest.0 {
            newest = lines[at].2;
        }
        at += 1;
    }
    newest
}

fn of(lines: &[(&str, &str, EventFormat)], event_type: &str, version: &str) -> EventFormat {
    let listed = lines.iter().find(|line| line.0 == event_type && line.1 == version);
    listed.map_or(EventFormat::FIRST, |line| line.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &[(&str, &str, EventFormat)] = &[("thing.done", "2", EventFormat(2)), ("thing.begun", "1", EventFormat(3))];

    #[test]
    fn an_event_that_is_not_listed_has_the_first_format() {
        assert_eq!(of(EXAMPLE, "thing.done", "1"), EventFormat::FIRST);
        assert_eq!(of(EXAMPLE, "thing.done", "2"), EventFormat(2));
        assert_eq!(of(EXAMPLE, "thing.begun", "1"), EventFormat(3));
    }

    #[test]
    fn a_release_reads_the_newest_format_that_is_listed() {
        assert_eq!(newest(EXAMPLE), EventFormat(3));
        assert_eq!(newest(&[]), EventFormat::FIRST);
    }

    #[test]
    fn no_format_is_left_out() {
        for format in EventFormat::FIRST.0 + 1..=EventFormat::CURRENT.0 {
            assert!(lines().any(|line| line.2.0 == format), "nothing is of format {format}");
        }
    }
}
