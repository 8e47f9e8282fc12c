//! Everything that is kept of one person, as a zip of JSON, page by page: what is in memory does not grow with what they wrote.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web::Bytes;
use domain::ids::{UserId, WorkspaceId};
use futures::Stream;
use projections::audit::{Filter, Order, Sight};
use projections::relational::users::UserRow;
use serde::Serialize;
use tokio::sync::mpsc;
use zip::ZipWriter;
use zip::write::{SimpleFileOptions, StreamWriter};

use crate::app::App;

/// Rows of one page.
const PAGE_ROWS: u16 = 200;
/// Pieces that wait for a client that takes its time; then nothing more is read.
const PIECES_AHEAD: usize = 4;

/// What cannot be gone on with: the client finds its zip cut off.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// A piece of the zip, or that there is no more of it.
type Piece = Result<Bytes, std::io::Error>;

/// The zip, piece by piece.
pub fn stream(app: App, profile: UserRow) -> impl Stream<Item = Piece> + 'static {
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    tokio::spawn(async move {
        if let Err(error) = write(&app, &profile, &sender).await {
            tracing::warn!(user.id = %profile.user_id, %error, "an export of somebody's data broke off");
            // Nobody listens any more where this fails.
            drop(sender.send(Err(std::io::Error::other(error))).await);
        }
    });
    futures::stream::unfold(pieces, |mut pieces| async move { pieces.recv().await.map(|piece| (piece, pieces)) })
}

async fn write(app: &App, profile: &UserRow, sender: &mpsc::Sender<Piece>) -> Result<(), Failed> {
    let user_id = UserId(profile.user_id);
    let mut export = Export::new(sender);
    export.file("profile.json", std::slice::from_ref(profile)).await?;
    export.file("workspaces.json", &app.read_models.memberships_of(user_id).await?).await?;
    export.file("channels.json", &app.read_models.channel_memberships_of(user_id).await?).await?;
    export.file("sessions.json", &app.sessions.of_user(user_id).await?).await?;
    export.account(app, user_id).await?;
    let workspaces = app.read_models.traces(user_id, &profile.email).await?.workspaces;
    export.messages(app, user_id, &workspaces).await?;
    export.done(app, user_id, &workspaces).await?;
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
    async fn account(&mut self, app: &App, user_id: UserId) -> Result<(), Failed> {
        self.zip.start_file("account.jsonl", SimpleFileOptions::default().large_file(true))?;
        let mut after = Some(0);
        while let Some(after_position) = after {
            let page = app.read_models.account_events(user_id, after_position, PAGE_ROWS).await?.rows(&Sight::everything());
            self.rows(&page).await?;
            after = page.last().map(|row| row.position);
        }
        Ok(())
    }

    /// Every message that they wrote, with what it said before it was edited, workspace by workspace, oldest first.
    async fn messages(&mut self, app: &App, user_id: UserId, workspaces: &[WorkspaceId]) -> Result<(), Failed> {
        self.zip.start_file("messages.jsonl", SimpleFileOptions::default().large_file(true))?;
        for workspace_id in workspaces {
            let mut page = app.read_models.written_by(user_id, *workspace_id, None, PAGE_ROWS).await?;
            self.rows(&page.messages).await?;
            while page.next.is_some() {
                page = app.read_models.written_by(user_id, *workspace_id, page.next, PAGE_ROWS).await?;
                self.rows(&page.messages).await?;
            }
        }
        Ok(())
    }

    /// Everything that they did, workspace by workspace, oldest first: reactions and pins are in it.
    async fn done(&mut self, app: &App, user_id: UserId, workspaces: &[WorkspaceId]) -> Result<(), Failed> {
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
                let page = app.read_models.audit(&filter).await?.rows(&Sight::everything());
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
