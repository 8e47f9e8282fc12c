//! The layout of an export: lists at the top, a folder for each channel, a file for each day.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::archive::Entry;
use super::channels::List;
use super::report::Report;

/// The places of the files in the archive.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub users: Option<Entry>,
    pub channels: Option<Entry>,
    pub groups: Option<Entry>,
    pub dms: Option<Entry>,
    pub mpims: Option<Entry>,
    /// By folder, with the days in order.
    pub folders: BTreeMap<String, Vec<Day>>,
}

/// A day of a channel.
#[derive(Clone, Debug)]
pub(super) struct Day {
    pub date: NaiveDate,
    pub entry: Entry,
}

impl Layout {
    /// Sorts the archive's files, and reports those that are not read.
    pub(super) fn of(entries: Vec<Entry>, report: &mut Report) -> Self {
        let root = root(&entries);
        let mut layout = Self::default();
        for entry in entries {
            let path = entry.path.strip_prefix(&root).unwrap_or(&entry.path).to_owned();
            match path.split_once('/') {
                None => layout.add_list(&path, entry, report),
                Some((folder, file)) => layout.add_day(folder, file, entry, report),
            }
        }
        for days in layout.folders.values_mut() {
            days.sort_by(|a, b| (a.date, &a.entry.path).cmp(&(b.date, &b.entry.path)));
        }
        layout
    }

    /// Whether the archive is an export.
    pub(super) fn is_an_export(&self) -> bool {
        self.users.is_some() && self.channel_lists().next().is_some()
    }

    /// The lists of channels in the export.
    pub(super) fn channel_lists(&self) -> impl Iterator<Item = (List, &Entry)> {
        let lists = [(List::Public, &self.channels), (List::Private, &self.groups), (List::Direct, &self.dms), (List::Group, &self.mpims)];
        lists.into_iter().filter_map(|(list, entry)| Some((list, entry.as_ref()?)))
    }

    /// The bytes of all days, uncompressed.
    pub(super) fn bytes_of_days(&self) -> u64 {
        self.folders.values().flatten().map(|day| day.entry.bytes).sum()
    }

    fn add_list(&mut self, path: &str, entry: Entry, report: &mut Report) {
        let place = match path {
            "users.json" => &mut self.users,
            "channels.json" => &mut self.channels,
            "groups.json" => &mut self.groups,
            "dms.json" => &mut self.dms,
            "mpims.json" => &mut self.mpims,
            "integration_logs.json" => return report.skip("file: the log of integrations", || entry.path),
            "canvases.json" => return report.skip("file: canvases", || entry.path),
            _ => return report.skip("file: of no known kind", || entry.path),
        };
        *place = Some(entry);
    }

    fn add_day(&mut self, folder: &str, file: &str, entry: Entry, report: &mut Report) {
        if folder == "__MACOSX" || file.ends_with(".DS_Store") {
            return report.skip("file: left by the system that zipped the archive", || entry.path);
        }
        match file.strip_suffix(".json").and_then(|stem| stem.parse().ok()) {
            Some(date) => self.folders.entry(folder.into()).or_default().push(Day { date, entry }),
            None => report.skip("file: of no day", || entry.path),
        }
    }
}

/// The folder that contains everything, if the export was zipped again: with its `/`, or empty.
fn root(entries: &[Entry]) -> String {
    if entries.iter().any(|entry| entry.path == "users.json") {
        return String::new();
    }
    let inside = entries.iter().find_map(|entry| entry.path.strip_suffix("users.json"));
    inside.filter(|root| root.matches('/').count() == 1).unwrap_or_default().into()
}

/// The text of a file, without a byte order mark, and whether bytes that are not UTF-8 were replaced.
pub(super) fn decode(content: Vec<u8>) -> (String, bool) {
    let (text, replaced) = match String::from_utf8(content) {
        Ok(text) => (text, false),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
    };
    (text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text), replaced)
}

/// The elements of a list, not parsed yet.
pub(super) fn elements(text: &str) -> Result<Vec<&RawValue>, serde_json::Error> {
    serde_json::from_str(text)
}

/// Parses an element. `None` if it is not an object.
pub(super) fn parse<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    if !raw.get().starts_with('{') {
        return None;
    }
    serde_json::from_str(raw.get()).ok().or_else(|| {
        // The element may contain half characters, or a key twice: the last value counts.
        let value = serde_json::from_str::<serde_json::Value>(&whole_characters(raw.get())).ok()?;
        serde_json::from_value(value).ok()
    })
}

/// Replaces each half of a character (a lone surrogate) by U+FFFD. They come from programs that cut a text inside an
/// emoji.
fn whole_characters(json: &str) -> String {
    let surrogate = |at: usize| {
        let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok().filter(|unit| (0xd800..0xe000).contains(unit))
    };
    let mut whole = String::with_capacity(json.len());
    let mut at = 0;
    while let Some(step) = json[at..].find('\\') {
        let escape = at + step;
        whole.push_str(&json[at..escape]);
        let (kept, length) = match (surrogate(escape), surrogate(escape + 6)) {
            (Some(high), Some(low)) if high < 0xdc00 && low >= 0xdc00 => (&json[escape..escape + 12], 12),
            (Some(_), _) => ("\\ufffd", 6),
            // An escape has at least two characters, and the second may be a backslash.
            (None, _) => (&json[escape..escape + 2], 2),
        };
        whole.push_str(kept);
        at = escape + length;
    }
    whole.push_str(&json[at..]);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::model::SlackMessage;

    fn entry(path: &str) -> Entry {
        Entry { index: 0, path: path.into(), bytes: 1 }
    }

    fn text_of(json: &str) -> Option<String> {
        let raw = serde_json::from_str::<&RawValue>(json).expect("JSON");
        parse::<SlackMessage>(raw).and_then(|message| message.text)
    }

    #[test]
    fn days_are_in_order_and_unread_files_are_reported() {
        let mut report = Report::default();
        let paths =
            ["users.json", "channels.json", "b/2025-02-01.json", "b/2025-01-31.json", "b/canvas_in_the_conversation.json", "notes.txt"];
        let layout = Layout::of(paths.into_iter().map(entry).collect(), &mut report);
        assert!(layout.is_an_export());
        assert_eq!(layout.folders["b"].iter().map(|day| day.date.to_string()).collect::<Vec<_>>(), ["2025-01-31", "2025-02-01"]);
        assert_eq!(report.skipped.values().map(|tally| tally.count).sum::<u64>(), 2);
    }

    #[test]
    fn an_export_inside_one_folder_is_found() {
        let mut report = Report::default();
        let paths = ["team export/users.json", "team export/dms.json", "team export/D1/2025-01-31.json", "__MACOSX/x/._users.json"];
        let layout = Layout::of(paths.into_iter().map(entry).collect(), &mut report);
        assert!(layout.is_an_export());
        assert_eq!(layout.folders.keys().collect::<Vec<_>>(), ["D1"]);
    }

    #[test]
    fn half_characters_and_double_keys_do_not_lose_a_message() {
        assert_eq!(text_of(r#"{"text":"cut \ud83d"}"#).as_deref(), Some("cut \u{fffd}"));
        assert_eq!(text_of(r#"{"text":"\udc00 \\ud83d \ud83c\udf4e \"\\"}"#).as_deref(), Some("\u{fffd} \\ud83d 🍎 \"\\"));
        assert_eq!(text_of(r#"{"text":"a","text":"b"}"#).as_deref(), Some("b"));
        assert_eq!(text_of("[1,2]"), None);
        assert_eq!(text_of("null"), None);
    }
}
