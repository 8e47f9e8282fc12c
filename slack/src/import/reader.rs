//! Reads the days of an export on a thread of its own: it unpacks and parses a day while earlier days are imported.

use std::io::{Read, Seek};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::archive::{Archive, Entry};
use super::attachments::is_placeholder;
use super::export::{Day, decode, elements, parse};
use super::model::{SlackMessage, some};
use super::report::shown;
use super::{ImportError, Limits, changes};

/// The most days that wait to be imported. Each may be as large as [`Limits::day_bytes_max`].
const DAYS_WAITING_MAX: usize = 2;

/// A day of a channel after reading.
pub(super) struct ReadDay {
    /// The channel's index in the plan.
    pub channel: usize,
    pub path: String,
    pub bytes: u64,
    /// In the order of the file. An element that is not an object is kept as text.
    pub messages: Vec<Result<SlackMessage, String>>,
    /// Whether bytes that are not UTF-8 were replaced.
    pub replaced: bool,
    /// Why the file is no list of messages, if it is none.
    pub odd: Option<String>,
}

/// Starts reading the days in order. It stops when the receiver is dropped.
pub(super) fn start<R: Read + Seek + Send + 'static>(
    archive: Archive<R>,
    plan: Vec<(usize, Day)>,
    limits: Limits,
) -> mpsc::Receiver<Result<ReadDay, ImportError>> {
    let (days, receiver) = mpsc::channel(DAYS_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let mut archive = archive;
        for (channel, day) in plan {
            let read = read(&mut archive, channel, day, &limits);
            let failed = read.is_err();
            if days.blocking_send(read).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

fn read<R: Read + Seek>(archive: &mut Archive<R>, channel: usize, day: Day, limits: &Limits) -> Result<ReadDay, ImportError> {
    let (text, replaced) = decode(archive.read(&day.entry, limits.day_bytes_max)?);
    let (messages, odd) = match elements(&text) {
        Ok(messages) => (messages.into_iter().map(message).collect(), None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    Ok(ReadDay { channel, path: day.entry.path, bytes: day.entry.bytes, messages, replaced, odd })
}

fn message(raw: &RawValue) -> Result<SlackMessage, String> {
    let mut message = parse::<SlackMessage>(raw).ok_or_else(|| shown(raw.get()))?;
    if some(message.text.as_ref()).is_some_and(|text| !is_placeholder(text)) {
        // Most messages contain their text twice, in `text` and in blocks.
        message.blocks = None;
    }
    if !changes::is_change(&message) {
        message.message = None;
    }
    Ok(message)
}

/// A list of the export as a whole. An element that is not an object is kept as text.
pub(super) type List<T> = Vec<Result<T, String>>;

/// Reads a list that the import cannot do without.
pub(super) fn list<R: Read + Seek, T: DeserializeOwned>(
    archive: &mut Archive<R>,
    entry: &Entry,
    limits: &Limits,
) -> Result<List<T>, ImportError> {
    let (text, _) = decode(archive.read(entry, limits.list_bytes_max)?);
    parse_list(&text, entry)
}

/// Reads a list that may be left out. `None` if the file says nothing.
pub(super) fn list_or_nothing<R: Read + Seek, T: DeserializeOwned>(
    archive: &mut Archive<R>,
    entry: &Entry,
    limits: &Limits,
) -> Result<Option<List<T>>, ImportError> {
    let (text, _) = decode(archive.read(entry, limits.list_bytes_max)?);
    if matches!(text.trim(), "" | "null" | "{}") { Ok(None) } else { parse_list(&text, entry).map(Some) }
}

fn parse_list<T: DeserializeOwned>(text: &str, entry: &Entry) -> Result<List<T>, ImportError> {
    let list = elements(text).map_err(|source| ImportError::Json { file: entry.path.clone(), source })?;
    Ok(list.into_iter().map(|raw| parse(raw).ok_or_else(|| shown(raw.get()))).collect())
}
