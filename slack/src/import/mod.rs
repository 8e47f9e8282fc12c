//! Slack export → events. The original times and authors are kept; nothing is dropped in silence ([`ImportReport`]).
//!
//! Identifiers follow from what the export says (`ids`), so running it again appends nothing, and an interrupted run goes on where it was.
//! The way of a message: `archive` judges the zip, `reader` unpacks and parses a day at a time on a thread of its own, `messages` makes
//! events of it (`kinds`, `authors`, `content`, `markup`), `outbox` leaves out what is there and appends the rest, a batch while the next
//! one is made. Before that come `people` and `channels`. `lenient` and `model` read JSON of any age.
//!
//! Memory: the lists of users and channels, a few days, two batches, and 16 bytes for each message of one channel (`seen`).

mod archive;
mod authors;
mod channels;
mod content;
mod export;
mod ids;
mod kinds;
mod lenient;
mod maker;
mod markup;
mod messages;
mod model;
mod names;
mod outbox;
mod people;
mod profile;
mod reader;
mod report;
mod resume;
mod run;
mod seen;
mod sink;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read as IoRead, Seek};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use domain::ids::{UserId, WorkspaceId};
use domain::text::InvalidText;
use uuid::Uuid;

pub use archive::{ArchiveError, Limits};
pub use report::{Account, ImportReport, Read, Tally};
pub use sink::Sink;

use archive::Archive;
use commands::event_store::StoreError;
use ids::Ids;
use outbox::Outbox;
use report::Report;
use run::Run;

/// Who imports, into what, and when.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Who runs the import: acts where the export does not say who did. Where they are no member, the owner does.
    pub importer: UserId,
    /// Now.
    pub at: DateTime<Utc>,
    /// Shared by all events of this run.
    pub correlation_id: Uuid,
    /// What is read of an archive at most.
    pub limits: Limits,
}

/// How far an import is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of messages that were imported, uncompressed.
    pub bytes_done: u64,
    /// Bytes of messages that the archive holds, uncompressed.
    pub bytes_total: u64,
    /// Messages that were read.
    pub messages_read: u64,
    /// Events that were appended.
    pub events_appended: u64,
}

/// Who is told how far an import is: after each append.
pub trait Observer: Send + Sync {
    /// So far.
    fn progress(&self, progress: &Progress);
}

/// Nobody watches.
impl Observer for () {
    fn progress(&self, _: &Progress) {}
}

impl<O: Observer> Observer for Arc<O> {
    fn progress(&self, progress: &Progress) {
        O::progress(self, progress);
    }
}

/// Why an import ended early. What was appended before stays, and another run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The archive is refused or damaged.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file of the export is not JSON.
    #[error("{file} in the archive is not a list in JSON")]
    Json {
        /// Which.
        file: String,
        /// Where, and why.
        source: serde_json::Error,
    },
    /// The archive is something else.
    #[error("the archive is no Slack export: it needs users.json, and one of channels.json, groups.json, dms.json and mpims.json")]
    NotAnExport,
    /// There is no such workspace.
    #[error("there is no workspace {0}")]
    NoWorkspace(WorkspaceId),
    /// The workspace has no room for everybody.
    #[error("the workspace would have {needed} active members and may have {max}: allow more, then import again")]
    TooManyMembers {
        /// How many it would have.
        needed: usize,
        /// How many it may have.
        max: usize,
    },
    /// Somebody took a name while the import ran.
    #[error("somebody took the {kind} {name:?} while the import ran: run it again, and it goes on with another name")]
    NameTaken {
        /// What kind of name.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// What is imported was changed again and again by others.
    #[error("too much of what is imported was changed at the same time: run it again")]
    Contended,
    /// A name that was made for something is not allowed.
    #[error("a name that the import made is not allowed")]
    Name(#[from] InvalidText),
    /// The event store failed.
    #[error("the event store failed")]
    Store(#[from] StoreError),
    /// Something that was read is not accounted for: a mistake in the import.
    #[error("not everything that was read is accounted for: {0}")]
    Unbalanced(String),
}

/// Imports the Slack export at `path`.
///
/// # Errors
/// The archive is refused before anything is appended, or damaged in the middle; or the store failed. Running it again is safe.
pub async fn slack<S: Sink>(sink: &S, path: &Path, settings: &Settings, observer: &impl Observer) -> Result<ImportReport, ImportError> {
    let file = File::open(path).map_err(ArchiveError::Open)?;
    slack_from(sink, BufReader::new(file), settings, observer).await
}

/// Imports the Slack export that `reader` gives. See [`slack`].
///
/// # Errors
/// As [`slack`].
pub async fn slack_from<S: Sink, R: IoRead + Seek + Send + 'static>(
    sink: &S,
    reader: R,
    settings: &Settings,
    observer: &impl Observer,
) -> Result<ImportReport, ImportError> {
    let started = Instant::now();
    let limits = settings.limits;
    let (archive, entries) = blocking(move || Archive::open(reader, &limits)).await??;
    let (outbox, batches) = Outbox::new(sink);
    let (ids, began_at) = (Ids::of(settings.workspace_id), settings.at);
    let run =
        Run { sink, settings, steward: settings.importer, ids, began_at, report: Report::default(), outbox, general: BTreeSet::new() };
    let written = outbox::write_all(sink, settings, batches, observer);
    let (read, written) = futures::join!(run::read(run, archive, entries), written);
    // Where the writer failed, the reader knows only that the writer is gone.
    let events = written?;
    finished(read?, events, started)
}

fn finished(mut report: Report, events: outbox::Counts, started: Instant) -> Result<ImportReport, ImportError> {
    let appended = |name: &str| events.get(name).copied().unwrap_or(0);
    report.messages.imported = appended("message.posted");
    report.reactions.imported = appended("message.reacted");
    report.pins.imported = appended("message.pinned");
    for account in [&mut report.messages, &mut report.reactions, &mut report.pins] {
        // What was handed over to be appended and was not needed.
        account.already_there = account.already_there.saturating_sub(account.imported);
    }
    report.events = events;
    report.took = started.elapsed();
    let unbalanced = report.unbalanced();
    if unbalanced.is_empty() { Ok(report) } else { Err(ImportError::Unbalanced(unbalanced.join(", "))) }
}

/// Reading files and parsing long lists has no place among tasks that must answer at once.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ImportError> {
    // The work is lost only when the process stops, or with a panic that was logged already.
    tokio::task::spawn_blocking(work).await.map_err(|_| ImportError::Store(StoreError::Stopped))
}
