//! The report of an import: it accounts for everything that was read.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// How many examples of each kind are kept.
const EXAMPLES_MAX: usize = 3;
/// How long an example may be, in characters.
const EXAMPLE_CHARS_MAX: usize = 120;

/// The report of an import.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ImportReport {
    /// Users.
    pub users: Account,
    /// Channels and conversations.
    pub channels: Account,
    /// Messages.
    pub messages: Account,
    /// Reactions, one for each person and emoji.
    pub reactions: Account,
    /// Pins.
    pub pins: Account,
    /// Other counts of the file.
    pub read: FileCounts,
    /// Events that were appended, by their names.
    pub events: BTreeMap<&'static str, u64>,
    /// Things that were changed into something else.
    pub turned_into: BTreeMap<&'static str, Tally>,
    /// Things that were not imported.
    pub skipped: BTreeMap<&'static str, Tally>,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
}

/// The report while the import runs.
pub(super) type Report = ImportReport;

/// The counts of one kind of thing. Always `in_file = imported + already_there + skipped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// How many are in the file.
    pub in_file: u64,
    /// How many were imported now.
    pub imported: u64,
    /// How many existed already, from an earlier run or as an account of this server.
    pub already_there: u64,
    /// How many were not imported. `skipped` of the report says why.
    pub skipped: u64,
}

/// Counts of the file apart from users, channels, messages, reactions and pins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileCounts {
    /// Files of the archive that were read.
    pub files: u64,
    /// Bytes that were read, uncompressed.
    pub bytes: u64,
    /// Public channels.
    pub public_channels: u64,
    /// Private channels.
    pub private_channels: u64,
    /// Direct conversations.
    pub direct_conversations: u64,
    /// Group conversations.
    pub group_conversations: u64,
    /// Messages that begin a thread.
    pub threads: u64,
    /// Messages that answer in a thread.
    pub replies: u64,
    /// Messages that were edited.
    pub edited_messages: u64,
    /// Files that messages contain.
    pub file_links: u64,
    /// Changes of messages that stand in the file as messages. They are no messages, and `messages` does not count
    /// them.
    pub changes: u64,
}

/// How often something occurred, with examples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// The first examples.
    pub examples: Vec<String>,
}

impl Account {
    /// Whether all things in the file are accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.in_file == self.imported + self.already_there + self.skipped
    }
}

impl ImportReport {
    /// The number of appended events.
    #[must_use]
    pub fn events_appended(&self) -> u64 {
        self.events.values().sum()
    }

    /// The kinds whose counts do not balance. Empty, unless the import has an error.
    pub(super) fn unbalanced(&self) -> Vec<&'static str> {
        self.accounts().into_iter().filter(|(_, account)| !account.balances()).map(|(kind, _)| kind).collect()
    }

    pub(super) fn turned(&mut self, kind: &'static str, example: impl FnOnce() -> String) {
        self.turned_many(kind, 1, example);
    }

    pub(super) fn turned_many(&mut self, kind: &'static str, count: u64, example: impl FnOnce() -> String) {
        if count > 0 {
            self.turned_into.entry(kind).or_default().add(count, example);
        }
    }

    pub(super) fn skip(&mut self, kind: &'static str, example: impl FnOnce() -> String) {
        self.skip_many(kind, 1, example);
    }

    pub(super) fn skip_many(&mut self, kind: &'static str, count: u64, example: impl FnOnce() -> String) {
        if count > 0 {
            self.skipped.entry(kind).or_default().add(count, example);
        }
    }

    fn accounts(&self) -> [(&'static str, Account); 5] {
        [
            ("users", self.users),
            ("channels", self.channels),
            ("messages", self.messages),
            ("reactions", self.reactions),
            ("pins", self.pins),
        ]
    }
}

impl Tally {
    fn add(&mut self, count: u64, example: impl FnOnce() -> String) {
        self.count += count;
        if self.examples.len() < EXAMPLES_MAX {
            let example = example();
            self.examples.push(shown(&example));
        }
    }
}

/// One line that is safe for a terminal: the export may contain control characters.
pub(super) fn shown(text: &str) -> String {
    let mut line = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXAMPLE_CHARS_MAX).collect::<String>();
    if text.chars().nth(EXAMPLE_CHARS_MAX).is_some() {
        line.push('…');
    }
    line
}

fn seconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(took.as_secs_f64())
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<12}{:>12}{:>12}{:>15}{:>12}", "", "in file", "imported", "already there", "skipped")?;
        for (kind, account) in self.accounts() {
            let Account { in_file, imported, already_there, skipped } = account;
            writeln!(f, "{kind:<12}{in_file:>12}{imported:>12}{already_there:>15}{skipped:>12}")?;
        }
        self.fmt_read(f)?;
        fmt_tallies(f, "turned into something else", &self.turned_into)?;
        fmt_tallies(f, "skipped", &self.skipped)?;
        self.fmt_events(f)
    }
}

impl ImportReport {
    fn fmt_read(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileCounts { files, bytes, public_channels, private_channels, direct_conversations, group_conversations, .. } = self.read;
        let FileCounts { threads, replies, edited_messages, file_links, changes, .. } = self.read;
        writeln!(f, "\nread {files} files, {bytes} bytes")?;
        let channels =
            [("public", public_channels), ("private", private_channels), ("direct", direct_conversations), ("group", group_conversations)];
        fmt_counts(f, "channels", &channels)?;
        let messages =
            [("threads", threads), ("replies", replies), ("edited", edited_messages), ("file links", file_links), ("changes", changes)];
        fmt_counts(f, "messages", &messages)
    }

    fn fmt_events(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nevents appended")?;
        for (name, count) in &self.events {
            writeln!(f, "{count:>10}  {name}")?;
        }
        let seconds = self.took.as_secs_f64();
        let total = self.events_appended();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
        let rate = total as f64 / seconds.max(0.001);
        write!(f, "{total:>10}  in {seconds:.1} s, {rate:.0} a second")
    }
}

fn fmt_counts(f: &mut fmt::Formatter<'_>, of: &str, counts: &[(&str, u64)]) -> fmt::Result {
    let counts = counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>();
    writeln!(f, "  {of}: {}", counts.join(", "))
}

fn fmt_tallies(f: &mut fmt::Formatter<'_>, title: &str, tallies: &BTreeMap<&'static str, Tally>) -> fmt::Result {
    if tallies.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}")?;
    for (kind, tally) in tallies {
        writeln!(f, "{:>10}  {kind}", tally.count)?;
        for example in &tally.examples {
            writeln!(f, "{:>14}{example}", "")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_keeps_a_few_examples_and_counts_all() {
        let mut report = Report::default();
        for n in 0..10 {
            report.skip("odd thing", || format!("number {n}\n\u{1b}[31m"));
        }
        let tally = &report.skipped["odd thing"];
        assert_eq!((tally.count, tally.examples.len()), (10, EXAMPLES_MAX));
        assert_eq!(tally.examples[0], "number 0  [31m");
        assert!(report.to_string().contains("odd thing"));
    }

    #[test]
    fn an_account_with_a_missing_thing_does_not_balance() {
        let messages = Account { in_file: 3, imported: 1, already_there: 1, skipped: 1 };
        let mut report = Report { messages, ..Report::default() };
        assert!(report.unbalanced().is_empty());
        report.messages.skipped = 0;
        assert_eq!(report.unbalanced(), ["messages"]);
    }
}
