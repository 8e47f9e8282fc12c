//! The layout of an export: lists at the top, a folder for each channel, a file for each day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::ImportError;
use super::archive::Entry;
use super::channels::List;
use super::names::composed;
use super::report::Report;

/// How many folders may lie around an export: people zip the folder that they unpacked, and that folder again.
const FOLDERS_AROUND_MAX: usize = 2;
/// How many folders an error names.
const FOLDERS_SHOWN_MAX: usize = 5;

/// The places of the files in the archive.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub users: Option<Entry>,
    pub channels: Option<Entry>,
    pub groups: Option<Entry>,
    pub dms: Option<Entry>,
    pub mpims: Option<Entry>,
    /// The folders, by their names in composed form.
    pub folders: BTreeMap<String, Folder>,
}

/// The folder of a channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    /// Its name in the archive. macOS decomposes the characters of names: `é` becomes `e` and an accent.
    pub name: String,
    /// Its days, in order.
    pub days: Vec<Day>,
}

/// A day of a channel.
#[derive(Clone, Debug)]
pub(super) struct Day {
    pub date: NaiveDate,
    pub entry: Entry,
}

impl Layout {
    /// Sorts the archive's files, and reports those that are not read.
    ///
    /// # Errors
    /// The archive holds several exports.
    pub(super) fn of(entries: Vec<Entry>, report: &mut Report) -> Result<Self, ImportError> {
        let root = root(&entries)?;
        let mut layout = Self::default();
        for entry in entries {
            if is_of_a_system(&entry.path) {
                report.skip("file: left by the system that zipped the archive", || entry.path);
                continue;
            }
            let Some(path) = entry.path.strip_prefix(&root).map(str::to_owned) else {
                report.skip("file: beside the export", || entry.path);
                continue;
            };
            match path.split_once('/') {
                None => layout.add_list(&path, entry, report),
                Some((folder, file)) => layout.add_day(folder, file, entry, report),
            }
        }
        for folder in layout.folders.values_mut() {
            folder.days.sort_by(|a, b| (a.date, &a.entry.path).cmp(&(b.date, &b.entry.path)));
        }
        Ok(layout)
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
        self.folders.values().flat_map(|folder| &folder.days).map(|day| day.entry.bytes).sum()
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
        match file.strip_suffix(".json").and_then(|stem| stem.parse().ok()) {
            Some(date) => {
                let new = || Folder { name: folder.into(), days: Vec::new() };
                self.folders.entry(composed(folder)).or_insert_with(new).days.push(Day { date, entry });
            }
            None => report.skip("file: of no day", || entry.path),
        }
    }
}

/// Whether a system left the file in the archive: macOS its own data, and both systems how a folder looks.
fn is_of_a_system(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    path.split('/').any(|folder| folder == "__MACOSX")
        || file.starts_with("._")
        || matches!(file, ".DS_Store" | "Thumbs.db" | "desktop.ini")
}

/// The folders that contain the export, if it was zipped again: with a `/` at the end, or empty.
fn root(entries: &[Entry]) -> Result<String, ImportError> {
    let paths = || entries.iter().map(|entry| entry.path.as_str()).filter(|path| !is_of_a_system(path));
    let named = |file: &str| {
        let folders = paths().filter_map(|path| path.strip_suffix(file)).filter(|folder| folder.is_empty() || folder.ends_with('/'));
        folders.filter(|folder| folder.matches('/').count() <= FOLDERS_AROUND_MAX).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    if !named("org_users.json").is_empty() {
        return Err(ImportError::EnterpriseGrid);
    }
    let exports = named("users.json");
    let roots = if exports.contains("") { BTreeSet::from([String::new()]) } else { exports };
    if roots.len() > 1 {
        let of_teams = roots.iter().all(|root| root.split('/').rev().nth(2) == Some("teams"));
        return Err(if of_teams { ImportError::EnterpriseGrid } else { ImportError::SeveralExports(shown(&roots)) });
    }
    let root = roots.into_iter().next().unwrap_or_default();
    if paths().any(|path| path.strip_prefix(&root).is_some_and(is_a_list_of_a_team)) {
        return Err(ImportError::EnterpriseGrid);
    }
    Ok(root)
}

/// Whether a file is a list of one of the workspaces of an Enterprise Grid export: `teams/orchard/channels.json`.
fn is_a_list_of_a_team(path: &str) -> bool {
    let parts = path.split('/').collect::<Vec<_>>();
    matches!(parts.as_slice(), ["teams", _, "users.json" | "channels.json" | "groups.json" | "dms.json" | "mpims.json"])
}

fn shown(folders: &BTreeSet<String>) -> String {
    folders.iter().take(FOLDERS_SHOWN_MAX).map(|folder| folder.trim_end_matches('/')).collect::<Vec<_>>().join(", ")
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
        let layout = Layout::of(paths.into_iter().map(entry).collect(), &mut report).expect("a layout");
        assert!(layout.is_an_export());
        assert_eq!(layout.folders["b"].days.iter().map(|day| day.date.to_string()).collect::<Vec<_>>(), ["2025-01-31", "2025-02-01"]);
        assert_eq!(report.skipped.values().map(|tally| tally.count).sum::<u64>(), 2);
    }

    #[test]
    fn an_export_inside_one_or_two_folders_is_found() {
        for around in ["team export/", "downloads/team export/", "teams/orchard/"] {
            let mut report = Report::default();
            let mut paths = ["users.json", "dms.json", "D1/2025-01-31.json", ".DS_Store"].map(|path| format!("{around}{path}")).to_vec();
            paths.extend(["__MACOSX/x/._users.json", "__MACOSX/y/users.json", "elsewhere/2025-01-01.json"].map(String::from));
            let layout = Layout::of(paths.iter().map(|path| entry(path)).collect(), &mut report).expect("a layout");
            assert!(layout.is_an_export(), "{around}");
            assert_eq!(layout.folders.keys().collect::<Vec<_>>(), ["D1"], "{around}");
            assert_eq!(report.skipped["file: left by the system that zipped the archive"].count, 3);
            assert_eq!(report.skipped["file: beside the export"].count, 1);
        }
    }

    #[test]
    fn several_exports_in_one_archive_are_refused_and_named() {
        let refused = |paths: &[&str]| {
            Layout::of(paths.iter().map(|path| entry(path)).collect(), &mut Report::default()).expect_err("a refusal").to_string()
        };
        let grids: [&[&str]; 5] = [
            &["org_users.json", "channels.json", "teams/hill/channels.json"],
            &["users.json", "channels.json", "teams/hill/channels.json", "teams/hill/users.json"],
            &["teams/hill/users.json", "teams/hill/channels.json", "teams/dale/users.json"],
            &["export/org_users.json", "export/channels.json"],
            &["export/users.json", "export/channels.json", "export/teams/dale/groups.json"],
        ];
        for grid in grids {
            let error = refused(grid);
            assert!(error.contains("Enterprise Grid") && error.contains("each workspace"), "{grid:?}: {error}");
        }
        let error = refused(&["hill/users.json", "hill/channels.json", "dale/users.json", "dale/channels.json"]);
        assert!(error.contains("dale, hill"), "{error}");
    }

    #[test]
    fn the_days_of_a_folder_in_two_normal_forms_are_together() {
        let paths = ["users.json", "channels.json", "cafe\u{301}/2025-01-02.json", "caf\u{e9}/2025-01-01.json"];
        let layout = Layout::of(paths.into_iter().map(entry).collect(), &mut Report::default()).expect("a layout");
        assert_eq!(layout.folders.len(), 1);
        assert_eq!(layout.folders["caf\u{e9}"].days.len(), 2);
    }

    #[test]
    fn a_channel_may_be_called_teams() {
        let paths = ["users.json", "channels.json", "teams/2025-01-02.json"];
        let layout = Layout::of(paths.into_iter().map(entry).collect(), &mut Report::default()).expect("a layout");
        assert_eq!(layout.folders["teams"].days.len(), 1);
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
