//! Freshness: a reader that needs up-to-date aggregates asks for the end of the log, and waits until the writer has
//! read everything up to there.
//!
//! One query answers all readers that were waiting when it was sent, so a thousand readers cost a few queries. (Raft's
//! read index works in the same way.)

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{PgPool, query_scalar};
use tokio::sync::{mpsc, oneshot, watch};

use super::StoreError;
use super::append;

/// How many readers may wait for the next query.
const WAITING_MAX: usize = 4096;

type Reply = oneshot::Sender<Result<i64, StoreError>>;

#[derive(Clone)]
pub(super) struct Freshness {
    questions: mpsc::Sender<Reply>,
    /// The number of requests of this process's readers so far.
    asked: Arc<AtomicU64>,
}

impl Freshness {
    pub(super) fn start(pool: PgPool, writer: append::Handle, head: watch::Receiver<i64>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(answer(pool, writer, head, receiver));
        Self { questions: sender, asked: Arc::default() }
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    pub(super) async fn catch_up(&self) -> Result<i64, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        self.questions.send(reply).await.map_err(|_| StoreError::Stopped)?;
        answer.await.map_err(|_| StoreError::Stopped)?
    }
}

async fn answer(pool: PgPool, writer: append::Handle, head: watch::Receiver<i64>, mut receiver: mpsc::Receiver<Reply>) {
    let mut waiting = Vec::new();
    while receiver.recv_many(&mut waiting, WAITING_MAX).await > 0 {
        let answer = ask(&pool, &writer, &head).await;
        for reply in waiting.drain(..) {
            // A reader that no longer waits needs no answer.
            let _ = reply.send(answer.clone());
        }
    }
}

async fn ask(pool: &PgPool, writer: &append::Handle, head: &watch::Receiver<i64>) -> Result<i64, StoreError> {
    let ends_at = query_scalar!(r#"SELECT coalesce(max(position), 0) AS "head!" FROM events"#).fetch_one(pool).await?;
    if ends_at > *head.borrow() {
        writer.catch_up(ends_at).await?;
    }
    Ok(ends_at)
}
