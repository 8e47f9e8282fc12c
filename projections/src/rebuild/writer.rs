//! Writes rows into the tables under construction with `COPY`, on connections of its own, while the next events are
//! folded.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::PgConnection;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::relational::messages::{self, MessageTable, Month};
use crate::relational::{CopyBuffer, CopyRow, Row};

/// The most pieces that wait to be written.
const PIECES_WAITING: usize = 3;

/// The rows of one `COPY`.
pub(super) struct Piece {
    statement: String,
    bytes: Vec<u8>,
    /// The monthly partitions that must exist first.
    months: BTreeSet<(MessageTable, Month)>,
}

/// Writes pieces, each on a free connection. Postgres needs most of the time.
pub(super) struct Writer {
    pieces: mpsc::Sender<Piece>,
    tasks: Vec<JoinHandle<sqlx::Result<()>>>,
}

/// The state that the writing tasks share.
struct Queue {
    pieces: Mutex<mpsc::Receiver<Piece>>,
    /// The lock for making a partition: two tasks that make the same one at once would block each other.
    months: Mutex<()>,
}

impl Piece {
    /// Rows of the table with this name.
    pub(super) fn of<R: CopyRow>(table: &str, rows: CopyBuffer) -> Self {
        let statement = format!("COPY {table} ({}) FROM STDIN (FORMAT binary)", R::COLUMNS.join(", "));
        Self { statement, bytes: rows.finish(), months: BTreeSet::new() }
    }

    /// Rows of the table that belongs to the row type.
    pub(super) fn of_table<R: CopyRow + Row>(rows: CopyBuffer) -> Self {
        Self::of::<R>(R::TABLE, rows)
    }

    /// Adds the partitions that must exist first.
    pub(super) fn in_months(self, months: BTreeSet<(MessageTable, Month)>) -> Self {
        Self { months, ..self }
    }
}

impl Writer {
    /// Starts one writing task on each connection.
    pub(super) fn start(connections: impl IntoIterator<Item = PgConnection>) -> Self {
        let (pieces, queue) = mpsc::channel(PIECES_WAITING);
        let queue = Arc::new(Queue { pieces: Mutex::new(queue), months: Mutex::new(()) });
        let tasks = connections.into_iter().map(|connection| tokio::spawn(write_all(connection, Arc::clone(&queue)))).collect();
        Self { pieces, tasks }
    }

    /// Hands over a piece, and waits while too many are waiting. Returns `false` if writing has failed:
    /// [`Writer::finish`] returns the error.
    pub(super) async fn write(&self, piece: Piece) -> bool {
        self.pieces.send(piece).await.is_ok()
    }

    /// Waits until everything is written.
    pub(super) async fn finish(self) -> sqlx::Result<()> {
        drop(self.pieces);
        let mut outcome = Ok(());
        for task in self.tasks {
            outcome = outcome.and(task.await.unwrap_or(Err(sqlx::Error::WorkerCrashed)));
        }
        outcome
    }
}

async fn write_all(mut connection: PgConnection, queue: Arc<Queue>) -> sqlx::Result<()> {
    loop {
        let Some(piece) = queue.pieces.lock().await.recv().await else { return Ok(()) };
        let written = write(&mut connection, piece, &queue.months).await;
        if written.is_err() {
            // A write has failed: no further pieces are taken.
            queue.pieces.lock().await.close();
            return written;
        }
    }
}

async fn write(connection: &mut PgConnection, piece: Piece, making_months: &Mutex<()>) -> sqlx::Result<()> {
    if !piece.months.is_empty() {
        let _made = making_months.lock().await;
        messages::ensure_months(connection, &piece.months).await?;
    }
    let mut copy = connection.copy_in_raw(&piece.statement).await?;
    match copy.send(piece.bytes).await {
        Ok(_) => copy.finish().await.map(drop),
        Err(error) => Err(copy.abort("the connection fails").await.err().unwrap_or(error)),
    }
}
