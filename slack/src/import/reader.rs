//! Reads the days of an export on a thread of its own: it unpacks and parses a day while earlier days are imported.

use std::io::{Read, Seek};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::archive::{Archive, Entry};
use super::export::{Day, decode, elements, parse};
use super::model::{SlackMessage, some};
use super::report::shown;
use super::{ImportError, Limits};

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
    let path = day.entry.path;
    let messages = elements(&text).map_err(|source| ImportError::Json { file: path.clone(), source })?;
    let messages = messages.into_iter().map(message).collect();
    Ok(ReadDay { channel, path, bytes: day.entry.bytes, messages, replaced })
}

fn message(raw: &RawValue) -> Result<SlackMessage, String> {
    let mut message = parse::<SlackMessage>(raw).ok_or_else(|| shown(raw.get()))?;
    if some(message.text.as_ref()).is_some() {
        // Most messages contain their text twice, in `text` and in blocks.
        message.blocks = None;
    }
    Ok(message)
}

/// A list of the export as a whole. An element that is not an object is kept as text.
pub(super) fn list<R: Read + Seek, T: DeserializeOwned>(
    archive: &mut Archive<R>,
    entry: &Entry,
    limits: &Limits,
) -> Result<Vec<Result<T, String>>, ImportError> {
    let (text, _) = decode(archive.read(entry, limits.list_bytes_max)?);
    let list = elements(&text).map_err(|source| ImportError::Json { file: entry.path.clone(), source })?;
    Ok(list.into_iter().map(|raw| parse(raw).ok_or_else(|| shown(raw.get()))).collect())
}
