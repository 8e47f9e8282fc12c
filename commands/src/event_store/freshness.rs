//! How a reader knows that what this process holds in memory is right now: it asks where the log ends, and waits until the writer has heard
//! of everything up to there.
//!
//! One question serves everyone who was waiting when it was asked, so that a thousand readers cost a few queries, and not a thousand. (The
//! same idea as Raft's read index.)

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{PgPool, query_scalar};
use tokio::sync::{mpsc, oneshot, watch};

use super::StoreError;
use super::append;

/// How many readers may wait for a question to be asked.
const WAITING_MAX: usize = 4096;

type Reply = oneshot::Sender<Result<i64, StoreError>>;

#[derive(Clone)]
pub(super) struct Freshness {
    questions: mpsc::Sender<Reply>,
    /// How many readers of this process have asked.
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
            // Nobody waits any more: nothing to tell.
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
