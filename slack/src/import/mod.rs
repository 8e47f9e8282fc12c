//! Imports a Slack export as events. Original times and authors are kept, and everything that is not kept is reported
//! ([`ImportReport`]).
//!
//! Identifiers are computed from the export's content (`ids`). So a second run appends nothing, and an interrupted run
//! continues where it stopped. The way of a message: `archive` checks the zip. `reader` unpacks and parses one day at a
//! time on a thread of its own. `messages` makes events of it (`kinds`, `authors`, `content`, `markup`). `outbox`
//! leaves out events that exist, and appends the others; while it appends a batch, the next one is made. `people` and
//! `channels` come before the messages. `lenient` and `model` parse JSON of any age. Replies that are filed before their
//! parents wait (`waiting`), and what an export tells as changes is applied to messages (`changes`).
//!
//! Memory: the lists of users and channels, a few days, two batches, 16 bytes for each message of one channel
//! (`read_messages`), and its replies and changes that wait, which are limited.

mod archive;
mod attachments;
mod authors;
mod blocks;
mod changes;
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
mod read_messages;
mod reader;
mod report;
mod resume;
mod run;
mod sink;
#[cfg(test)]
mod tests;
mod waiting;

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
pub use report::{Account, FileCounts, ImportReport, Tally};
pub use sink::Sink;

use archive::Archive;
use commands::event_store::StoreError;
use ids::Ids;
use outbox::Outbox;
use report::Report;
use run::Run;

/// The settings of an import.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The user that runs the import, and the actor of events that have none in the export. If this user is not a
    /// member, the owner is the actor.
    pub importer: UserId,
    /// The present time.
    pub at: DateTime<Utc>,
    /// The correlation of all events of this run.
    pub correlation_id: Uuid,
    /// The limits for reading the archive.
    pub limits: Limits,
}

/// The progress of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Uncompressed bytes of messages that were imported.
    pub bytes_done: u64,
    /// Uncompressed bytes of messages in the archive.
    pub bytes_total: u64,
    /// Messages that were read.
    pub messages_read: u64,
    /// Events that were appended.
    pub events_appended: u64,
}

/// Receives the progress of an import after each append.
pub trait Observer: Send + Sync {
    /// Called with the progress so far.
    fn progress(&self, progress: &Progress);
}

/// Ignores the progress.
impl Observer for () {
    fn progress(&self, _: &Progress) {}
}

impl<O: Observer> Observer for Arc<O> {
    fn progress(&self, progress: &Progress) {
        O::progress(self, progress);
    }
}

/// Why an import ended early. Appended events stay, and another run continues from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The archive is refused or damaged.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file of the export is not a JSON list.
    #[error("{file} in the archive is not a JSON list")]
    Json {
        /// The file.
        file: String,
        /// The position of the error, and the reason.
        source: serde_json::Error,
    },
    /// The archive is not a Slack export.
    #[error("the archive is not a Slack export: it needs users.json, and one of channels.json, groups.json, dms.json and mpims.json")]
    NotAnExport,
    /// The archive is an export of an Enterprise Grid organisation.
    #[error(
        "the archive is an Enterprise Grid export, which holds several workspaces: export each workspace alone \
         (Slack: the workspace's settings, \"Import/Export Data\"), and import each export into a workspace of its own"
    )]
    EnterpriseGrid,
    /// The archive holds several exports, in these folders.
    #[error("the archive holds several exports, in the folders {0}: zip each folder alone, and import each into its workspace")]
    SeveralExports(String),
    /// There is no such workspace.
    #[error("there is no workspace {0}")]
    NoWorkspace(WorkspaceId),
    /// The workspace may not have this many members.
    #[error("the workspace would have {needed} active members and may have {max}: allow more, then import again")]
    TooManyMembers {
        /// The number of members that it would have.
        needed: usize,
        /// The allowed number.
        max: usize,
    },
    /// A name was taken while the import ran.
    #[error("the {kind} {name:?} was taken while the import ran: run the import again, and it continues with another name")]
    NameTaken {
        /// The kind of name.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// Other commands changed the same streams too often.
    #[error("other commands kept changing what is imported: run the import again")]
    Contended,
    /// A name that the import made is not allowed.
    #[error("a name that the import made is not allowed")]
    Name(#[from] InvalidText),
    /// The event store failed.
    #[error("the event store failed")]
    Store(#[from] StoreError),
    /// Something that was read is missing in the report: an error in the import.
    #[error("some of what was read is missing in the report: {0}")]
    Unbalanced(String),
}

/// Imports the Slack export at `path`.
///
/// # Errors
/// The archive is refused before anything is appended, or is damaged in the middle, or the store failed. Running the
/// import again is safe.
pub async fn slack<S: Sink>(sink: &S, path: &Path, settings: &Settings, observer: &impl Observer) -> Result<ImportReport, ImportError> {
    let file = File::open(path).map_err(ArchiveError::Open)?;
    slack_from(sink, BufReader::new(file), settings, observer).await
}

/// Imports the Slack export from `reader`. See [`slack`].
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
    let (ids, began_at) = (Ids::of(settings.workspace_id, settings.at), settings.at);
    let run = Run {
        sink,
        settings,
        fallback_user: settings.importer,
        ids,
        began_at,
        report: Report::default(),
        outbox,
        general: BTreeSet::new(),
    };
    let written = outbox::write_all(sink, settings, batches, observer);
    let (read, written) = futures::join!(run::read(run, archive, entries), written);
    // If the writer failed, its error counts: the reader only knows that the writer has stopped.
    let events = written?;
    finished(read?, events, started)
}

fn finished(mut report: Report, events: outbox::Counts, started: Instant) -> Result<ImportReport, ImportError> {
    let appended = |name: &str| events.get(name).copied().unwrap_or(0);
    report.messages.imported = appended("message.posted");
    report.reactions.imported = appended("message.reacted");
    report.pins.imported = appended("message.pinned");
    for account in [&mut report.messages, &mut report.reactions, &mut report.pins] {
        // Messages that were handed to the writer and then found to exist.
        account.already_there = account.already_there.saturating_sub(account.imported);
    }
    report.events = events;
    report.took = started.elapsed();
    let unbalanced = report.unbalanced();
    if unbalanced.is_empty() { Ok(report) } else { Err(ImportError::Unbalanced(unbalanced.join(", "))) }
}

/// Runs work that reads files or parses long lists on a thread for blocking work.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ImportError> {
    // The work is lost only if the process stops, or after a panic, which is already logged.
    tokio::task::spawn_blocking(work).await.map_err(|_| ImportError::Store(StoreError::Stopped))
}
