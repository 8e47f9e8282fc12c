//! Rows on their way into the tables under construction: `COPY`, on a connection of its own, while the next events are folded.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::relational::messages::{self, Month, Shelf};
use crate::relational::{CopyBuffer, CopyRow, Row};

/// Pieces that wait to be written.
const PIECES_WAITING: usize = 3;

/// What is written in one `COPY`.
pub(super) struct Piece {
    statement: String,
    bytes: Vec<u8>,
    /// Months that must be there before.
    months: BTreeSet<(Shelf, Month)>,
}

/// Writes pieces in the order in which they come.
pub(super) struct Writer {
    pieces: mpsc::Sender<Piece>,
    task: JoinHandle<sqlx::Result<()>>,
}

impl Piece {
    /// Rows of a table.
    pub(super) fn of<R: CopyRow>(table: &str, rows: CopyBuffer) -> Self {
        let statement = format!("COPY {table} ({}) FROM STDIN (FORMAT binary)", R::COLUMNS.join(", "));
        Self { statement, bytes: rows.finish(), months: BTreeSet::new() }
    }

    /// Rows of a table that is found by its row's type.
    pub(super) fn of_table<R: CopyRow + Row>(rows: CopyBuffer) -> Self {
        Self::of::<R>(R::TABLE, rows)
    }

    /// Wants those months to be there.
    pub(super) fn in_months(self, months: BTreeSet<(Shelf, Month)>) -> Self {
        Self { months, ..self }
    }
}

impl Writer {
    /// Writes on that connection.
    pub(super) fn start(connection: PgConnection) -> Self {
        let (pieces, waiting) = mpsc::channel(PIECES_WAITING);
        Self { pieces, task: tokio::spawn(write_all(connection, waiting)) }
    }

    /// Hands over a piece, and waits while too many wait. Says no where writing has failed: [`Writer::finish`] tells why.
    pub(super) async fn write(&self, piece: Piece) -> bool {
        self.pieces.send(piece).await.is_ok()
    }

    /// Waits until everything is written.
    pub(super) async fn finish(self) -> sqlx::Result<()> {
        drop(self.pieces);
        self.task.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }
}

async fn write_all(mut connection: PgConnection, mut pieces: mpsc::Receiver<Piece>) -> sqlx::Result<()> {
    while let Some(piece) = pieces.recv().await {
        messages::ensure_months(&mut connection, &piece.months).await?;
        let mut copy = connection.copy_in_raw(&piece.statement).await?;
        match copy.send(piece.bytes).await {
            Ok(_) => drop(copy.finish().await?),
            Err(error) => return Err(copy.abort("the connection fails").await.err().unwrap_or(error)),
        }
    }
    Ok(())
}
