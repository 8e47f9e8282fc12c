//! Everything that is kept of one person, as a zip of JSON, page by page: what is in memory does not grow with what they wrote.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::ids::{UserId, WorkspaceId};
use futures::Stream;
use identity::sessions::Sessions;
use ledger::audit::{AuditLog, Filter, Order, Sight};
use projections::ReadModels;
use projections::relational::users::UserRow;
use serde::Serialize;
use tokio::sync::mpsc;
use zip::ZipWriter;
use zip::write::{SimpleFileOptions, StreamWriter};

/// Rows of one page.
const PAGE_ROWS: u16 = 200;
/// Pieces that wait for a client that takes its time; then nothing more is read.
const PIECES_AHEAD: usize = 4;

/// What cannot be gone on with: the client finds its zip cut off.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// A piece of the zip, or that there is no more of it.
type Piece = Result<Bytes, std::io::Error>;

/// What an export is read from.
#[derive(Clone)]
pub struct Sources {
    /// The read side.
    pub read_models: ReadModels,
    /// The audit.
    pub audit_log: AuditLog,
    /// Who is signed in.
    pub sessions: Sessions,
}

/// The zip, piece by piece.
pub fn stream(sources: Sources, profile: UserRow) -> impl Stream<Item = Piece> + 'static {
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    tokio::spawn(async move {
        if let Err(error) = write(&sources, &profile, &sender).await {
            tracing::warn!(user.id = %profile.user_id, %error, "an export of somebody's data broke off");
            // Nobody listens any more where this fails.
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
    let workspaces = from.read_models.traces(user_id, &profile.email).await?.workspaces;
    export.messages(from, user_id, &workspaces).await?;
    export.done(from, user_id, &workspaces).await?;
    export.finish().await
}

/// A zip under way: what is written of it waits in a buffer until it is sent.
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

    /// A file with some rows, a line each.
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

    /// Everything that happened to their account, oldest first: their registration, what they changed of it, every sign-in, refused ones too, with
    /// from where and with what.
    async fn account(&mut self, from: &Sources, user_id: UserId) -> Result<(), Failed> {
        self.zip.start_file("account.jsonl", SimpleFileOptions::default().large_file(true))?;
        let mut after = Some(0);
        while let Some(after_position) = after {
            let page = from.audit_log.account_events(user_id, after_position, PAGE_ROWS).await?.rows(&Sight::everything());
            self.rows(&page).await?;
            after = page.last().map(|row| row.position);
        }
        Ok(())
    }

    /// Every message that they wrote, with what it said before it was edited, workspace by workspace, oldest first.
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

    /// Everything that they did, workspace by workspace, oldest first: reactions and pins are in it.
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
                let page = from.audit_log.find(&filter).await?.rows(&Sight::everything());
                self.rows(&page).await?;
                after = page.last().map(|row| row.position);
            }
        }
        Ok(())
    }

    async fn finish(self) -> Result<(), Failed> {
        drop(self.zip.finish()?);
        let rest = self.buffer.take();
        self.sender.send(Ok(rest)).await.map_err(|_| "the client has gone".into())
    }

    async fn send(&mut self) -> Result<(), Failed> {
        let piece = self.buffer.take();
        if piece.is_empty() {
            return Ok(());
        }
        self.sender.send(Ok(piece)).await.map_err(|_| "the client has gone".into())
    }
}

/// What was written and not sent yet.
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
