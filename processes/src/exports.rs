//! Makes a zip of everything that is stored about one person, as JSON, page by page. The memory that it needs does not
//! depend on how much the person wrote.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::ids::{UserId, WorkspaceId};
use futures::Stream;
use identity::sessions::Sessions;
use ledger::audit::{AuditLog, Filter, Order, TextAccess};
use projections::ReadModels;
use projections::relational::users::UserRow;
use serde::Serialize;
use tokio::sync::mpsc;
use zip::ZipWriter;
use zip::write::{SimpleFileOptions, StreamWriter};

/// The rows of one page.
const PAGE_ROWS: u16 = 200;
/// The rows of one page of earlier texts, each of which may be as long as a message can be.
const PAGE_TEXTS: u16 = 50;
/// How many pieces wait to be stored. Then reading pauses.
const PIECES_AHEAD: usize = 4;

/// An error that ends the export.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// A piece of the zip, or the error that ended it.
type Piece = Result<Bytes, std::io::Error>;

/// The sources of an export.
#[derive(Clone)]
pub struct Sources {
    /// The read side.
    pub read_models: ReadModels,
    /// The audit.
    pub audit_log: AuditLog,
    /// The sessions.
    pub sessions: Sessions,
}

/// The zip, piece by piece.
pub fn stream(sources: Sources, profile: UserRow) -> impl Stream<Item = Piece> + 'static {
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    tokio::spawn(async move {
        if let Err(error) = write(&sources, &profile, &sender).await {
            tracing::warn!(user.id = %profile.user_id, %error, "an export of a person's data broke off");
            // This fails only if the receiver has stopped.
            drop(sender.send(Err(std::io::Error::other(error))).await);
        }
    });
    futures::stream::unfold(pieces, |mut pieces| async move { pieces.recv().await.map(|piece| (piece, pieces)) })
}

async fn write(from: &Sources, profile: &UserRow, sender: &mpsc::Sender<Piece>) -> Result<(), Failed> {
    let user_id = UserId(profile.user_id);
    let mut export = Export::new(sender);
    export.file("profile.json", std::slice::from_ref(profile)).await?;
    export.file("workspaces.json", &from.read_models.memberships_of(user_id).await?).await?;
    export.file("channels.json", &from.read_models.channel_memberships_of(user_id).await?).await?;
    export.file("sessions.json", &from.sessions.of_user(user_id).await?).await?;
    export.account(from, user_id).await?;
    let workspaces = from.read_models.affiliations(user_id, &profile.email).await?.workspaces;
    export.messages(from, user_id, &workspaces).await?;
    export.earlier_texts(from, user_id, &workspaces).await?;
    export.done(from, user_id, &workspaces).await?;
    export.finish().await
}

/// A zip that is being written. Written bytes wait in a buffer until they are sent.
struct Export<'a> {
    zip: ZipWriter<StreamWriter<Buffer>>,
    buffer: Buffer,
    sender: &'a mpsc::Sender<Piece>,
}

impl<'a> Export<'a> {
    fn new(sender: &'a mpsc::Sender<Piece>) -> Self {
        let buffer = Buffer::default();
        Self { zip: ZipWriter::new_stream(buffer.clone()), buffer, sender }
    }

    /// Adds a file with some rows, one line each.
    async fn file(&mut self, name: &str, rows: &[impl Serialize]) -> Result<(), Failed> {
        self.zip.start_file(name, SimpleFileOptions::default())?;
        self.rows(rows).await
    }

    async fn rows(&mut self, rows: &[impl Serialize]) -> Result<(), Failed> {
        for row in rows {
            serde_json::to_writer(&mut self.zip, row)?;
            self.zip.write_all(b"\n")?;
        }
        self.send().await
    }

    /// Adds all account events, oldest first: the registration, changes of the account, and every sign-in, also refused
    /// ones, with address and client.
    async fn account(&mut self, from: &Sources, user_id: UserId) -> Result<(), Failed> {
        self.zip.start_file("account.jsonl", SimpleFileOptions::default().large_file(true))?;
        let mut after = Some(0);
        while let Some(after_position) = after {
            let page = from.audit_log.account_events(user_id, after_position, PAGE_ROWS).await?.rows(&TextAccess::everything());
            self.rows(&page).await?;
            after = page.last().map(|row| row.position);
        }
        Ok(())
    }

    /// Adds every message of the user with its latest earlier texts, workspace by workspace, oldest first.
    async fn messages(&mut self, from: &Sources, user_id: UserId, workspaces: &[WorkspaceId]) -> Result<(), Failed> {
        self.zip.start_file("messages.jsonl", SimpleFileOptions::default().large_file(true))?;
        for workspace_id in workspaces {
            let mut page = from.read_models.written_by(user_id, *workspace_id, None, PAGE_ROWS).await?;
            self.rows(&page.messages).await?;
            while page.next.is_some() {
                page = from.read_models.written_by(user_id, *workspace_id, page.next, PAGE_ROWS).await?;
                self.rows(&page.messages).await?;
            }
        }
        Ok(())
    }

    /// Adds every earlier text of the user's messages. The messages themselves have only the latest ones.
    async fn earlier_texts(&mut self, from: &Sources, user_id: UserId, workspaces: &[WorkspaceId]) -> Result<(), Failed> {
        self.zip.start_file("edits.jsonl", SimpleFileOptions::default().large_file(true))?;
        for workspace_id in workspaces {
            let mut page = from.read_models.earlier_texts_by(user_id, *workspace_id, None, PAGE_TEXTS).await?;
            self.rows(&page.texts).await?;
            while page.next.is_some() {
                page = from.read_models.earlier_texts_by(user_id, *workspace_id, page.next, PAGE_TEXTS).await?;
                self.rows(&page.texts).await?;
            }
        }
        Ok(())
    }

    /// Adds all events of which the user is the actor, workspace by workspace, oldest first. Reactions and pins are
    /// among them.
    async fn done(&mut self, from: &Sources, user_id: UserId, workspaces: &[WorkspaceId]) -> Result<(), Failed> {
        self.zip.start_file("events.jsonl", SimpleFileOptions::default().large_file(true))?;
        for workspace_id in workspaces {
            let mut after = Some(0);
            while let Some(after_position) = after {
                let filter = Filter {
                    workspace_id: Some(*workspace_id),
                    actor: Some(user_id),
                    after: Some(after_position),
                    order: Order::OldestFirst,
                    limit: PAGE_ROWS,
                    ..Filter::default()
                };
                let page = from.audit_log.find(&filter).await?.rows(&TextAccess::everything());
                self.rows(&page).await?;
                after = page.last().map(|row| row.position);
            }
        }
        Ok(())
    }

    async fn finish(self) -> Result<(), Failed> {
        drop(self.zip.finish()?);
        let rest = self.buffer.take();
        self.sender.send(Ok(rest)).await.map_err(|_| "the job has ended".into())
    }

    async fn send(&mut self) -> Result<(), Failed> {
        let piece = self.buffer.take();
        if piece.is_empty() {
            return Ok(());
        }
        self.sender.send(Ok(piece)).await.map_err(|_| "the job has ended".into())
    }
}

/// Written bytes that are not sent yet.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
